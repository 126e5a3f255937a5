//  DTMFReceiver.swift: key presses out of telephone-event packets, each once (RFC 4733 §2.5).
//  Walk: ReceiveStream → DTMFReceiver → MediaEvent.digit

import Primitives
import RTP

/// One leg's keys. While one is down its audio is muted: the tone that the phone may also send in-band, or the silence
/// beside the events, is nobody's business.
struct DTMFReceiver: BitwiseCopyable {
  /// A finished key press.
  struct Press: BitwiseCopyable {
    /// ASCII: `0…9 * # A…D`.
    var digit: UInt8
    var milliseconds: Int32
  }

  /// An event whose end was lost ends when no packet of it came for this long: several updates of at most 50 ms each
  /// (RFC 4733 §2.5.1.2) and jitter.
  static let timeout = Interval.milliseconds(300)
  /// Audio stays muted so long after the key: the last event packets arrive ahead of the jitter buffer's audio.
  static let muteAfter = Interval.milliseconds(60)
  /// A press is reported with at most this length, however long the key is held.
  static let maximumMilliseconds = 600_000

  private var isDown = false
  private var code: UInt8 = 0
  private var clockRate: Int64 = 8_000
  /// Of the present segment.
  private var timestamp: UInt32 = 0
  /// Of the segments before it, in timestamp units.
  private var earlier: Int64 = 0
  private var duration: UInt16 = 0
  private var heard = Instant.zero
  private var mutedUntil = Instant.zero
  private var lastEnded: UInt32 = 0
  private var hasEnded = false

  init() {}

  /// Takes one event packet.
  ///
  /// - Returns: the press that this packet ends, or that it shows to have ended.
  mutating func receive(_ event: TelephoneEvent, timestamp: UInt32, clockRate: Int32, now: Instant) -> Press? {
    // Retransmitted ends, and packets that were overtaken by a later key; after a minute the timestamp may have wrapped.
    if hasEnded, now - heard < .seconds(60), !timestamp.isSeriallyAfter(lastEnded) { return nil }
    var ended: Press?
    if isDown {
      if timestamp != self.timestamp {
        guard timestamp.isSeriallyAfter(self.timestamp) else { return nil }
        if event.code == code, duration == 0xffff, timestamp == self.timestamp &+ 0xffff {
          earlier = min(earlier &+ 0xffff, 1 << 40)  // the next segment of a long press (RFC 4733 §2.5.1.3)
          self.timestamp = timestamp
          duration = 0
        } else {
          ended = end()
        }
      }
    }
    if !isDown {
      isDown = true
      code = event.code
      self.clockRate = Int64(max(1, clockRate))
      self.timestamp = timestamp
      earlier = 0
      duration = 0
    }
    duration = max(duration, event.duration)
    heard = now
    mutedUntil = now + Self.muteAfter
    if event.isEnd, event.code == code {
      // One packet can end two keys only when the first one's end was lost: the lost one is reported, this one counts
      // by its retransmissions, which have the same timestamp.
      if let lost = ended { return lost }
      ended = end()
    }
    return ended
  }

  /// - Returns: the press whose end never came.
  mutating func advance(to now: Instant) -> Press? {
    guard isDown, now - heard >= Self.timeout else { return nil }
    return end()
  }

  func mutes(at now: Instant) -> Bool { isDown || now < mutedUntil }

  private mutating func end() -> Press? {
    isDown = false
    hasEnded = true
    lastEnded = timestamp
    let units = earlier &+ Int64(duration)
    let event = TelephoneEvent(code: code, isEnd: true, attenuation: 0, duration: 0)
    guard let digit = event.digit else { return nil }
    let milliseconds = min(units &* 1000 / clockRate, Int64(Self.maximumMilliseconds))
    return Press(digit: UInt8(truncatingIfNeeded: digit.value), milliseconds: Int32(truncatingIfNeeded: milliseconds))
  }
}
