//  WorkerHostileMediaTests.swift: legs that hold a key and send nonsense: nothing traps, nobody else notices, nothing is lost.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

@Suite("Hostile media from legs with a key")
struct WorkerHostileMediaTests {
  /// A talker, a listener, and one that sends what a test wants.
  private struct Room {
    let talker = WorkerPeer(1, frequency: 440)
    let listener = WorkerPeer(2)
    let hostile: WorkerPeer
    let bench: WorkerBench

    init(suite: SRTPSuite? = .aeadAES128GCM) {
      hostile = WorkerPeer(3, suite: suite, frequency: 1_500)
      bench = WorkerBench(allowsPlain: true, peers: [talker, listener, hostile])
      bench.run(seconds: 1)
      hostile.isSending = false
    }

    /// The talker went on being heard, the hostile one can talk like anyone again, and no buffer is missing.
    func expectUndisturbed(_ what: String) {
      let end = Double(listener.heard.count) / 48_000
      for start in stride(from: 1.0, to: end - 0.5, by: 0.5) {
        #expect(listener.power(at: 440, skipping: start, seconds: 0.5) > -30, "\(what): gap at \(start) s")
      }
      #expect(listener.undecryptable == 0 && listener.hasGaplessSequences, "\(what)")
      #expect(bench.strays.isEmpty, "\(what)")
      hostile.isSending = true
      bench.run(seconds: 3)
      #expect(listener.power(at: 1_500, skipping: end + 2) > -35, "\(what): no longer heard")
      bench.closeAll()
      #expect(bench.poolAvailable == bench.capacity, "\(what): buffers lost")
    }
  }

  private func header(
    _ peer: WorkerPeer, first: UInt8 = 0x80, payloadType: UInt8? = nil, marker: Bool = false
  ) -> [UInt8] {
    let kind = (payloadType ?? peer.format.payloadType) | (marker ? 0x80 : 0)
    var bytes: [UInt8] = [first, kind]
    bytes += withUnsafeBytes(of: peer.sequence.bigEndian) { Array($0) }
    bytes += withUnsafeBytes(of: peer.timestamp.bigEndian) { Array($0) }
    bytes += withUnsafeBytes(of: peer.ssrc.bigEndian) { Array($0) }
    peer.sequence &+= 1
    peer.timestamp &+= 960
    return bytes
  }

  private func send(_ packet: [UInt8], of room: Room) {
    if let bytes = room.hostile.protect(packet) { room.bench.deliver(bytes, from: room.hostile.address) }
  }

  @Test(
    "every form of header: contributors, extensions of both kinds, padding; true and lying", arguments: [true, false])
  func headers(encrypted: Bool) {
    let room = Room(suite: encrypted ? .aeadAES128GCM : nil)
    var random = RandomSource(seed: 11)
    let payload: [UInt8] = [0xF8, 0xFF, 0xFE]
    for round in 0..<600 {
      let contributors = round % 16
      var packet = header(
        room.hostile, first: 0x80 | UInt8(contributors) | (round % 3 == 0 ? 0x10 : 0) | (round % 5 == 0 ? 0x20 : 0))
      packet += random.bytes(4 * contributors)
      if round % 3 == 0 {
        let profiles: [[UInt8]] = [[0xBE, 0xDE], [0x10, 0x00], [0x10, 0x0F], [0x00, 0x00], [0xFF, 0xFF]]
        let words = Int(random.nextWord() % 6)
        let claimed = round % 4 == 0 ? words : words + Int(random.nextWord() % 70_000 % 300)
        packet += profiles[round / 3 % profiles.count]
        packet += [UInt8(truncatingIfNeeded: claimed >> 8), UInt8(truncatingIfNeeded: claimed)]
        packet += random.bytes(4 * words)
      }
      packet += payload
      if round % 5 == 0 { packet += [UInt8](repeating: 0, count: 3) + [UInt8(truncatingIfNeeded: random.nextWord())] }
      if round % 7 == 0 { packet = Array(packet.prefix(Int(random.nextWord() % 40))) }
      if round % 11 == 0, packet.count > 0 { packet[0] = packet[0] & 0x3f | UInt8(round % 4) << 6 }
      send(packet, of: room)
      room.bench.step()
    }
    #expect(room.bench.drops.total > 0)
    room.expectUndisturbed("headers")
  }

  @Test("every first byte of an Opus packet, with every kind of length after it")
  func tableOfContents() {
    let room = Room()
    var random = RandomSource(seed: 12)
    for round in 0..<1_024 {
      let lengths = [0, 1, 2, 3, 8, 60, 254, 255, 1_275, 1_276, 1_400]
      var payload = [UInt8(truncatingIfNeeded: round)] + random.bytes(lengths[round % lengths.count])
      // Code 3: a frame count that lies, with and without padding and variable sizes.
      if round & 3 == 3, payload.count > 1 { payload[1] = UInt8(truncatingIfNeeded: random.nextWord()) }
      if round % 13 == 0 { payload = [] }
      send(header(room.hostile) + payload, of: room)
      room.bench.step()
    }
    room.expectUndisturbed("table of contents")
  }

