//  srtp.swift: fuzz target: SRTP and SRTCP of every suite: foreign packets, and our own there and back and damaged.

import MediaTransport
import Primitives

/// Byte 0: two bits suite, one bit RTCP, one bit MKI, one bit libsrtp2 beside ours. Byte 1: where to damage. Then the packet.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: start, count: count)
  guard count >= 2, count <= 2_000, let suite = SRTPSuite(rawValue: input[0] & 3) else { return 0 }
  let isControl = input[0] & 4 != 0
  let keyAndSalt = (0..<(suite.keyCount + suite.saltCount)).map { UInt8($0) }
  guard let key = SRTPMasterKey(suite: suite, keyAndSalt: keyAndSalt, mki: input[0] & 8 != 0 ? [1, 2, 3] : []),
    var session = try? SRTPSession(send: key, receive: key)
  else { preconditionFailure("a good key makes a session") }
  let packet = Array(input[2...])

  // As if from the network: whoever has no key is refused.
  var foreign = packet
  precondition(!authenticates(session, foreign, isControl))
  precondition(unprotect(&session, &foreign, isControl) == nil)

  // As if our own: what can be protected comes back, and one changed bit is noticed.
  guard let sealed = protect(&session, packet, isControl) else { return 0 }
  if input[0] & 16 != 0, !isControl {
    guard var reference = try? SRTPSession(send: key, receive: key, backend: .reference) else { return 0 }
    precondition(protect(&reference, packet, isControl) == sealed)
    var copy = sealed
    precondition(unprotect(&reference, &copy, isControl) == packet)
  }
  var damaged = sealed
  damaged[Int(input[1]) * 7 % damaged.count] ^= 1 << (input[1] & 7)
  precondition(!authenticates(session, damaged, isControl))
  precondition(unprotect(&session, &damaged, isControl) == nil)
  var cut = Array(sealed.dropLast(1 + Int(input[1]) % sealed.count))
  precondition(unprotect(&session, &cut, isControl) == nil)
  var copy = sealed
  precondition(authenticates(session, copy, isControl))
  precondition(unprotect(&session, &copy, isControl) == packet)
  copy = sealed
  precondition(unprotect(&session, &copy, isControl) == nil)
  return 0
}

private func protect(_ session: inout SRTPSession, _ packet: [UInt8], _ isControl: Bool) -> [UInt8]? {
  // Exactly as much room as may be needed, so that one byte too many is noticed.
  var buffer = packet + [UInt8](repeating: 0, count: session.maximumGrowth)
  var count = 0
  do {
    var span = buffer.mutableSpan
    var raw = span.mutableBytes
    guard
      let newCount = try? isControl
        ? session.protectRTCP(&raw, count: packet.count) : session.protectRTP(&raw, count: packet.count)
    else { return nil }
    count = newCount
  }
  return Array(buffer[..<count])
}

private func unprotect(_ session: inout SRTPSession, _ packet: inout [UInt8], _ isControl: Bool) -> [UInt8]? {
  let count = packet.count
  var newCount = 0
  do {
    var span = packet.mutableSpan
    var raw = span.mutableBytes
    guard
      let opened = try? isControl
        ? session.unprotectRTCP(&raw, count: count) : session.unprotectRTP(&raw, count: count)
    else { return nil }
    newCount = opened
  }
  return Array(packet[..<newCount])
}

private func authenticates(_ session: borrowing SRTPSession, _ packet: [UInt8], _ isControl: Bool) -> Bool {
  isControl ? session.authenticatesRTCP(packet.span.bytes) : session.authenticatesRTP(packet.span.bytes)
}
