//  OpusPacket.swift: what an Opus packet says about itself without decoding it (RFC 6716 §3).

import Primitives

/// One Opus packet's framing, checked against RFC 6716 §3.4: a TOC that lies, or more than 120 ms, is refused.
@frozen public struct OpusPacket: Sendable, BitwiseCopyable {
  /// Longest packet, 48 kHz samples (RFC 6716 §3.2.5, rule R5).
  public static let maximumSamples = 5760
  /// Longest frame in bytes (rule R2).
  public static let maximumFrameBytes = 1275

  @frozen public enum Mode: UInt8, Sendable, BitwiseCopyable { case silk, hybrid, celt }

  public let mode: Mode
  public let stereo: Bool
  /// The sample rate that the coded audio needs: 8, 12, 16, 24 or 48 kHz (RFC 6716 §2.1.3).
  public let playbackRate: Int32
  /// Frames, 1–48, and samples of one at 48 kHz.
  public let frameCount: Int
  public let frameSamples: Int
  /// Where the first frame lies, and how long it is; 0 for a frame that was not transmitted.
  public let firstFrameOffset: Int
  public let firstFrameCount: Int
  /// Bytes of all frames together.
  public let frameBytes: Int

  /// Samples of the whole packet at 48 kHz: at most 5,760.
  @inlinable public var samples: Int { frameCount &* frameSamples }

  /// A packet of DTX: no frame carries more than the one or two bytes that keep the stream alive (RFC 7587 §3.1.3).
  @inlinable public var isDTX: Bool { frameBytes <= 2 &* frameCount && mode != .celt || frameBytes <= frameCount }

  public init(parsing bytes: RawSpan) throws(CodecError) {
    guard let toc = bytes.uint8(at: 0) else { throw .malformed }
    let configuration = Int(toc >> 3)
    stereo = toc & 4 != 0
    playbackRate =
      switch configuration {
      case 0..<4, 16..<20: 8_000
      case 4..<8: 12_000
      case 8..<12, 20..<24: 16_000
      case 12..<14, 24..<28: 24_000
      default: 48_000
      }
    switch configuration {
    case 0..<12:
      mode = .silk
      frameSamples = configuration & 3 == 3 ? 2880 : 480 << (configuration & 3)
    case 12..<16:
      mode = .hybrid
      frameSamples = 480 << (configuration & 1)
    default:
      mode = .celt
      frameSamples = 120 << (configuration & 3)
    }
    var reader = FrameReader(offset: 1, end: bytes.byteCount)
    var count = 1
    var first = 0
    var total = 0
    switch toc & 3 {
    case 0:
      first = reader.remaining
      total = first
    case 1:
      count = 2
      guard reader.remaining & 1 == 0 else { throw .malformed }
      first = reader.remaining / 2
      total = reader.remaining
    case 2:
      count = 2
      first = try reader.length(bytes)
      guard first <= reader.remaining, reader.remaining &- first <= Self.maximumFrameBytes else { throw .malformed }
      total = reader.remaining
    default:
      let layout = try reader.byte(bytes)
      count = Int(layout & 63)
      guard count > 0 else { throw .malformed }
      guard count &* frameSamples <= Self.maximumSamples else { throw .tooLong }
      if layout & 64 != 0 { try reader.skipPadding(bytes) }
      if layout & 128 != 0 {
        first = try reader.lengths(bytes, count: count)
        total = reader.remaining
      } else {
        guard reader.remaining % count == 0 else { throw .malformed }
        first = reader.remaining / count
        total = reader.remaining
      }
    }
    guard first <= Self.maximumFrameBytes else { throw .malformed }
    guard count &* frameSamples <= Self.maximumSamples else { throw .tooLong }
    frameCount = count
    firstFrameOffset = reader.offset
    firstFrameCount = first
    frameBytes = total
  }

  /// SILK's voice activity flag, read in place: the range coder sends it first, as plain bits (RFC 6716 §4.2.3).
  /// `nil` for CELT, which has none.
  public func hasVoice(in bytes: RawSpan) -> Bool? {
    guard mode != .celt else { return nil }
    guard firstFrameCount > 0, let byte = bytes.uint8(at: firstFrameOffset) else { return false }
    return byte >> UInt8(8 &- silkFrames) != 0
  }

  /// The packet carries a copy of the one before (SILK's LBRR flag, after the activity flags).
  public func hasFEC(in bytes: RawSpan) -> Bool {
    guard mode != .celt, firstFrameCount > 0, let byte = bytes.uint8(at: firstFrameOffset) else { return false }
    return byte & (0x80 >> UInt8(silkFrames)) != 0
  }

  /// SILK frames of 20 ms (or one of 10 ms) in one Opus frame: 1–3.
  private var silkFrames: Int { max(1, frameSamples / 960) }

  /// The variable part of the framing. `offset ≤ end` always.
  private struct FrameReader {
    var offset: Int
    var end: Int

    var remaining: Int { end &- offset }

    mutating func byte(_ bytes: RawSpan) throws(CodecError) -> UInt8 {
      guard offset < end, let value = bytes.uint8(at: offset) else { throw .malformed }
      offset &+= 1
      return value
    }

    /// RFC 6716 §3.2.1
    mutating func length(_ bytes: RawSpan) throws(CodecError) -> Int {
      let first = Int(try byte(bytes))
      if first < 252 { return first }
      return Int(try byte(bytes)) &* 4 &+ first
    }

    mutating func skipPadding(_ bytes: RawSpan) throws(CodecError) {
      var padding = 0
      var value: UInt8
      repeat {
        value = try byte(bytes)
        padding &+= value == 255 ? 254 : Int(value)
      } while value == 255
      guard padding <= remaining else { throw .malformed }
      end &-= padding
    }

    /// The lengths of a VBR packet's frames but the last. Returns the first frame's.
    mutating func lengths(_ bytes: RawSpan, count: Int) throws(CodecError) -> Int {
      var first = -1
      var sum = 0
      for _ in 0..<(count &- 1) {
        let value = try length(bytes)
        if first < 0 { first = value }
        sum &+= value
      }
      guard sum <= remaining, remaining &- sum <= OpusPacket.maximumFrameBytes else { throw .malformed }
      return first < 0 ? remaining : first
    }
  }
}
