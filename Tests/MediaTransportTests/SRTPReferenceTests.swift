//  SRTPReferenceTests.swift: our framing against libsrtp2, packet by packet, byte by byte, both ways.

import MediaTransport
import Primitives
import Testing

@Suite("SRTP: equal to libsrtp2")
struct SRTPReferenceTests {
  struct Case: CustomTestStringConvertible {
    var suite: SRTPSuite
    var mkiCount: Int
    var backend: SRTPBackend
    var testDescription: String { "\(suite.name), MKI \(mkiCount), \(backend.rawValue)" }
  }
  static let own = [SRTPBackend.evp, .ipsecMB].filter(\.isAvailable)
  static let cases = SRTPSuite.allCases.flatMap { suite in
    [0, 1, 4, 128].flatMap { count in own.map { Case(suite: suite, mkiCount: count, backend: $0) } }
  }

  @Test("RTP: sizes 0…1400, headers of all kinds, jumps and wraps", arguments: cases)
  func rtp(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_0001 &+ UInt64(parameters.mkiCount))
    let key = random.masterKey(parameters.suite, mkiCount: parameters.mkiCount)
    let ours = try Peer(key, backend: parameters.backend)
    let theirs = try Peer(key, backend: .reference)
    let ssrcs = (0..<3).map { _ in random.nextWord() }
    var sequences: [UInt16] = [0, 65_530, UInt16(truncatingIfNeeded: random.next() >> 1)]
    var rollovers = 0

    for round in 0..<400 {
      let stream = Int.random(in: 0..<3, using: &random)
      let step =
        switch round % 10 {
        case 0: UInt16.random(in: 1..<32_000, using: &random)
        case 1: UInt16.random(in: 1..<500, using: &random)
        default: UInt16(1)
        }
      if UInt32(sequences[stream]) + UInt32(step) > 65_535 { rollovers += 1 }
      sequences[stream] &+= step
      let packet = random.rtpPacket(
        sequence: sequences[stream], ssrc: ssrcs[stream],
        payloadCount: round < 40 ? round : Int.random(in: 0...1_400, using: &random),
        contributors: round % 4 == 0 ? Int.random(in: 0...15, using: &random) : 0,
        extensionWords: round % 3 == 0 ? Int.random(in: 0...5, using: &random) : nil,
        padding: round % 5 == 0 ? UInt8.random(in: 1...255, using: &random) : 0)

      let mine = try ours.protect(packet)
      let reference = try theirs.protect(packet)

      try #require(mine == reference, "round \(round)")
      try #require(ours.authenticates(reference) && theirs.authenticates(mine))
      try #require(ours.unprotect(reference) == packet)
      try #require(theirs.unprotect(mine) == packet)
    }
    #expect(rollovers > 3)
  }

  @Test("RTP: reordering inside the window, across a rollover", arguments: cases)
  func reordered(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_0002)
    let key = random.masterKey(parameters.suite, mkiCount: parameters.mkiCount)
    let sender = try Peer(key, backend: .reference)
    let ours = try Peer(key, backend: parameters.backend)
    let packets = (0..<600).map { index in
      random.rtpPacket(sequence: 65_300 &+ UInt16(index), ssrc: 7, payloadCount: 20)
    }
    var sent = try packets.map { try sender.protect($0) }
    for start in stride(from: 0, to: 600, by: 100) { sent[start..<(start + 100)].shuffle(using: &random) }

    var received = Set<[UInt8]>()
    for packet in sent { received.insert(try ours.unprotect(packet)) }

    #expect(received == Set(packets))
    for packet in sent { #expect(throws: DropReason.self) { try ours.unprotect(packet) } }
  }

  @Test("RTCP: sizes, several sources", arguments: cases)
  func rtcp(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_0003 &+ UInt64(parameters.mkiCount))
    let key = random.masterKey(parameters.suite, mkiCount: parameters.mkiCount)
    let ours = try Peer(key, backend: parameters.backend)
    let theirs = try Peer(key, backend: .reference)
    let ssrcs = (0..<3).map { _ in random.nextWord() }
    // libsrtp2 begins at index 1, RFC 3711 §3.4 at 0: the peers accept either.
    for ssrc in ssrcs { ours.seed(.send, ssrc: ssrc, rtcpIndex: 0) }

    for round in 0..<150 {
      let packet = random.rtcpPacket(ssrc: ssrcs[round % 3], words: Int.random(in: 0...300, using: &random))

      let mine = try ours.protect(packet, control: true)
      let reference = try theirs.protect(packet, control: true)

      try #require(mine == reference, "round \(round)")
      try #require(ours.authenticates(reference, control: true))
      try #require(ours.unprotect(reference, control: true) == packet)
      // libsrtp2 2.5 looks for this combination's MKI in the wrong place.
      if parameters.suite == .aes128CMSHA1Tag32, parameters.mkiCount > 0 { continue }
      try #require(theirs.authenticates(mine, control: true))
      try #require(theirs.unprotect(mine, control: true) == packet)
    }
  }

  @Test("the first SRTCP index is 0, and libsrtp2 takes it", arguments: SRTPSuite.allCases, own)
  func firstControlIndex(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 0x5eed_0004)
    let key = random.masterKey(suite)
    let packet = random.rtcpPacket(ssrc: 9, words: 6)

    let sent = try Peer(key, backend: backend).protect(packet, control: true)

    #expect(try Peer(key, backend: .reference).unprotect(sent, control: true) == packet)
  }

  @Test("both backends refuse the same packets", arguments: SRTPSuite.allCases, own)
  func refusals(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
    var random = RandomSource(seed: 0x5eed_0005)
    let key = random.masterKey(suite)
    let sender = try Peer(key, backend: backend)
    let ours = try Peer(key, backend: backend)
    let theirs = try Peer(key, backend: .reference)
    var sequence: UInt16 = 65_000

    for _ in 0..<500 {
      sequence &+= 1
      let sent = try sender.protect(random.rtpPacket(sequence: sequence, ssrc: 1, payloadCount: 30))
      var tried = sent
      if Bool.random(using: &random) {
        tried[Int.random(in: 0..<tried.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }

      let mine = Result { try ours.unprotect(tried) }
      let reference = Result { try theirs.unprotect(tried) }

      switch (mine, reference) {
      case (.success(let left), .success(let right)): #expect(left == right)
      case (.failure, .failure): break
      default: Issue.record("one accepts, the other does not: \(mine), \(reference)")
      }
    }
  }
}