  @Test("frames of 2.5, 5, 10, 40, 60 and 120 ms, mono and stereo, changing with each packet")
  func durations() {
    let room = Room()
    var random = RandomSource(seed: 13)
    // CELT full band 2.5, 5, 10, 20 ms; SILK wide band 40, 60 ms; code 3 with 48 frames of 2.5 ms and 6 of 20 ms.
    let heads: [[UInt8]] = [[0xE0], [0xE8], [0xF0], [0xF8], [0x50], [0x58], [0xE3, 48], [0xFB, 6]]
    for _ in 0..<500 {
      var payload = heads[Int(random.nextWord() % UInt32(heads.count))]
      if random.nextWord() % 2 == 0 { payload[0] |= 0x04 }  // stereo
      send(header(room.hostile) + payload + random.bytes(6 * Int(payload.last ?? 1) % 300), of: room)
      room.bench.step()
    }
    room.expectUndisturbed("durations")
  }

  @Test("jumps of sequence and timestamp, forwards and back, by everything")
  func jumps() {
    let room = Room()
    var random = RandomSource(seed: 14)
    for _ in 0..<600 {
      if random.nextWord() % 3 == 0 { room.hostile.sequence = UInt16(truncatingIfNeeded: random.nextWord()) }
      if random.nextWord() % 3 == 0 { room.hostile.timestamp = random.nextWord() }
      for packet in room.hostile.nextPackets() { room.bench.deliver(packet, from: room.hostile.address) }
      room.bench.step()
    }
    room.expectUndisturbed("jumps")
  }

  @Test("payload types change with each packet: known, unknown, telephone events of nonsense")
  func payloadTypes() {
    let room = Room()
    var random = RandomSource(seed: 15)
    for round in 0..<500 {
      let kind = UInt8(round % 128)
      send(
        header(room.hostile, payloadType: round % 4 == 0 ? 101 : kind) + random.bytes(Int(random.nextWord() % 200)),
        of: room)
      room.bench.step()
    }
    #expect(room.bench.drops[.unknownPayloadType] > 100)
    room.expectUndisturbed("payload types")
  }

  @Test("a leg takes others' SSRCs, the mix's own, and changes its own with each packet")
  func collisions() {
    let room = Room()
    let own = room.hostile.ssrc
    let taken = [
      room.talker.ssrc, room.listener.ssrc, room.listener.configuration.ssrc, room.hostile.configuration.ssrc,
    ]
    for round in 0..<400 {
      room.hostile.ssrc = round < 200 ? taken[round / 50] : UInt32(round)
      for packet in room.hostile.nextPackets() { room.bench.deliver(packet, from: room.hostile.address) }
      room.bench.step()
    }
    room.hostile.ssrc = own
    // A key follows a bounded number of sources: the old index may be beyond its window, so it goes on from where it is.
    room.expectUndisturbed("collisions")
  }

  @Test("a hundred thousand packets with wrong tags from the legs' own addresses: all counted, nobody notices")
  func wrongTags() {
    let room = Room()
    let good = room.hostile.nextPackets()
    let before = room.bench.drops[.authenticationFailed]
    var packet = good.first ?? []
    for round in 0..<200 {
      for index in 0..<500 {
        let at = packet.count - 1 - (round + index) % 16
        packet[at] ^= UInt8(truncatingIfNeeded: 1 + index % 255)
        room.bench.deliver(packet, from: room.hostile.address)
        packet[at] ^= UInt8(truncatingIfNeeded: 1 + index % 255)
      }
      room.bench.step()
    }
    #expect(room.bench.drops[.authenticationFailed] - before == 100_000)
    room.expectUndisturbed("wrong tags")
  }

  @Test("authentic control packets of every broken form: dropped, counted, and reports go on")
  func control() {
    let room = Room()
    var random = RandomSource(seed: 16)
    let source = withUnsafeBytes(of: room.hostile.ssrc.bigEndian) { Array($0) }
    for round in 0..<500 {
      // A true sender report first, then bytes that are no packets, or that lie.
      var compound: [UInt8] = [0x80, 200, 0, 6] + source + [UInt8](repeating: 0, count: 20)
      var garbage = random.bytes(4 * Int(random.nextWord() % 40))
      if garbage.count >= 4, round % 2 == 0 {
        garbage[0] = 0x80 | UInt8(round % 32)
        garbage[1] = UInt8(200 + round % 8)
      }
      compound += garbage
      if let bytes = room.hostile.protect(compound, isControl: true) {
        room.bench.deliver(bytes, from: room.hostile.address)
      }
      room.bench.step()
    }
    let drops = room.bench.drops
    #expect(drops[.badLength] + drops[.badVersion] + drops[.malformedControl] > 300)
    room.expectUndisturbed("control")
  }
}
