//  Support.swift: bytes from hexadecimal, and spans over arrays.

import Primitives
import RTP

func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.compactMap { $0.hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}

extension FixedWidthInteger {
  var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}

/// An RTP packet; every length can be made to lie.
struct TestPacket {
  var version: UInt8 = 2
  var marker = false
  var payloadType: UInt8 = 111
  var sequence: UInt16 = 1
  var timestamp: UInt32 = 2
  var ssrc: UInt32 = 3
  var contributors: [UInt32] = []
  var contributorCount: UInt8?
  var profile: UInt16 = 0xbede
  var extensionData: [UInt8]?
  var extensionWords: UInt16?
  var payload: [UInt8] = []
  /// The last byte and so many before it.
  var padding: UInt8 = 0
  var paddingBit: Bool?

  var bytes: [UInt8] {
    var first = version << 6 | (contributorCount ?? UInt8(contributors.count))
    if paddingBit ?? (padding > 0) { first |= 0x20 }
    if extensionData != nil { first |= 0x10 }
    var packet = [first, payloadType | (marker ? 0x80 : 0)]
    packet += sequence.bigEndianBytes + timestamp.bigEndianBytes + ssrc.bigEndianBytes
    for contributor in contributors { packet += contributor.bigEndianBytes }
    if let extensionData {
      packet += profile.bigEndianBytes + (extensionWords ?? UInt16(extensionData.count / 4)).bigEndianBytes
      packet += extensionData
    }
    packet += payload
    if padding > 0 { packet += [UInt8](repeating: 0, count: Int(padding) - 1) + [padding] }
    return packet
  }

  func parse() throws(DropReason) -> RTPHeader { try RTPHeader(parsing: bytes.span.bytes) }
}
