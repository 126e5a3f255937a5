//  FaultSource.swift: packets that no honest phone sends: wrong tags, and a flood from one leg.

import LinuxIO
import Media
import MediaTransport
import Primitives
import Simulation

struct FaultOptions: Sendable {
  /// SRTP packets with wrong tags to send: in turn from the first leg's address and from addresses that are no leg's.
  var badTags = 0
  /// They are spread over this time.
  var badTagsSeconds = 10.0
  /// The last leg sends this many times the packets that it ought to; 1 is none.
  var flood = 1
  static let floodFactor = 100
}

/// Sends the faults a little at a time, from when the first packets of the legs concerned have left.
struct FaultSource {
  private let badTagsPerSlot: Int
  private static let foreignAddresses: UInt32 = 64
  private let options: FaultOptions
  private let plan: LoadPlan
  private var left: Int
  private var ssrc: UInt32 = 0
  private var peer: SocketAddress?
  private var random = RandomSource(seed: 4_711)
  private(set) var badTagsSent: UInt64 = 0
  private(set) var floodSent: UInt64 = 0

  init(_ options: FaultOptions, plan: LoadPlan) {
    self.options = options
    self.plan = plan
    left = options.badTags
    let slots = max(1, Int(options.badTagsSeconds / (Double(FrameWheel.slot.nanoseconds) / 1e9)))
    badTagsPerSlot = (options.badTags + slots - 1) / slots
  }

  /// A leg has sent its packet of a frame.
  mutating func sent(_ call: PhoneMedia, _ phone: Int, _ frame: Int, now: Instant, into batch: inout SendBatch) {
    if phone == 0, left > 0 {
      ssrc = call.ssrc
      peer = call.remoteMedia
    }
    guard options.flood > 1, phone == plan.participants - 1 else { return }
    for _ in 1..<options.flood {
      unsafe batch.queue(from: plan.address(of: phone), to: call.remoteMedia, session: call.sessionHandle, now: now) {
        call.plainPacket(frame: frame, talking: false, into: &$0)
      }
      floodSent &+= 1
    }
  }

  mutating func advance(now: Instant, into batch: inout SendBatch) {
    guard left > 0, let peer else { return }
    for _ in 0..<min(left, badTagsPerSlot) {
      left -= 1
      badTagsSent &+= 1
      let isForeign = badTagsSent % 2 == 0
      let local =
        isForeign
        ? plan.address(of: plan.participants) + UInt32(badTagsSent / 2 % UInt64(Self.foreignAddresses))
        : plan.address(of: 0)
      // Looks like the next packets of the first leg, up to where the tag is.
      let words = (0..<26).map { _ in random.nextWord() }
      let ssrc = self.ssrc
      unsafe batch.queue(from: local, to: peer, session: nil, now: now) { bytes in
        for (index, word) in words.enumerated() { bytes.store(word, at: index * 4) }
        bytes.store(0x8000_0000 | UInt32(96) << 16 | words[0] & 0xffff, at: 0)
        bytes.store(ssrc, at: 8)
        return words.count * 4
      }
    }
  }
}
