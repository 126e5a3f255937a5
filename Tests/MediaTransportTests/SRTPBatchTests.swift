//  SRTPBatchTests.swift: a batch of any composition does what its packets one after another do.

import MediaTransport
import Primitives
import Testing

@Suite("SRTP batches: equal to packet by packet")
struct SRTPBatchTests {
  struct Case: CustomTestStringConvertible {
    var suite: SRTPSuite?
    var mkiCount: Int
    var backend: SRTPBackend
    var testDescription: String { "\(suite?.name ?? "all suites mixed"), MKI \(mkiCount), \(backend.rawValue)" }
  }
  static let cases = (SRTPSuite.allCases.map { $0 } + [nil]).flatMap { suite in
    [0, 3, 20].flatMap { count in
      SRTPReferenceTests.own.map { Case(suite: suite, mkiCount: count, backend: $0) }
    }
  }

  /// One sender's key with the receivers that must agree: in batches, one by one by EVP, and libsrtp2.
  final class Leg {
    let key: SRTPMasterKey
    let sender: Peer
    let batched: Peer
    let single: Peer
    let reference: Peer
    let ssrcs: [UInt32]
    var sequences: [UInt16]

    init(_ key: SRTPMasterKey, _ backend: SRTPBackend, _ random: inout RandomSource) throws {
      self.key = key
      sender = try Peer(key)
      batched = try Peer(key, backend: backend)
      single = try Peer(key)
      reference = try Peer(key, backend: .reference)
      ssrcs = (0..<3).map { _ in random.nextWord() }
      sequences = [1, 65_500, random.nextWord()].map { UInt16(truncatingIfNeeded: $0) }
    }
  }

  private func legs(_ parameters: Case, _ random: inout RandomSource) throws -> [Leg] {
    try (0..<5).map { number in
      let suite = parameters.suite ?? SRTPSuite.allCases[number % 4]
      return try Leg(random.masterKey(suite, mkiCount: parameters.mkiCount), parameters.backend, &random)
    }
  }

  @Test("sending: byte for byte as EVP and libsrtp2", arguments: cases)
  func protect(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_1001 &+ UInt64(parameters.mkiCount))
    let legs = try legs(parameters, &random)
    var batch = Batch(parameters.backend)

