//  srtp.swift: fuzz target: SRTP and SRTCP of every suite: foreign packets, and our own there and back and damaged.

import MediaTransport
import Primitives

/// Byte 0: two bits suite, one bit RTCP, one bit MKI, one bit libsrtp2 beside ours, one bit ipsec-mb. Byte 1: where to damage. Then the packet.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: start, count: count)
  guard count >= 2, count <= 2_000, let suite = SRTPSuite(rawValue: input[0] & 3) else { return 0 }
  let isControl = input[0] & 4 != 0
  let backend: SRTPBackend = input[0] & 32 != 0 && SRTPBackend.ipsecMB.isAvailable ? .ipsecMB : .evp
  let keyAndSalt = (0..<(suite.keyCount + suite.saltCount)).map { UInt8($0) }
  guard let key = SRTPMasterKey(suite: suite, keyAndSalt: keyAndSalt, mki: input[0] & 8 != 0 ? [1, 2, 3] : []),
    var session = try? SRTPSession(send: key, receive: key, backend: backend)
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
  if backend == .ipsecMB {
    guard var other = try? SRTPSession(send: key, receive: key) else { return 0 }
    precondition(protect(&other, packet, isControl) == sealed)
    guard let batched = try? SRTPSession(send: key, receive: key, backend: backend) else { return 0 }
    runBatch(batched, sealed, packet, damage: Int(input[1]), isControl)
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

nonisolated(unsafe) private var engine = SRTPCipherEngine(.ipsecMB)

/// Twenty times damaged, then whole, then a replay, all in one batch.
private func runBatch(
  _ session: borrowing SRTPSession, _ sealed: [UInt8], _ plain: [UInt8], damage: Int, _ isControl: Bool
) {
  let room = sealed.count
  let memory = UnsafeMutableRawPointer.allocate(byteCount: 22 * room, alignment: 1)
  defer { memory.deallocate() }
  var items: [SRTPItem] = []
  for index in 0..<22 {
    let start = memory + index * room
    start.copyMemory(from: sealed, byteCount: room)
    if index < 20 {
      let place = start + (damage * 7 + index) % room
      place.storeBytes(of: place.load(as: UInt8.self) ^ 1 << UInt8(index & 7), as: UInt8.self)
    }
    items.append(
      SRTPItem(packet: start, count: room, capacity: room, session: session.handle, isControl: isControl))
  }
  items.withUnsafeMutableBufferPointer { SRTPBatch.unprotect($0, with: &engine) }
  for item in items[..<20] { precondition(item.failure != nil) }
  precondition(items[20].failure == nil && items[20].count == plain.count)
  precondition(Array(UnsafeRawBufferPointer(start: items[20].packet, count: items[20].count)) == plain)
  precondition(items[21].failure == .replayed)
}
