//  Support.swift: packets, keys and a session that takes and gives arrays.

import MediaTransport
import Primitives

/// Bytes from hexadecimal; spaces and line ends are skipped.
func bytes(_ hex: String) -> [UInt8] {
  let digits = hex.filter { $0.isHexDigit }.compactMap { $0.hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
}

/// A session behind arrays. A class, so that the closures of `#expect(throws:)` can use it.
final class Peer {
  private var session: SRTPSession
  /// What is left of the buffer after the packet.
  var room = SRTPLimits.maximumGrowth

  init(send: SRTPMasterKey, receive: SRTPMasterKey, backend: SRTPBackend = .evp) throws {
    session = try SRTPSession(send: send, receive: receive, backend: backend)
  }
  /// Sends and receives with one key: talks to itself, and to any other peer with this key.
  convenience init(_ key: SRTPMasterKey, backend: SRTPBackend = .evp) throws {
    try self.init(send: key, receive: key, backend: backend)
  }
  init(suite: SRTPSuite, sessionKey: [UInt8], sessionSalt: [UInt8], backend: SRTPBackend) throws {
    session = try SRTPSession(suite: suite, sessionKey: sessionKey, sessionSalt: sessionSalt, backend: backend)
  }

  var handle: SRTPSessionHandle { session.handle }

  func protect(_ packet: [UInt8], control: Bool = false) throws(DropReason) -> [UInt8] {
    var buffer = packet + [UInt8](repeating: 0xa5, count: room)
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    let count =
      control
      ? try session.protectRTCP(&raw, count: packet.count) : try session.protectRTP(&raw, count: packet.count)
    return Array(buffer[..<count])
  }

  func unprotect(_ packet: [UInt8], control: Bool = false) throws(DropReason) -> [UInt8] {
    var buffer = packet
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    let count =
      control
      ? try session.unprotectRTCP(&raw, count: packet.count) : try session.unprotectRTP(&raw, count: packet.count)
    return Array(buffer[..<count])
  }

  func authenticates(_ packet: [UInt8], control: Bool = false) -> Bool {
    control ? session.authenticatesRTCP(packet.span.bytes) : session.authenticatesRTP(packet.span.bytes)
  }

  func seed(_ direction: SRTPSession.Direction, ssrc: UInt32, rtpIndex: UInt64? = nil, rtcpIndex: UInt64? = nil) {
    session.seed(direction, ssrc: ssrc, rtpIndex: rtpIndex, rtcpIndex: rtcpIndex)
  }
  func seedUse(_ direction: SRTPSession.Direction, rtpPackets: UInt64 = 0, rtcpPackets: UInt64 = 0) {
    session.seedUse(direction, rtpPackets: rtpPackets, rtcpPackets: rtcpPackets)
  }
}

extension RandomSource {
  mutating func masterKey(_ suite: SRTPSuite, mkiCount: Int = 0) -> SRTPMasterKey {
    let keyAndSalt = bytes(suite.keyCount + suite.saltCount)
    guard let key = SRTPMasterKey(suite: suite, keyAndSalt: keyAndSalt, mki: bytes(mkiCount)) else {
      preconditionFailure("the sizes are the suite's own")
    }
    return key
  }

  /// An RTP packet with everything a header may have, and random payload.
  mutating func rtpPacket(
    sequence: UInt16, ssrc: UInt32, payloadCount: Int, contributors: Int = 0, extensionWords: Int? = nil,
    padding: UInt8 = 0
  ) -> [UInt8] {
    var first: UInt8 = 0x80 | UInt8(contributors)
    if extensionWords != nil { first |= 0x10 }
    if padding > 0 { first |= 0x20 }
    var packet = [first, UInt8(truncatingIfNeeded: next())] + sequence.bigEndianBytes + bytes(4) + ssrc.bigEndianBytes
    packet += bytes(4 * contributors)
    if let extensionWords {
      packet += [0xbe, 0xde] + UInt16(extensionWords).bigEndianBytes + bytes(4 * extensionWords)
    }
    packet += bytes(payloadCount)
    if padding > 0 { packet += bytes(Int(padding) - 1) + [padding] }
    return packet
  }

  /// A receiver report in frame; its contents are noise.
  mutating func rtcpPacket(ssrc: UInt32, words: Int) -> [UInt8] {
    [0x80, 201] + UInt16(words + 1).bigEndianBytes + ssrc.bigEndianBytes + bytes(4 * words)
  }
}

extension FixedWidthInteger {
  var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}