    for round in 0..<60 {
      var expected: [Result<[UInt8], DropReason>] = []
      let count = round < 20 ? round : Int.random(in: 1...150, using: &random)
      for _ in 0..<count {
        let leg = legs[Int.random(in: 0..<legs.count, using: &random)]
        let stream = Int.random(in: 0..<3, using: &random)
        let isControl = Int.random(in: 0..<20, using: &random) == 0
        var packet: [UInt8]
        if isControl {
          packet = random.rtcpPacket(ssrc: leg.ssrcs[stream], words: Int.random(in: 0...40, using: &random))
        } else {
          // Now and then the same index again, which must not be sent.
          let step = UInt16([0, 1, 1, 1, 1, 1, 1, 2, 300, 20_000][Int.random(in: 0..<10, using: &random)])
          leg.sequences[stream] &+= step
          packet = random.rtpPacket(
            sequence: leg.sequences[stream], ssrc: leg.ssrcs[stream],
            payloadCount: round % 2 == 0 ? Int.random(in: 0...1_300, using: &random) : 80,
            contributors: Int.random(in: 0...2, using: &random),
            extensionWords: Bool.random(using: &random) ? Int.random(in: 0...5, using: &random) : nil)
          if Int.random(in: 0..<40, using: &random) == 0 { packet[0] ^= 0x40 }
        }
        let one = Result { () throws(DropReason) in try leg.single.protect(packet, control: isControl) }
        if !isControl {
          // libsrtp2 numbers SRTCP from 1, and judges a broken header by other words.
          let other = Result { () throws(DropReason) in try leg.reference.protect(packet) }
          try #require((try? one.get()) == (try? other.get()), "round \(round)")
        }
        expected.append(one)
        batch.append(packet, leg.batched, isControl: isControl)
      }

      let results = batch.protect()

      try #require(results == expected, "round \(round), \(count) packets")
    }
  }

  @Test("receiving: forgeries, replays, reorders, jumps, wraps, new sources, RTCP", arguments: cases)
  func unprotect(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_1002 &+ UInt64(parameters.mkiCount))
    let legs = try legs(parameters, &random)
    var batch = Batch(parameters.backend)
    var reasons: [DropReason: Int] = [:]
    var accepted = 0

    for round in 0..<80 {
      var traffic: [(leg: Leg, packet: [UInt8], isControl: Bool)] = []
      let count = round < 20 ? round : Int.random(in: 1...150, using: &random)
      let busy = round % 3 == 0 ? 1 : legs.count
      while traffic.count < count {
        let leg = legs[Int.random(in: 0..<busy, using: &random)]
        let stream = Int.random(in: 0..<3, using: &random)
        let isControl = Int.random(in: 0..<25, using: &random) == 0
        var ssrc = leg.ssrcs[stream]
        if Int.random(in: 0..<60, using: &random) == 0 { ssrc = UInt32.random(in: 0..<12, using: &random) }
        let packet: [UInt8]
        if isControl {
          packet = random.rtcpPacket(ssrc: ssrc, words: Int.random(in: 0...40, using: &random))
        } else {
          let step = UInt16([1, 1, 1, 1, 1, 1, 1, 2, 400, 30_000][Int.random(in: 0..<10, using: &random)])
          leg.sequences[stream] &+= step
          packet = random.rtpPacket(
            sequence: leg.sequences[stream], ssrc: ssrc, payloadCount: Int.random(in: 0...300, using: &random))
        }
        // In some rounds more sources than a receiver follows, most of them invented.
        let isNew = round % 5 == 0 && !isControl && Bool.random(using: &random)
        if isNew {
          var stranger = packet
          stranger.replaceSubrange(8..<12, with: UInt32.random(in: 0..<40, using: &random).bigEndianBytes)
          var sent = try Peer(leg.key).protect(stranger)
          if Int.random(in: 0..<4, using: &random) > 0 { sent[sent.count - 1] ^= 4 }
          traffic.append((leg, sent, isControl))
          continue
        }
        guard let sent = try? leg.sender.protect(packet, control: isControl) else { continue }
        traffic.append((leg, sent, isControl))
        switch Int.random(in: 0..<12, using: &random) {
        case 0: traffic.append((leg, sent, isControl))  // a replay, soon or, after the shuffle, before its original
        case 1:  // a forgery; of the header too, so that it seems to come from far away
          var forged = sent
          for _ in 0..<Int.random(in: 1...3, using: &random) {
            let place = Bool.random(using: &random) ? Int.random(in: 0..<forged.count, using: &random) : 2
            forged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
          }
          traffic.append((leg, forged, isControl))
        case 2: traffic.append((leg, Array(sent[..<Int.random(in: 0..<sent.count, using: &random)]), isControl))
        case 3:  // far behind or far ahead, with a tag of nothing
          var forged = sent
          if !isControl { forged.replaceSubrange(2..<4, with: random.bytes(2)) }
          forged[forged.count - 1] ^= 1
          traffic.append((leg, forged, isControl))
        default: break
        }
      }
      for start in stride(from: 0, to: traffic.count, by: 8) where Bool.random(using: &random) {
        traffic[start..<min(start + 8, traffic.count)].shuffle(using: &random)
      }
      var expected: [Result<[UInt8], DropReason>] = []
      for (leg, packet, isControl) in traffic {
        let one = Result { () throws(DropReason) in try leg.single.unprotect(packet, control: isControl) }
        switch one {
        case .success: accepted += 1
        case .failure(let reason): reasons[reason, default: 0] += 1
        }
        expected.append(one)
        batch.append(packet, leg.batched, isControl: isControl)
      }

      let results = batch.unprotect()

      for index in results.indices {
        try #require(results[index] == expected[index], "round \(round), packet \(index) of \(traffic.count)")
      }
    }

    #expect(accepted > 1_500)
    for reason in [DropReason.replayed, .tooOld, .authenticationFailed, .tooShort] {
      #expect(reasons[reason, default: 0] > 5, "\(reason)")
    }
  }

  @Test("receiving: the same packets pass as with libsrtp2", arguments: cases)
  func oracle(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_1003 &+ UInt64(parameters.mkiCount))
    let legs = try legs(parameters, &random)
    var batch = Batch(parameters.backend)

    for _ in 0..<40 {
      var expected: [[UInt8]?] = []
      var traffic: [(leg: Leg, packet: [UInt8])] = []
      for _ in 0..<Int.random(in: 1...100, using: &random) {
        let leg = legs[Int.random(in: 0..<legs.count, using: &random)]
        let stream = Int.random(in: 0..<2, using: &random)
        leg.sequences[stream] &+= UInt16([1, 1, 1, 1, 40][Int.random(in: 0..<5, using: &random)])
        let sent = try leg.sender.protect(
          random.rtpPacket(
            sequence: leg.sequences[stream], ssrc: leg.ssrcs[stream],
            payloadCount: Int.random(in: 0...1_300, using: &random)))
        traffic.append((leg, sent))
        if Int.random(in: 0..<6, using: &random) == 0 {
          var forged = sent
          forged[Int.random(in: 12..<forged.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
          traffic.append((leg, forged))
        }
        if Int.random(in: 0..<6, using: &random) == 0 { traffic.append((leg, sent)) }
      }
      for (leg, packet) in traffic {
        expected.append(try? leg.reference.unprotect(packet))
        batch.append(packet, leg.batched, isControl: false)
      }

      let results = batch.unprotect()

      for index in results.indices { try #require((try? results[index].get()) == expected[index]) }
    }
  }

  @Test("a forger who makes indices doubtful costs nobody a packet", arguments: cases)
  func doubtful(_ parameters: Case) throws {
    var random = RandomSource(seed: 0x5eed_1004)
    let leg = try legs(parameters, &random)[0]
    var batch = Batch(parameters.backend)
    var plain: [[UInt8]] = []
    for index in 0..<6 {
      plain.append(random.rtpPacket(sequence: 65_532 &+ UInt16(index), ssrc: 7, payloadCount: 50))
    }
    let sent = try plain.map { try leg.sender.protect($0) }
    _ = try leg.batched.unprotect(sent[0])
    func forged(_ sequence: UInt16) -> [UInt8] {
      var packet = sent[0]
      packet.replaceSubrange(2..<4, with: sequence.bigEndianBytes)
      return packet
    }

    // From 65 532 on, 98 299 is nearest ahead; from there 130 000 is, and 65 533 would be far behind.
    for packet in [sent[1], forged(32_763), forged(64_000), sent[2], forged(10), sent[3], sent[3], sent[4], sent[5]] {
      batch.append(packet, leg.batched, isControl: false)
    }
    let results = batch.unprotect()

    let failure = Result<[UInt8], DropReason>.failure(.authenticationFailed)
    #expect(results[0] == .success(plain[1]))
    #expect(results[1] == failure && results[2] != .success([]) && results[4] == failure)
    #expect(results[3] == .success(plain[2]) && results[5] == .success(plain[3]))
    #expect(results[6] == .failure(.replayed))
    #expect(results[7] == .success(plain[4]) && results[8] == .success(plain[5]))
  }

  @Test("empty batches, batches of exactly one chunk and one more")
  func edges() throws {
    var random = RandomSource(seed: 0x5eed_1005)
    for backend in SRTPReferenceTests.own {
      let leg = try Leg(random.masterKey(.aes128CMSHA1Tag80), backend, &random)
      var batch = Batch(backend)
      var sequence: UInt16 = 0
      for count in [0, 1, 63, 64, 65, 128, 129] {
        var plain: [[UInt8]] = []
        for _ in 0..<count {
          sequence += 1
          plain.append(random.rtpPacket(sequence: sequence, ssrc: 1, payloadCount: Int(sequence) % 5))
          batch.append(plain[plain.count - 1], leg.sender, isControl: false)
        }
        let sent = batch.protect()
        for packet in sent { batch.append(try packet.get(), leg.batched, isControl: false) }

        #expect(batch.unprotect() == plain.map { .success($0) })
      }
    }
  }
}

/// Packets with room behind them, as a worker has them, and the engine of one.
struct Batch: ~Copyable {
  private var engine: SRTPCipherEngine
  private var memory: [UnsafeMutableRawPointer] = []
  private var items: [SRTPItem] = []
  private static let capacity = 2_048

  init(_ backend: SRTPBackend) { engine = SRTPCipherEngine(backend) }

  deinit { for place in memory { place.deallocate() } }

  mutating func append(_ packet: [UInt8], _ peer: Peer, isControl: Bool) {
    if memory.count == items.count {
      // At an odd address now and then: nobody promises alignment.
      memory.append(UnsafeMutableRawPointer.allocate(byteCount: Self.capacity + 1, alignment: 16))
    }
    let start = memory[items.count] + items.count % 2
    start.copyMemory(from: packet, byteCount: packet.count)
    items.append(
      SRTPItem(
        packet: start, count: packet.count, capacity: Self.capacity, session: peer.handle, isControl: isControl))
  }

  mutating func protect() -> [Result<[UInt8], DropReason>] {
    items.withUnsafeMutableBufferPointer { SRTPBatch.protect($0, with: &engine) }
    return take()
  }

  mutating func unprotect() -> [Result<[UInt8], DropReason>] {
    items.withUnsafeMutableBufferPointer { SRTPBatch.unprotect($0, with: &engine) }
    return take()
  }

  private mutating func take() -> [Result<[UInt8], DropReason>] {
    defer { items.removeAll() }
    return items.map { item in
      if let failure = item.failure { return .failure(failure) }
      return .success(Array(UnsafeRawBufferPointer(start: item.packet, count: item.count)))
    }
  }
}
