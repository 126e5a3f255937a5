//  SendStream.swift: a leg's own RTP identity towards its peer: SSRC, sequence and timestamp without a break (RFC 3550 §5.1).
//  Walk: AudioMixer → SendStream → DatagramBatch → MediaWorker.protectEgress

import Primitives
import RTP

struct SendStream: BitwiseCopyable {
  private var writer: RTPPacketWriter
  private(set) var clockRate: UInt32
  /// The timestamp at `originTick`'s first sample.
  private var originTimestamp: UInt32
  private var originTick: Int64
  /// Where the last packet's audio ended.
  private var nextTimestamp: UInt32
  private var hasSent = false
  /// Of the last packet: whose time it counted in, and how far that was from ours.
  private var timeline: UInt32 = 0
  private var skew: UInt32 = 0
  /// Packets of others' streams that we left a gap for, ever: the peer reports them as lost, though they never left here.
  private(set) var gaps: UInt64 = 0
  private(set) var packets: UInt64 = 0
  /// Payload only, as sender reports count (RFC 3550 §6.4.1).
  private(set) var octets: UInt64 = 0
  /// The tick in which the last packet was sent; at first one comfort interval ago, so that a stream begins at once.
  private(set) var lastTick: Int64

  init(configuration: LegConfiguration, tick: Int64) {
    clockRate = UInt32(configuration.send.codec.clockRate)
    writer = RTPPacketWriter(
      payloadType: configuration.send.payloadType, sequence: configuration.initialSequence,
      timestamp: configuration.initialTimestamp, ssrc: configuration.ssrc)
    writer.audioLevelExtension = configuration.audioLevelExtension ?? 0
    originTimestamp = configuration.initialTimestamp
    nextTimestamp = configuration.initialTimestamp
    originTick = tick
    lastTick = tick &- AudioMixer.comfortTicks
  }

  /// A new format or extension: the sequence goes on, and the timestamp from where it is, at the new clock's rate.
  mutating func configure(_ configuration: LegConfiguration, tick: Int64) {
    let rate = UInt32(configuration.send.codec.clockRate)
    if rate != clockRate {
      originTimestamp = max(timestamp(at: tick), nextTimestamp, by: { $1.isSeriallyAfter($0) })
      originTick = tick
      nextTimestamp = originTimestamp
      clockRate = rate
    }
    writer.payloadType = configuration.send.payloadType
    writer.audioLevelExtension = configuration.audioLevelExtension ?? 0
  }

  /// Ticks have other numbers from now on, by so many.
  mutating func shift(by ticks: Int64) {
    originTick &+= ticks
    lastTick &+= ticks
  }

  private func max(_ a: UInt32, _ b: UInt32, by isAfter: (UInt32, UInt32) -> Bool) -> UInt32 { isAfter(a, b) ? b : a }

  var ssrc: UInt32 { writer.ssrc }
  var nextSequence: UInt16 { writer.sequence }

  /// The timestamp of a tick's first sample.
  func timestamp(at tick: Int64) -> UInt32 {
    originTimestamp &+ UInt32(truncatingIfNeeded: tick &- originTick) &* (clockRate / 50)
  }

  /// The timestamp for sender reports: that of a tick's first sample, as the stream is running now.
  func reportTimestamp(at tick: Int64) -> UInt32 { timestamp(at: tick) &+ skew }

  /// Another source's packets follow: where they would overlap with the last one, or leave a small gap, our time moves to
  /// where that ended. 120 and 40 ms: two clocks and the ticks between them do not come further apart.
  private mutating func join(_ packet: EncodedAudio, tick: Int64) {
    timeline = packet.timeline
    guard hasSent else { return }
    let start = timestamp(at: tick) &+ UInt32(bitPattern: packet.timestampOffset)
    let behind = Int32(bitPattern: nextTimestamp &- start)
    let millisecond = Int32(clockRate / 1000)
    if behind > -40 &* millisecond, behind <= 120 &* millisecond { originTimestamp &+= UInt32(bitPattern: behind) }
  }

  /// Writes header and payload of the next packet; nothing is counted before `sent`.
  ///
  /// - Parameters:
  ///   - tick: of the frame that was fed last; `packet.timestampOffset` is relative to it.
  ///   - payload: at least `packet.byteCount` bytes.
  /// - Returns: the packet's count; `nil` when it would repeat timestamps that were already sent, which happens once when
  ///   a leg joins an encode group whose packets of 40 or 60 ms began earlier.
  mutating func write(
    _ packet: EncodedAudio, payload: RawSpan, tick: Int64, level: AudioLevel, into bytes: inout MutableRawSpan
  ) -> Int? {
    if packet.timeline != timeline { join(packet, tick: tick) }
    let start = timestamp(at: tick) &+ UInt32(bitPattern: packet.timestampOffset)
    if hasSent, nextTimestamp.isSeriallyAfter(start) { return nil }
    // A talk spurt begins when time passed without packets (RFC 3551 §4.1).
    writer.marker = !hasSent || start != nextTimestamp && packet.lostBefore == 0
    writer.timestamp = start
    skew = packet.timeline == 0 ? 0 : UInt32(bitPattern: packet.timestampOffset)
    if hasSent, packet.lostBefore > 0 {
      // The peer sees the loss where it was, and conceals or repairs it itself.
      writer.sequence &+= packet.lostBefore
      gaps &+= UInt64(packet.lostBefore)
    }
    writer.audioLevel = level
    guard let offset = writer.write(into: &bytes), packet.byteCount <= payload.byteCount,
      offset &+ packet.byteCount <= bytes.byteCount
    else { return nil }
    copyBytes(payload.extracting(0..<packet.byteCount), to: &bytes, at: offset)
    return offset &+ packet.byteCount
  }

  /// The packet last written is on its way.
  mutating func sent(_ packet: EncodedAudio, tick: Int64) {
    writer.sequence &+= 1
    nextTimestamp = writer.timestamp &+ packet.duration
    hasSent = true
    packets &+= 1
    octets &+= UInt64(truncatingIfNeeded: packet.byteCount)
    lastTick = tick
  }
}
