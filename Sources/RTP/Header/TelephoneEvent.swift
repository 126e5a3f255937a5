//  TelephoneEvent.swift: a DTMF digit or other named event as RTP payload (RFC 4733 §2.3).

import Primitives

/// The first event of a telephone-event payload.
@frozen public struct TelephoneEvent: Hashable, Sendable, BitwiseCopyable {
  /// Bytes on the wire.
  @inlinable public static var count: Int { 4 }

  /// 0–9 the digits, 10 `*`, 11 `#`, 12–15 A–D, 16 flash (RFC 4733 §3.2).
  public var code: UInt8
  /// No further packet lengthens this event; sent three times.
  public var isEnd: Bool
  /// In −dBm0, 0–63.
  public var attenuation: UInt8
  /// Since the packet's RTP timestamp, in its clock; 0xFFFF at the end of a segment (RFC 4733 §2.5.1.3).
  public var duration: UInt16

  @inlinable public init(code: UInt8, isEnd: Bool, attenuation: UInt8, duration: UInt16) {
    self.code = code
    self.isEnd = isEnd
    self.attenuation = attenuation & 0x3f
    self.duration = duration
  }

  /// - Parameters:
  ///   - bytes: the packet.
  ///   - offset: where its payload begins; `count` bytes follow inside the packet.
  /// - Throws: `.badLength` when the payload is shorter than one event.
  @inlinable public init(parsing bytes: RawSpan, at offset: Int, count: Int) throws(DropReason) {
    guard count >= Self.count, let word = bytes.uint32(at: offset) else { throw .badLength }
    code = UInt8(truncatingIfNeeded: word >> 24)
    isEnd = word & 1 << 23 != 0
    attenuation = UInt8(truncatingIfNeeded: word >> 16) & 0x3f
    duration = UInt16(truncatingIfNeeded: word)
  }

  /// - Returns: `false` when four bytes do not fit at `offset`.
  @inlinable @discardableResult public func write(into bytes: inout MutableRawSpan, at offset: Int) -> Bool {
    let flags = UInt32(isEnd ? 0x80 : 0) | UInt32(attenuation & 0x3f)
    return bytes.store(UInt32(code) << 24 | flags << 16 | UInt32(duration), at: offset)
  }

  /// `0`–`9`, `*`, `#`, `A`–`D`; `nil` for events that are no DTMF digit.
  @inlinable public var digit: Unicode.Scalar? {
    switch code {
    case 0...9: Unicode.Scalar(0x30 &+ code)
    case 10: "*"
    case 11: "#"
    case 12...15: Unicode.Scalar(0x41 &+ (code &- 12))
    default: nil
    }
  }
}
