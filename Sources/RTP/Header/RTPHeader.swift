//  RTPHeader.swift: the RTP header, read in place with every length checked (RFC 3550 §5.1, §5.3.1).
//  Walk: SRTPSession.unprotectRTP → RTPHeader → ReceptionStatistics.receive

import Primitives

/// One RTP packet's header, and where its extension and payload lie.
///
/// After a successful parse `payloadOffset + payloadCount + paddingCount` is the packet's count, and the extension lies
/// before the payload: all ranges may be used on the same bytes without a further check against the packet's end.
@frozen public struct RTPHeader: Sendable, BitwiseCopyable {
  /// Bytes of the header without contributors and extension.
  @inlinable public static var fixedCount: Int { 12 }

  public var marker: Bool
  /// 0–127.
  public var payloadType: UInt8
  /// 0–15 contributing sources; they begin at byte 12.
  public var contributorCount: UInt8
  /// Bytes of padding at the end, its count byte included; 0 without.
  public var paddingCount: UInt8
  public var sequence: UInt16
  /// In the payload's clock, which wraps: 48 kHz for Opus, 8 kHz for G.711 and G.722.
  public var timestamp: UInt32
  public var ssrc: UInt32
  /// "Defined by profile" of the header extension; 0 and meaningless when `extensionOffset` is 0.
  public var extensionProfile: UInt16
  /// Where the extension's data begins; 0 without an extension.
  public var extensionOffset: UInt16
  /// Bytes of extension data, a multiple of 4.
  public var extensionCount: UInt16
  public var payloadOffset: UInt16
  /// Bytes of payload without padding; may be 0.
  public var payloadCount: UInt16

  /// Reads the header at the start of one datagram.
  ///
  /// - Parameter bytes: the whole packet, SRTP already removed; borrowed for the call.
  /// - Throws: `.tooShort` under 12 bytes; `.tooLong` over 65,535; `.badVersion` unless V = 2; `.badLength` when
  ///   contributors, extension or padding reach beyond the packet, or the padding count is 0.
  @inlinable public init(parsing bytes: RawSpan) throws(DropReason) {
    let headerCount = try Self.headerCount(in: bytes)
    guard let word = bytes.uint32(at: 0), let timestamp = bytes.uint32(at: 4), let ssrc = bytes.uint32(at: 8) else {
      throw .tooShort
    }
    let count = bytes.byteCount
    var padding = 0
    if word & 1 << 29 != 0 {
      guard let last = bytes.uint8(at: count &- 1) else { throw .badLength }
      padding = Int(last)
      guard padding > 0, padding <= count &- headerCount else { throw .badLength }
    }
    marker = word & 1 << 23 != 0
    payloadType = UInt8(truncatingIfNeeded: word >> 16) & 0x7f
    contributorCount = UInt8(truncatingIfNeeded: word >> 24) & 0x0f
    paddingCount = UInt8(truncatingIfNeeded: padding)
    sequence = UInt16(truncatingIfNeeded: word)
    self.timestamp = timestamp
    self.ssrc = ssrc
    if word & 1 << 28 != 0 {
      let fields = Self.fixedCount &+ Int(contributorCount) &* 4
      guard let profile = bytes.uint16(at: fields) else { throw .badLength }
      extensionProfile = profile
      extensionOffset = UInt16(truncatingIfNeeded: fields &+ 4)
      extensionCount = UInt16(truncatingIfNeeded: headerCount &- fields &- 4)
    } else {
      extensionProfile = 0
      extensionOffset = 0
      extensionCount = 0
    }
    payloadOffset = UInt16(truncatingIfNeeded: headerCount)
    payloadCount = UInt16(truncatingIfNeeded: count &- headerCount &- padding)
  }

  /// Bytes of header, contributors and extension, all inside `bytes`; what SRTP leaves in the clear.
  ///
  /// Padding is not looked at: under SRTP it is still encrypted.
  /// - Throws: as `init(parsing:)`, padding apart.
  @inlinable public static func headerCount(in bytes: RawSpan) throws(DropReason) -> Int {
    let count = bytes.byteCount
    guard count >= fixedCount, let first = bytes.uint8(at: 0) else { throw .tooShort }
    guard count <= RTPLimits.packetCount else { throw .tooLong }
    guard first >> 6 == 2 else { throw .badVersion }
    var offset = fixedCount &+ Int(first & 0x0f) &* 4
    if first & 0x10 != 0 {
      guard let words = bytes.uint16(at: offset &+ 2) else { throw .badLength }
      offset &+= 4 &+ Int(words) &* 4
    }
    guard offset <= count else { throw .badLength }
    return offset
  }

  @inlinable public var hasExtension: Bool { extensionOffset != 0 }
  @inlinable public var payload: Range<Int> {
    Int(payloadOffset)..<(Int(payloadOffset) &+ Int(payloadCount))
  }

  /// The contributing source at `index`, from the bytes that were parsed; `nil` past the last.
  @inlinable public func contributor(_ index: Int, in bytes: RawSpan) -> UInt32? {
    guard index >= 0, index < Int(contributorCount) else { return nil }
    return bytes.uint32(at: Self.fixedCount &+ index &* 4)
  }
}
