//  RTCPSession.swift: one leg's reports: when, what, and what the peer's reports say (RFC 3550 §6).
//  Walk: Meeting's tick → RTCPSession.write → MediaWorker.protectEgress; SRTPQueue.unprotect → RTCPSession.receive

import Primitives
import RTP

struct RTCPSession {
  /// Of one leg's media, for RTCP's share of 5 % (RFC 3550 §6.2).
  static let sessionBandwidth = 64_000

  private var schedule: RTCPSchedule
  private var name: InlineArray<64, UInt8> = InlineArray(repeating: 0)
  private var nameCount = 0
  private var sentAtLastReport: UInt64 = 0
  private var sentBefore: UInt64 = 0
  private(set) var roundTripMicroseconds: UInt32 = 0
  private(set) var remoteFractionLost: UInt8 = 0
  private(set) var packetsReceived: UInt64 = 0
  private(set) var remote = RemoteReception()

  init(cname: String, now: Instant, random: inout RandomSource) {
    schedule = RTCPSchedule(sessionBandwidth: Self.sessionBandwidth, now: now, random: &random)
    schedule.setMembers(2, senders: 1)
    for byte in cname.utf8.prefix(MediaWorkerLimits.cnameBytes) {
      name[nameCount] = byte
      nameCount += 1
    }
  }

  mutating func isDue(now: Instant, random: inout RandomSource) -> Bool {
    // Members are two, so reconsideration never moves the deadline for long.
    now >= schedule.deadline && schedule.isDue(now: now, random: &random)
  }

  /// Writes one compound: SR or RR, SDES, and BYE at the end of the leg.
  ///
  /// - Parameters:
  ///   - wall: now, for the sender report's NTP time.
  ///   - timestamp: the RTP timestamp of now.
  /// - Returns: its count; `nil` when it does not fit.
  func write(
    send: SendStream, block: RTCPReportBlock?, wall: WallTime, timestamp: UInt32, goodbye: Bool,
    into bytes: inout MutableRawSpan
  ) -> Int? {
    var writer = RTCPWriter()
    // A sender report when RTP was sent since the second last report (RFC 3550 §6.4).
    if send.packets != sentBefore {
      let sender = RTCPSenderInfo(
        ntp: wall.ntp, rtpTimestamp: timestamp, packetCount: UInt32(truncatingIfNeeded: send.packets),
        octetCount: UInt32(truncatingIfNeeded: send.octets))
      guard writer.senderReport(ssrc: send.ssrc, sender, into: &bytes) else { return nil }
    } else {
      guard writer.receiverReport(ssrc: send.ssrc, into: &bytes) else { return nil }
    }
    if let block { guard writer.reportBlock(block, into: &bytes) else { return nil } }
    let cname = unsafe name.span.extracting(0..<nameCount).bytes
    guard writer.sourceDescription(ssrc: send.ssrc, cname: cname, into: &bytes) else { return nil }
    if goodbye { guard writer.bye(ssrc: send.ssrc, reason: RawSpan(), into: &bytes) else { return nil } }
    return writer.count
  }

  /// A compound of `count` octets, protection included, was sent.
  mutating func sent(count: Int, send: SendStream, now: Instant, random: inout RandomSource) {
    sentBefore = sentAtLastReport
    sentAtLastReport = send.packets
    schedule.isSender = send.packets != sentBefore
    schedule.setMembers(2, senders: schedule.isSender ? 2 : 1)
    schedule.sent(count: count, now: now, random: &random)
  }

  /// What a compound from the peer told beside its reports.
  struct Received: BitwiseCopyable {
    var source: UInt32 = 0
    var saidGoodbye = false
  }

  /// Reads an unprotected compound.
  ///
  /// - Parameter send: our stream, of which it may tell.
  /// - Throws: as `RTCPCompound.init`; nothing of it has then been used.
  mutating func receive(
    _ bytes: RawSpan, stream: inout ReceiveStream, send: SendStream, wall: WallTime, now: Instant
  ) throws(DropReason) -> Received {
    var compound = try RTCPCompound(parsing: bytes)
    var received = Received()
    while let packet = compound.next(in: bytes) {
      switch packet {
      case .senderReport(let source, let sender, let blocks):
        received.source = source
        stream.senderReportReceived(from: source, ntp: sender.ntp, now: now)
        take(blocks.block(about: send.ssrc, in: bytes), send, wall, now: now)
      case .receiverReport(let source, let blocks):
        received.source = source
        take(blocks.block(about: send.ssrc, in: bytes), send, wall, now: now)
      case .bye(let bye):
        if bye.names(stream.isActive ? stream.ssrc : received.source, in: bytes) { received.saidGoodbye = true }
      case .sourceDescription, .extendedReport, .other: break
      }
    }
    packetsReceived &+= 1
    schedule.received(count: bytes.byteCount)
    return received
  }

  private mutating func take(_ block: RTCPReportBlock?, _ send: SendStream, _ wall: WallTime, now: Instant) {
    guard let block else { return }
    remoteFractionLost = block.fractionLost
    remote.take(block, sent: send.packets, now: now)
    if let trip = RoundTrip.time(of: block, arrival: wall.ntp) {
      roundTripMicroseconds = UInt32(clamping: trip.nanoseconds / 1_000)
    }
  }
}
