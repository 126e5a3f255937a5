//  SRTPHostileTests.swift: replays, forgeries, lengths that lie, limits: nothing but an authentic packet changes anything.

import MediaTransport
import Primitives
import Testing

@Suite("SRTP: hostile packets and limits", .serialized)
struct SRTPHostileTests {
  static let backends: [(SRTPSuite, SRTPBackend)] = SRTPSuite.allCases.flatMap { suite in
    SRTPBackend.allCases.filter(\.isAvailable).map { (suite, $0) }
  }
  /// Those over our own framing, whose limits and states libsrtp2 does not share.
  static let own = backends.filter { $0.1 != .reference }

  @Test("a duplicate is .replayed, RTP and RTCP", arguments: backends)
  func duplicate(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 1)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    let rtp = try sender.protect(random.rtpPacket(sequence: 5, ssrc: 1, payloadCount: 10))
    let rtcp = try sender.protect(random.rtcpPacket(ssrc: 1, words: 3), control: true)

    _ = try receiver.unprotect(rtp)
    _ = try receiver.unprotect(rtcp, control: true)

    #expect(throws: DropReason.replayed) { try receiver.unprotect(rtp) }
    #expect(throws: DropReason.replayed) { try receiver.unprotect(rtcp, control: true) }
    #expect(!receiver.authenticates(rtp) || backend == .reference)
  }

  @Test("the window's edge: 447 late is taken once, 448 late is .tooOld", arguments: own)
  func windowEdge(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 2)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    let packets = try (0..<449).map { index in
      try sender.protect(random.rtpPacket(sequence: 65_500 &+ UInt16(index), ssrc: 1, payloadCount: 4))
    }
    #expect(SRTPLimits.replayWindow == 448)

    _ = try receiver.unprotect(packets[1])
    _ = try receiver.unprotect(packets[448])

    #expect(throws: DropReason.tooOld) { try receiver.unprotect(packets[0]) }
    for index in 2..<448 { _ = try receiver.unprotect(packets[index]) }
    for index in 1..<449 { #expect(throws: DropReason.replayed) { try receiver.unprotect(packets[index]) } }
  }

  @Test("no single changed bit is accepted, and none disturbs what follows", arguments: own)
  func forged(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 3)
    let key = random.masterKey(suite, mkiCount: 2)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    let plain = (0..<4).map { index in
      random.rtpPacket(sequence: 65_534 &+ UInt16(index), ssrc: 1, payloadCount: 20, extensionWords: 1)
    }
    let sent = try plain.map { try sender.protect($0) }
    let control = random.rtcpPacket(ssrc: 1, words: 4)
    let sentControl = try sender.protect(control, control: true)
    #expect(try receiver.unprotect(sent[0]) == plain[0])

    for bit in 0..<(sent[1].count * 8) {
      var changed = sent[1]
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: DropReason.self) { try receiver.unprotect(changed) }
      #expect(!receiver.authenticates(changed))
    }
    for bit in 0..<(sentControl.count * 8) {
      var changed = sentControl
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: DropReason.self) { try receiver.unprotect(changed, control: true) }
      #expect(!receiver.authenticates(changed, control: true))
    }

    for index in 1..<4 { #expect(try receiver.unprotect(sent[index]) == plain[index]) }
    #expect(try receiver.unprotect(sentControl, control: true) == control)
  }

  @Test("forged sequence numbers never move the rollover counter", arguments: own)
  func rolloverIsStable(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 4)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)

    for index in 0..<300 {
      let plain = random.rtpPacket(sequence: 65_400 &+ UInt16(index), ssrc: 1, payloadCount: 8)
      let sent = try sender.protect(plain)
      for _ in 0..<5 {
        var forged = sent
        forged.replaceSubrange(2..<4, with: random.bytes(2))
        if forged == sent { continue }
        #expect(throws: DropReason.self) { try receiver.unprotect(forged) }
      }
      #expect(try receiver.unprotect(sent) == plain)
    }
  }

  @Test("a source first heard after its first wrap is understood, not one after its second", arguments: own)
  func lateBeginning(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 17)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    let before = random.rtpPacket(sequence: 65_535, ssrc: 1, payloadCount: 300)
    let after = random.rtpPacket(sequence: 0, ssrc: 1, payloadCount: 300)
    let sentBefore = try sender.protect(before)
    let sentAfter = try sender.protect(after)

    #expect(receiver.authenticates(sentAfter))
    #expect(try receiver.unprotect(sentAfter) == after)
    #expect(throws: DropReason.replayed) { try receiver.unprotect(sentAfter) }
    #expect(try receiver.unprotect(sentBefore) == before)

    let veteran = try Peer(key, backend: backend)
    veteran.seed(.send, ssrc: 2, rtpIndex: 2 << 16 - 1)
    let unknown = try veteran.protect(random.rtpPacket(sequence: 0, ssrc: 2, payloadCount: 5))
    #expect(!receiver.authenticates(unknown))
    #expect(throws: DropReason.authenticationFailed) { try receiver.unprotect(unknown) }
  }

  @Test("after many invented SSRCs a source first heard after its wrap is understood within 16 packets", arguments: own)
  func lateBeginningUnderAttack(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 18)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    sender.seed(.send, ssrc: 1, rtpIndex: 65_535)
    for _ in 0..<100 {
      let noise = random.rtpPacket(sequence: 1, ssrc: random.nextWord(), payloadCount: 60)
      #expect(throws: DropReason.authenticationFailed) { try receiver.unprotect(noise) }
    }

    var lost = 0
    for sequence in 0..<UInt16(40) {
      let sent = try sender.protect(random.rtpPacket(sequence: sequence, ssrc: 1, payloadCount: 20))
      if (try? receiver.unprotect(sent)) == nil { lost += 1 }
    }

    #expect(lost < 16)
  }

  @Test("every shorter count of a packet is refused", arguments: backends)
  func truncated(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 5)
    let key = random.masterKey(suite)
    let sender = try Peer(key)
    let receiver = try Peer(key, backend: backend)
    let rtp = try sender.protect(
      random.rtpPacket(sequence: 1, ssrc: 1, payloadCount: 40, contributors: 2, extensionWords: 2))
    let rtcp = try sender.protect(random.rtcpPacket(ssrc: 1, words: 6), control: true)

    for count in 0..<rtp.count {
      #expect(throws: DropReason.self) { try receiver.unprotect(Array(rtp[..<count])) }
      #expect(!receiver.authenticates(Array(rtp[..<count])))
    }
    for count in 0..<rtcp.count {
      #expect(throws: DropReason.self) { try receiver.unprotect(Array(rtcp[..<count]), control: true) }
      #expect(!receiver.authenticates(Array(rtcp[..<count]), control: true))
    }

    _ = try receiver.unprotect(rtp)
    _ = try receiver.unprotect(rtcp, control: true)
  }

  @Test("headers that lie are refused before any cipher", arguments: backends)
  func lies(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 6)
    let peer = try Peer(random.masterKey(suite), backend: backend)
    let body = random.bytes(60)

    #expect(throws: DropReason.badVersion) { try peer.unprotect([0x40] + body) }
    #expect(throws: DropReason.badVersion) { try peer.unprotect([0x00, 201] + body, control: true) }
    #expect(throws: DropReason.badVersion) { try peer.protect([0xc0] + body) }
    #expect(throws: DropReason.badVersion) { try peer.protect([0xc0] + body, control: true) }
    #expect(throws: DropReason.badLength) { try peer.protect([0x8f] + body) }
    #expect(throws: DropReason.badLength) { try peer.unprotect([0x8f] + body) }
    let longExtension: [UInt8] = [0x90, 0, 0, 1] + random.bytes(8) + [0xbe, 0xde, 0xff, 0xff] + random.bytes(40)
    #expect(throws: DropReason.badLength) { try peer.protect(longExtension) }
    #expect(throws: DropReason.badLength) { try peer.unprotect(longExtension) }
    #expect(throws: DropReason.tooShort) { try peer.protect([]) }
    #expect(throws: DropReason.tooShort) { try peer.protect([0x80, 201, 0, 0], control: true) }
  }

  @Test("a buffer without room for the tag is .tooLong, and the packet can be sent later", arguments: backends)
  func room(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 7)
    let key = random.masterKey(suite, mkiCount: 4)
    let sender = try Peer(key, backend: backend)
    let rtp = random.rtpPacket(sequence: 1, ssrc: 1, payloadCount: 40)
    let rtcp = random.rtcpPacket(ssrc: 1, words: 6)

    sender.room = suite.rtpTagCount + 4 - 1
    #expect(throws: DropReason.tooLong) { try sender.protect(rtp) }
    sender.room += 1
    #expect(try sender.protect(rtp).count == rtp.count + sender.room)
    sender.room = suite.rtcpTagCount + 8 - 1
    #expect(throws: DropReason.tooLong) { try sender.protect(rtcp, control: true) }
    sender.room += 1
    #expect(try sender.protect(rtcp, control: true).count == rtcp.count + sender.room)
  }

  @Test("the same index is never sent twice", arguments: backends)
  func neverTwice(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 8)
    let sender = try Peer(random.masterKey(suite), backend: backend)

    _ = try sender.protect(random.rtpPacket(sequence: 10, ssrc: 1, payloadCount: 40))

    #expect(throws: DropReason.replayed) {
      try sender.protect(random.rtpPacket(sequence: 10, ssrc: 1, payloadCount: 41))
    }
  }

  @Test("keys end: 2⁴⁸ RTP packets, 2³¹ RTCP packets, the last rollover", arguments: own)
  func exhausted(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 9)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    let rtp = { (sequence: UInt16) in random.rtpPacket(sequence: sequence, ssrc: 1, payloadCount: 9) }
    let rtcp = random.rtcpPacket(ssrc: 1, words: 2)

    sender.seedUse(.send, rtpPackets: 1 << 48 - 1, rtcpPackets: 1 << 31 - 1)
    receiver.seedUse(.receive, rtpPackets: 1 << 48 - 1, rtcpPackets: 1 << 31 - 1)
    _ = try receiver.unprotect(sender.protect(rtp(1)))
    _ = try receiver.unprotect(sender.protect(rtcp, control: true), control: true)
    #expect(throws: DropReason.keyExhausted) { try sender.protect(rtp(2)) }
    #expect(throws: DropReason.keyExhausted) { try sender.protect(rtcp, control: true) }
    let fresh = try Peer(key, backend: backend)
    let next = try fresh.protect(rtp(3))
    #expect(throws: DropReason.keyExhausted) { try receiver.unprotect(next) }

    let last = try Peer(key, backend: backend)
    last.seed(.send, ssrc: 1, rtpIndex: 0xffff_ffff_fffe, rtcpIndex: 0x7fff_fffe)
    last.seed(.receive, ssrc: 1, rtpIndex: 0xffff_ffff_fffe, rtcpIndex: 0x7fff_fffe)
    _ = try last.unprotect(last.protect(rtp(65_535)))
    _ = try last.unprotect(last.protect(rtcp, control: true), control: true)
    #expect(throws: DropReason.keyExhausted) { try last.protect(rtp(0)) }
    #expect(throws: DropReason.keyExhausted) { try last.protect(rtcp, control: true) }
    #expect(throws: DropReason.keyExhausted) { try last.unprotect(next.replacing(sequence: 0)) }
  }

  @Test("sources: sending stops at the limit, receiving replaces the one longest silent", arguments: own)
  func sources(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 10)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let receiver = try Peer(key, backend: backend)
    let limit = UInt32(SRTPLimits.sources)
    var first: [[UInt8]] = []
    for ssrc in 0..<limit {
      let sent = try sender.protect(random.rtpPacket(sequence: 7, ssrc: ssrc, payloadCount: 5))
      _ = try receiver.unprotect(sent)
      first.append(sent)
    }
    #expect(throws: DropReason.keyExhausted) {
      try sender.protect(random.rtpPacket(sequence: 7, ssrc: limit, payloadCount: 5))
    }
    // A forged packet with a new SSRC takes no place.
    for ssrc in 1_000..<1_050 as Range<UInt32> {
      var forged = first[0]
      forged.replaceSubrange(8..<12, with: ssrc.bigEndianBytes)
      #expect(throws: DropReason.authenticationFailed) { try receiver.unprotect(forged) }
    }
    for packet in first { #expect(throws: DropReason.replayed) { try receiver.unprotect(packet) } }

    // Source 0 speaks again; an authentic 17th source then replaces source 1.
    _ = try receiver.unprotect(sender.protect(random.rtpPacket(sequence: 8, ssrc: 0, payloadCount: 5)))
    let other = try Peer(key, backend: backend)
    _ = try receiver.unprotect(other.protect(random.rtpPacket(sequence: 7, ssrc: limit, payloadCount: 5)))

    #expect(throws: DropReason.replayed) { try receiver.unprotect(first[0]) }
    for index in 2..<Int(limit) { #expect(throws: DropReason.replayed) { try receiver.unprotect(first[index]) } }
  }

  @Test("MKI: another one, or none, is not ours", arguments: own)
  func mki(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 11)
    let keyAndSalt = random.bytes(suite.keyCount + suite.saltCount)
    let key = { (mki: [UInt8]) in try #require(SRTPMasterKey(suite: suite, keyAndSalt: keyAndSalt, mki: mki)) }
    let packet = random.rtpPacket(sequence: 1, ssrc: 1, payloadCount: 30)
    let receiver = try Peer(key([1, 2]), backend: backend)

    #expect(throws: DropReason.authenticationFailed) {
      try receiver.unprotect(Peer(key([1, 3]), backend: backend).protect(packet))
    }
    #expect(throws: DropReason.authenticationFailed) {
      try receiver.unprotect(Peer(key([]), backend: backend).protect(packet))
    }
    #expect(try receiver.unprotect(Peer(key([1, 2]), backend: backend).protect(packet)) == packet)
    #expect(SRTPMasterKey(suite: suite, keyAndSalt: keyAndSalt, mki: [UInt8](repeating: 0, count: 129)) == nil)
  }

  @Test("wrong key sizes make no session", arguments: backends)
  func sizes(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 12)
    let good = random.masterKey(suite)
    var short = good
    short.key.removeLast()
    var long = good
    long.salt.append(0)
    var mki = good
    mki.mki = [UInt8](repeating: 0, count: 129)

    for bad in [short, long, mki] {
      #expect(throws: SRTPError.invalidKey) { try Peer(send: bad, receive: good, backend: backend) }
      #expect(throws: SRTPError.invalidKey) { try Peer(send: good, receive: bad, backend: backend) }
    }
  }

  @Test("another key authenticates nothing; trying changes nothing", arguments: backends)
  func latching(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 13)
    let key = random.masterKey(suite)
    let sender = try Peer(key)
    let right = try Peer(key, backend: backend)
    let wrong = try Peer(random.masterKey(suite), backend: backend)
    let plain = random.rtpPacket(sequence: 9, ssrc: 3, payloadCount: 700)
    let sent = try sender.protect(plain)
    let control = random.rtcpPacket(ssrc: 3, words: 90)
    let sentControl = try sender.protect(control, control: true)

    for _ in 0..<3 {
      #expect(right.authenticates(sent))
      #expect(right.authenticates(sentControl, control: true))
      #expect(!wrong.authenticates(sent))
      #expect(!wrong.authenticates(sentControl, control: true))
    }

    #expect(try right.unprotect(sent) == plain)
    #expect(try right.unprotect(sentControl, control: true) == control)
  }

  @Test("a new key starts at rollover 0; the old session's packets do not pass", arguments: own)
  func rekeying(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 14)
    let old = random.masterKey(suite)
    let new = random.masterKey(suite)
    let oldSender = try Peer(old, backend: backend)
    oldSender.seed(.send, ssrc: 1, rtpIndex: 5 << 16)
    let newSender = try Peer(new, backend: backend)
    let newReceiver = try Peer(new, backend: backend)
    let packet = random.rtpPacket(sequence: 1, ssrc: 1, payloadCount: 30)

    #expect(throws: DropReason.authenticationFailed) { try newReceiver.unprotect(oldSender.protect(packet)) }
    #expect(try newReceiver.unprotect(newSender.protect(packet)) == packet)
  }

  @Test("random bytes of every count pass nowhere and trap nowhere", arguments: backends)
  func noise(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 15)
    let peer = try Peer(random.masterKey(suite, mkiCount: 1), backend: backend)

    for count in 0..<400 {
      var noise = random.bytes(count)
      if count > 0, count % 2 == 0 { noise[0] = noise[0] & 0x3f | 0x80 }
      #expect(throws: DropReason.self) { try peer.unprotect(noise) }
      #expect(throws: DropReason.self) { try peer.unprotect(noise, control: true) }
      #expect(!peer.authenticates(noise))
    }
  }

  @Test("a batch: each item with its own session, failures stay alone")
  func batch() throws {
    var random = RandomSource(seed: 16)
    let sessions = UnsafeMutablePointer<SRTPSession>.allocate(capacity: 4)
    for (index, suite) in SRTPSuite.allCases.enumerated() {
      let key = random.masterKey(suite)
      (sessions + index).initialize(to: try SRTPSession(send: key, receive: key))
    }
    defer {
      sessions.deinitialize(count: 4)
      sessions.deallocate()
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * 2_048, alignment: 16)
    defer { memory.deallocate() }
    var plain: [[UInt8]] = []
    var items: [SRTPItem] = []
    for index in 0..<16 {
      let isControl = index >= 12
      let packet =
        isControl
        ? random.rtcpPacket(ssrc: 1, words: 5)
        : random.rtpPacket(sequence: UInt16(index), ssrc: 1, payloadCount: 10 * index)
      let start = memory.baseAddress! + index * 2_048
      start.copyMemory(from: packet, byteCount: packet.count)
      plain.append(packet)
      items.append(
        SRTPItem(
          packet: start, count: packet.count, capacity: 2_048, session: sessions[index % 4].handle,
          isControl: isControl))
    }

    var engine = SRTPCipherEngine(.evp)
    items.withUnsafeMutableBufferPointer { SRTPBatch.protect($0, with: &engine) }
    #expect(items.allSatisfy { $0.failure == nil })
    items[5].packet.storeBytes(of: 0xff, toByteOffset: 20, as: UInt8.self)
    items.withUnsafeMutableBufferPointer { SRTPBatch.unprotect($0, with: &engine) }

    for index in 0..<16 {
      #expect(items[index].failure == (index == 5 ? .authenticationFailed : nil))
      guard index != 5 else { continue }
      #expect(Array(UnsafeRawBufferPointer(start: items[index].packet, count: items[index].count)) == plain[index])
    }
  }
}

extension [UInt8] {
  fileprivate func replacing(sequence: UInt16) -> [UInt8] {
    var copy = self
    copy.replaceSubrange(2..<4, with: sequence.bigEndianBytes)
    return copy
  }
}
