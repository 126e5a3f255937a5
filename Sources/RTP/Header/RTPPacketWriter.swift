//  RTPPacketWriter.swift: an outgoing RTP header with its optional audio level and contributors (RFC 3550 §5.1).
//  Walk: SendStream → RTPPacketWriter.write → SRTPSession.protectRTP

import Primitives

/// The fields of one outgoing header. A value that a send stream keeps and advances.
@frozen public struct RTPPacketWriter: Sendable, BitwiseCopyable {
  public var marker = false
  /// 0–127; the top bit is ignored.
  public var payloadType: UInt8
  public var sequence: UInt16
  public var timestamp: UInt32
  public var ssrc: UInt32
  /// The RFC 6464 extension's id, 1–14; 0 for no extension.
  public var audioLevelExtension: UInt8 = 0
  public var audioLevel = AudioLevel(byte: 127)

  @inlinable public init(payloadType: UInt8, sequence: UInt16, timestamp: UInt32, ssrc: UInt32) {
    self.payloadType = payloadType
    self.sequence = sequence
    self.timestamp = timestamp
    self.ssrc = ssrc
  }

  /// Bytes that `write` takes before the payload.
  @inlinable public func headerCount(contributors: Int = 0) -> Int {
    RTPHeader.fixedCount &+ contributors &* 4 &+ (carriesLevel ? 8 : 0)
  }

  /// Writes the header at the start of `bytes`.
  ///
  /// - Returns: where the payload begins; `nil`, and nothing useful written, when the header does not fit.
  @inlinable public func write(into bytes: inout MutableRawSpan) -> Int? {
    write(into: &bytes, contributors: Span())
  }

  /// - Parameter contributors: the mixed sources, of which the first 15 are named (RFC 3550 §5.1).
  @inlinable public func write(into bytes: inout MutableRawSpan, contributors: Span<UInt32>) -> Int? {
    let named = min(contributors.count, RTPLimits.contributors)
    guard bytes.byteCount >= headerCount(contributors: named) else { return nil }
    var word: UInt32 = 0x8000_0000 | UInt32(named) << 24 | UInt32(payloadType & 0x7f) << 16 | UInt32(sequence)
    if carriesLevel { word |= 1 << 28 }
    if marker { word |= 1 << 23 }
    bytes.store(word, at: 0)
    bytes.store(timestamp, at: 4)
    bytes.store(ssrc, at: 8)
    var offset = RTPHeader.fixedCount
    for index in 0..<named {
      bytes.store(contributors[index], at: offset)
      offset &+= 4
    }
    if carriesLevel {
      // One element of one byte (length field 0), then two bytes of padding (RFC 8285 §4.2).
      bytes.store(UInt32(0xbede_0001), at: offset)
      bytes.store(UInt32(audioLevelExtension) << 28 | UInt32(audioLevel.byte) << 16, at: offset &+ 4)
      offset &+= 8
    }
    return offset
  }

  @inlinable var carriesLevel: Bool { audioLevelExtension >= 1 && audioLevelExtension <= 14 }
}
