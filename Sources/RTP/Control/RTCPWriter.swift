//  RTCPWriter.swift: compound RTCP packets, written in place (RFC 3550 §6.4–6.6).
//  Walk: SendStream → RTCPWriter → SRTPSession.protectRTCP

import Primitives

/// Appends packets to one compound, in the order the RFC wants: a report first, then SDES, then BYE.
///
/// The span is passed to each call, so that the writer is a plain value. A call that would not fit returns `false` and
/// leaves `count` as it was; the compound so far stays valid.
@frozen public struct RTCPWriter: Sendable, BitwiseCopyable {
  /// Bytes written: the compound's length.
  public internal(set) var count = 0
  /// Where the report that takes blocks begins; −1 when the last packet is no report.
  @usableFromInline var report = -1
  @usableFromInline var reportBlocks = 0
  /// Where the extended report that takes blocks begins; −1 when the last packet is none.
  var extended = -1

  @inlinable public init() {}

  public mutating func senderReport(ssrc: UInt32, _ sender: RTCPSenderInfo, into bytes: inout MutableRawSpan) -> Bool {
    guard bytes.byteCount &- count >= 28 else { return false }
    begin(RTCPType.senderReport, items: 0, words: 6, &bytes)
    bytes.store(ssrc, at: count &+ 4)
    bytes.store(sender.ntp, at: count &+ 8)
    bytes.store(sender.rtpTimestamp, at: count &+ 16)
    bytes.store(sender.packetCount, at: count &+ 20)
    bytes.store(sender.octetCount, at: count &+ 24)
    report = count
    reportBlocks = 0
    count &+= 28
    return true
  }

  public mutating func receiverReport(ssrc: UInt32, into bytes: inout MutableRawSpan) -> Bool {
    guard bytes.byteCount &- count >= 8 else { return false }
    begin(RTCPType.receiverReport, items: 0, words: 1, &bytes)
    bytes.store(ssrc, at: count &+ 4)
    report = count
    reportBlocks = 0
    count &+= 8
    return true
  }

  /// Adds a block to the report just written.
  ///
  /// - Returns: `false` when it does not fit, the report has 31 blocks, or the last packet is no report.
  public mutating func reportBlock(_ block: RTCPReportBlock, into bytes: inout MutableRawSpan) -> Bool {
    guard report >= 0, reportBlocks < RTPLimits.reportBlocks, bytes.byteCount &- count >= RTCPReportBlock.count,
      let type = bytes.bytes.uint8(at: report &+ 1)
    else { return false }
    let lost = min(max(block.cumulativeLost, -0x80_0000), 0x7f_ffff)
    bytes.store(block.ssrc, at: count)
    bytes.store(UInt32(block.fractionLost) << 24 | UInt32(bitPattern: lost) & 0xff_ffff, at: count &+ 4)
    bytes.store(block.extendedHighestSequence, at: count &+ 8)
    bytes.store(block.jitter, at: count &+ 12)
    bytes.store(block.lastSenderReport, at: count &+ 16)
    bytes.store(block.delaySinceLastSenderReport, at: count &+ 20)
    count &+= RTCPReportBlock.count
    reportBlocks &+= 1
    let words = UInt32(truncatingIfNeeded: (count &- report) / 4 &- 1)
    bytes.store(0x8000_0000 | UInt32(reportBlocks) << 24 | UInt32(type) << 16 | words, at: report)
    return true
  }

  /// An SDES packet of one chunk with the canonical name, which every compound carries (RFC 3550 §6.1).
  ///
  /// - Parameter cname: at most 255 bytes of UTF-8.
  public mutating func sourceDescription(ssrc: UInt32, cname: RawSpan, into bytes: inout MutableRawSpan) -> Bool {
    guard cname.byteCount <= RTPLimits.itemCount else { return false }
    // Source, type and length, text, at least one null byte, up to a word.
    let words = (4 &+ 2 &+ cname.byteCount &+ 1 &+ 3) / 4
    let size = 4 &+ words &* 4
    guard bytes.byteCount &- count >= size else { return false }
    begin(RTCPType.sourceDescription, items: 1, words: words, &bytes)
    bytes.store(UInt32(0), at: count &+ size &- 4)  // the end and its filling, before the text overwrites some of it
    bytes.store(ssrc, at: count &+ 4)
    bytes.store(UInt8(1), at: count &+ 8)
    bytes.store(UInt8(truncatingIfNeeded: cname.byteCount), at: count &+ 9)
    copy(cname, to: count &+ 10, &bytes)
    report = -1
    count &+= size
    return true
  }

  /// A BYE of one source.
  ///
  /// - Parameter reason: at most 255 bytes of UTF-8; empty for none.
  public mutating func bye(ssrc: UInt32, reason: RawSpan, into bytes: inout MutableRawSpan) -> Bool {
    guard reason.byteCount <= RTPLimits.itemCount else { return false }
    let words = 1 &+ (reason.byteCount == 0 ? 0 : (1 &+ reason.byteCount &+ 3) / 4)
    let size = 4 &+ words &* 4
    guard bytes.byteCount &- count >= size else { return false }
    begin(RTCPType.bye, items: 1, words: words, &bytes)
    bytes.store(UInt32(0), at: count &+ size &- 4)
    bytes.store(ssrc, at: count &+ 4)
    if reason.byteCount > 0 {
      bytes.store(UInt8(truncatingIfNeeded: reason.byteCount), at: count &+ 8)
      copy(reason, to: count &+ 9, &bytes)
    }
    report = -1
    count &+= size
    return true
  }

  /// - Parameter words: of the packet after its first.
  mutating func begin(_ type: UInt8, items: UInt32, words: Int, _ bytes: inout MutableRawSpan) {
    extended = -1
    bytes.store(
      0x8000_0000 | items << 24 | UInt32(type) << 16 | UInt32(truncatingIfNeeded: words), at: count)
  }

  private func copy(_ source: RawSpan, to offset: Int, _ bytes: inout MutableRawSpan) {
    for index in 0..<source.byteCount {
      guard let byte = source.uint8(at: index) else { return }
      bytes.store(byte, at: offset &+ index)
    }
  }
}
