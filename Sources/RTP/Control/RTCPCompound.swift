//  RTCPCompound.swift: a compound RTCP datagram, validated wholly before any of it is used (RFC 3550 §6.1, A.2).
//  Walk: SRTPSession.unprotectRTCP → RTCPCompound → ReceiveStream, SendStream

import Primitives

/// A walk over the packets of one datagram.
///
/// `init` checks the frame of every packet; what `next` returns lies inside the datagram. A packet whose inner lengths
/// lie (report count, SDES items, BYE reason, XR blocks) makes `init` throw, so that no part of a lying datagram is believed.
@frozen public struct RTCPCompound: Sendable, BitwiseCopyable {
  @usableFromInline var offset = 0
  @usableFromInline let end: Int

  /// - Parameters:
  ///   - bytes: the whole datagram, SRTCP already removed.
  ///   - reducedSize: accept a first packet that is neither SR nor RR (RFC 5506 §3).
  /// - Throws: `.tooShort` under 8 bytes (4 when reduced in size); `.tooLong`; `.badVersion`; `.badLength` when lengths do
  ///   not add up; `.malformedControl` for a wrong first packet, padding before the last, or over 32 packets.
  @inlinable public init(parsing bytes: RawSpan, reducedSize: Bool = false) throws(DropReason) {
    let count = bytes.byteCount
    guard count >= (reducedSize ? 4 : 8) else { throw .tooShort }
    guard count <= RTPLimits.packetCount else { throw .tooLong }
    var at = 0
    var packets = 0
    while at < count {
      guard packets < RTPLimits.compoundPackets else { throw .malformedControl }
      guard let word = bytes.uint32(at: at) else { throw .badLength }
      guard word >> 30 == 2 else { throw .badVersion }
      let type = UInt8(truncatingIfNeeded: word >> 16)
      let next = at &+ (Int(word & 0xffff) &+ 1) &* 4
      guard next <= count else { throw .badLength }
      if packets == 0, !reducedSize {
        guard type == RTCPType.senderReport || type == RTCPType.receiverReport, word & 1 << 29 == 0 else {
          throw .malformedControl
        }
      }
      var bodyEnd = next
      if word & 1 << 29 != 0 {
        guard next == count else { throw .malformedControl }  // only the last packet may be padded
        guard let padding = bytes.uint8(at: next &- 1), padding > 0, padding & 3 == 0,
          Int(padding) <= next &- at &- 4
        else { throw .badLength }
        bodyEnd = next &- Int(padding)
      }
      guard Self.packet(in: bytes, at: at, end: bodyEnd, word: word) != nil else { throw .badLength }
      at = next
      packets &+= 1
    }
    end = count
  }

  /// The next packet, in order; `nil` after the last.
  ///
  /// - Parameter bytes: those given to `init`; with others packets may be skipped, never read out of bounds.
  @inlinable public mutating func next(in bytes: RawSpan) -> RTCPPacket? {
    while offset < end {
      guard let word = bytes.uint32(at: offset) else { return nil }
      let at = offset
      let next = at &+ (Int(word & 0xffff) &+ 1) &* 4
      offset = next
      var bodyEnd = next
      if word & 1 << 29 != 0, let padding = bytes.uint8(at: next &- 1) { bodyEnd = next &- Int(padding) }
      if let packet = Self.packet(in: bytes, at: at, end: bodyEnd, word: word) { return packet }
    }
    return nil
  }

  /// Reads the packet whose first word lies at `at`; `nil` when a length inside it lies.
  @inlinable static func packet(in bytes: RawSpan, at: Int, end: Int, word: UInt32) -> RTCPPacket? {
    guard at &+ 4 <= end, end <= bytes.byteCount else { return nil }
    let items = Int(word >> 24 & 0x1f)
    let body = at &+ 4
    switch UInt8(truncatingIfNeeded: word >> 16) {
    case RTCPType.senderReport:
      guard body &+ 24 &+ items &* RTCPReportBlock.count <= end, let ssrc = bytes.uint32(at: body),
        let ntp = bytes.uint64(at: body &+ 4), let timestamp = bytes.uint32(at: body &+ 12),
        let packets = bytes.uint32(at: body &+ 16), let octets = bytes.uint32(at: body &+ 20)
      else { return nil }
      let sender = RTCPSenderInfo(ntp: ntp, rtpTimestamp: timestamp, packetCount: packets, octetCount: octets)
      return .senderReport(ssrc: ssrc, sender, RTCPReportBlocks(offset: body &+ 24, count: items))
    case RTCPType.receiverReport:
      guard body &+ 4 &+ items &* RTCPReportBlock.count <= end, let ssrc = bytes.uint32(at: body) else { return nil }
      return .receiverReport(ssrc: ssrc, RTCPReportBlocks(offset: body &+ 4, count: items))
    case RTCPType.sourceDescription:
      guard validChunks(items, in: bytes, body, end) else { return nil }
      return .sourceDescription(RTCPSourceDescription(offset: body, end: end, chunkCount: items))
    case RTCPType.bye:
      return bye(sources: items, in: bytes, body, end)
    case RTCPType.extendedReport:
      guard let report = RTCPExtendedReport(in: bytes, body: body, end: end) else { return nil }
      return .extendedReport(report)
    case let type:
      return .other(type: type, format: UInt8(truncatingIfNeeded: items), body: body..<end)
    }
  }

  @inlinable static func bye(sources: Int, in bytes: RawSpan, _ body: Int, _ end: Int) -> RTCPPacket? {
    let after = body &+ sources &* 4
    guard after <= end else { return nil }
    var reason = after..<after
    if after < end {
      guard let length = bytes.uint8(at: after), after &+ 1 &+ Int(length) <= end else { return nil }
      reason = (after &+ 1)..<(after &+ 1 &+ Int(length))
    }
    return .bye(RTCPBye(offset: body, sourceCount: sources, reason: reason))
  }

  /// Every chunk has its source, items that end inside the packet, and a null byte (RFC 3550 §6.5).
  @inlinable static func validChunks(_ chunks: Int, in bytes: RawSpan, _ body: Int, _ end: Int) -> Bool {
    var at = body
    for _ in 0..<chunks {
      at &+= 4
      while true {
        guard at < end, let type = bytes.uint8(at: at) else { return false }
        if type == 0 { break }
        guard at &+ 1 < end, let length = bytes.uint8(at: at &+ 1) else { return false }
        at &+= 2 &+ Int(length)
        guard at <= end else { return false }
      }
      at = body &+ ((at &- body) / 4 &+ 1) &* 4
      guard at <= end else { return false }
    }
    return true
  }
}
