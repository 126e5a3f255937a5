//  RTCPPacket.swift: one packet of an RTCP compound, as values and places in the datagram (RFC 3550 §6.4–6.6).

import Primitives

/// RTCP packet types (RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2).
@frozen public enum RTCPType {
  @inlinable public static var senderReport: UInt8 { 200 }
  @inlinable public static var receiverReport: UInt8 { 201 }
  @inlinable public static var sourceDescription: UInt8 { 202 }
  @inlinable public static var bye: UInt8 { 203 }
  @inlinable public static var application: UInt8 { 204 }
  @inlinable public static var transportFeedback: UInt8 { 205 }
  @inlinable public static var payloadFeedback: UInt8 { 206 }
  @inlinable public static var extendedReport: UInt8 { 207 }
}

/// The five words that an SR carries of its sender (RFC 3550 §6.4.1).
@frozen public struct RTCPSenderInfo: Hashable, Sendable, BitwiseCopyable {
  public var ntp: UInt64
  public var rtpTimestamp: UInt32
  public var packetCount: UInt32
  public var octetCount: UInt32

  @inlinable public init(ntp: UInt64, rtpTimestamp: UInt32, packetCount: UInt32, octetCount: UInt32) {
    self.ntp = ntp
    self.rtpTimestamp = rtpTimestamp
    self.packetCount = packetCount
    self.octetCount = octetCount
  }
}

/// What one receiver says of one source (RFC 3550 §6.4.1).
@frozen public struct RTCPReportBlock: Hashable, Sendable, BitwiseCopyable {
  @inlinable public static var count: Int { 24 }

  /// The source reported on.
  public var ssrc: UInt32
  /// In 1/256 of the packets expected since the last report.
  public var fractionLost: UInt8
  /// 24 bits with sign: −8,388,608…8,388,607; negative when duplicates outnumber losses.
  public var cumulativeLost: Int32
  public var extendedHighestSequence: UInt32
  /// In the payload's clock.
  public var jitter: UInt32
  /// The middle 32 bits of the last SR's NTP timestamp; 0 before one.
  public var lastSenderReport: UInt32
  /// Since that SR, in 1/65,536 s.
  public var delaySinceLastSenderReport: UInt32

  @inlinable public init(
    ssrc: UInt32, fractionLost: UInt8, cumulativeLost: Int32, extendedHighestSequence: UInt32, jitter: UInt32,
    lastSenderReport: UInt32 = 0, delaySinceLastSenderReport: UInt32 = 0
  ) {
    self.ssrc = ssrc
    self.fractionLost = fractionLost
    self.cumulativeLost = cumulativeLost
    self.extendedHighestSequence = extendedHighestSequence
    self.jitter = jitter
    self.lastSenderReport = lastSenderReport
    self.delaySinceLastSenderReport = delaySinceLastSenderReport
  }
}

/// A list of report blocks inside the datagram.
@frozen public struct RTCPReportBlocks: Hashable, Sendable, BitwiseCopyable {
  @usableFromInline let offset: Int
  /// 0–31.
  public let count: Int

  @inlinable init(offset: Int, count: Int) {
    self.offset = offset
    self.count = count
  }

  /// - Returns: `nil` past the last block.
  @inlinable public func block(_ index: Int, in bytes: RawSpan) -> RTCPReportBlock? {
    guard index >= 0, index < count else { return nil }
    let at = offset &+ index &* RTCPReportBlock.count
    guard let ssrc = bytes.uint32(at: at), let loss = bytes.uint32(at: at &+ 4),
      let highest = bytes.uint32(at: at &+ 8), let jitter = bytes.uint32(at: at &+ 12),
      let last = bytes.uint32(at: at &+ 16), let delay = bytes.uint32(at: at &+ 20)
    else { return nil }
    return RTCPReportBlock(
      ssrc: ssrc, fractionLost: UInt8(truncatingIfNeeded: loss >> 24),
      cumulativeLost: Int32(bitPattern: loss << 8) >> 8,  // the shift back extends the sign
      extendedHighestSequence: highest, jitter: jitter, lastSenderReport: last, delaySinceLastSenderReport: delay)
  }

  /// The block about `ssrc`, if there is one.
  @inlinable public func block(about ssrc: UInt32, in bytes: RawSpan) -> RTCPReportBlock? {
    for index in 0..<count {
      if let block = block(index, in: bytes), block.ssrc == ssrc { return block }
    }
    return nil
  }
}

/// The chunks of an SDES packet (RFC 3550 §6.5).
@frozen public struct RTCPSourceDescription: Hashable, Sendable, BitwiseCopyable {
  @usableFromInline let offset: Int
  @usableFromInline let end: Int
  @usableFromInline let chunkCount: Int

  @inlinable init(offset: Int, end: Int, chunkCount: Int) {
    self.offset = offset
    self.end = end
    self.chunkCount = chunkCount
  }

  /// Where the canonical name of `ssrc` lies; `nil` when no chunk names it. May be empty.
  @inlinable public func canonicalName(of ssrc: UInt32, in bytes: RawSpan) -> Range<Int>? {
    var at = offset
    for _ in 0..<chunkCount {
      guard at &+ 4 <= end, let source = bytes.uint32(at: at) else { return nil }
      at &+= 4
      while true {
        guard at < end, let type = bytes.uint8(at: at) else { return nil }
        if type == 0 { break }
        guard at &+ 1 < end, let length = bytes.uint8(at: at &+ 1) else { return nil }
        let next = at &+ 2 &+ Int(length)
        guard next <= end else { return nil }
        if type == 1, source == ssrc { return (at &+ 2)..<next }
        at = next
      }
      // At least one null byte ends the items, more fill up to a word.
      at = offset &+ ((at &- offset) / 4 &+ 1) &* 4
    }
    return nil
  }
}

/// A BYE (RFC 3550 §6.6).
@frozen public struct RTCPBye: Hashable, Sendable {
  @usableFromInline let offset: Int
  /// 0–31 sources that leave.
  public let sourceCount: Int
  /// Where the reason's text lies; empty without one.
  public let reason: Range<Int>

  @inlinable init(offset: Int, sourceCount: Int, reason: Range<Int>) {
    self.offset = offset
    self.sourceCount = sourceCount
    self.reason = reason
  }

  @inlinable public func source(_ index: Int, in bytes: RawSpan) -> UInt32? {
    guard index >= 0, index < sourceCount else { return nil }
    return bytes.uint32(at: offset &+ index &* 4)
  }
  @inlinable public func names(_ ssrc: UInt32, in bytes: RawSpan) -> Bool {
    for index in 0..<sourceCount where source(index, in: bytes) == ssrc { return true }
    return false
  }
}

/// One packet of a compound. Places refer to the datagram the compound was parsed from.
@frozen public enum RTCPPacket: Hashable, Sendable {
  case senderReport(ssrc: UInt32, RTCPSenderInfo, RTCPReportBlocks)
  case receiverReport(ssrc: UInt32, RTCPReportBlocks)
  case sourceDescription(RTCPSourceDescription)
  case bye(RTCPBye)
  case extendedReport(RTCPExtendedReport)
  /// Feedback (205, 206), APP and types unknown here: the count or format field, and all bytes after the first word.
  case other(type: UInt8, format: UInt8, body: Range<Int>)
}
