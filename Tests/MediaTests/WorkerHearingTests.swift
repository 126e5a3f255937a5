//  WorkerHearingTests.swift: who hears whom, through real codecs and keys.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

@Suite("Who hears whom")
struct WorkerHearingTests {
  static let tones = [440.0, 1_000.0, 1_800.0]

  private func expectEachHearsTheOthers(_ bench: WorkerBench) {
    for (index, peer) in bench.peers.enumerated() {
      for (other, tone) in Self.tones.enumerated() {
        let power = peer.power(at: tone)
        if other == index {
          // Codecs spread some noise of the others' voices everywhere.
          #expect(power < -45, "leg \(index) hears itself: \(power) dB")
        } else {
          #expect(power > -20, "leg \(index) does not hear \(other): \(power) dB")
        }
      }
      #expect(peer.hasGaplessSequences)
      #expect(peer.undecryptable == 0)
      #expect(peer.sequences.first == peer.configuration.initialSequence)
    }
  }

  @Test("three legs hear each other and not themselves, in every suite", arguments: SRTPSuite.allCases)
  func everySuite(_ suite: SRTPSuite) {
    let peers = Self.tones.enumerated().map {
      WorkerPeer($0.offset + 1, codec: .pcma, suite: suite, frequency: $0.element)
    }
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 2)

    expectEachHearsTheOthers(bench)
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }

  @Test("in every codec", arguments: AudioCodec.allCases)
  func everyCodec(_ codec: AudioCodec) {
    let peers = Self.tones.enumerated().map { WorkerPeer($0.offset + 1, codec: codec, frequency: $0.element) }
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 2)

    expectEachHearsTheOthers(bench)
  }

  @Test("mixed codecs and packet times")
  func mixed() {
    let peers = [
      WorkerPeer(1, codec: .opus, packetMilliseconds: 60, frequency: Self.tones[0]),
      WorkerPeer(2, codec: .pcma, packetMilliseconds: 10, suite: .aes128CMSHA1Tag32, frequency: Self.tones[1]),
      WorkerPeer(3, codec: .g722, packetMilliseconds: 40, suite: .aeadAES256GCM, frequency: Self.tones[2]),
    ]
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 3)

    expectEachHearsTheOthers(bench)
    // 3 s of 60, 10 and 40 ms.
    #expect((45...51).contains(peers[0].sequences.count))
    #expect((280...301).contains(peers[1].sequences.count))
    #expect((68...76).contains(peers[2].sequences.count))
  }

  @Test("plain RTP, where it is allowed")
  func plain() {
    let peers = Self.tones.enumerated().map {
      WorkerPeer($0.offset + 1, codec: .pcmu, suite: nil, frequency: $0.element)
    }
    let bench = WorkerBench(allowsPlain: true, peers: peers)

    bench.run(seconds: 2)

    expectEachHearsTheOthers(bench)
  }

  @Test("legs of different meetings do not hear each other")
  func meetings() {
    let peers = [
      WorkerPeer(1, meeting: 1, frequency: 440), WorkerPeer(2, meeting: 1, frequency: 1_000),
      WorkerPeer(3, meeting: 2, frequency: 1_800), WorkerPeer(4, meeting: 2, frequency: 0),
    ]
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 2)

    #expect(peers[0].power(at: 1_000) > -30 && peers[0].power(at: 1_800) < -60)
    #expect(peers[3].power(at: 1_800) > -30 && peers[3].power(at: 440) < -60 && peers[3].power(at: 1_000) < -60)
  }

  @Test("muted: nobody hears it, it hears the others; then heard again")
  func mute() {
    let peers = Self.tones.enumerated().map { WorkerPeer($0.offset + 1, frequency: $0.element) }
    let bench = WorkerBench(peers: peers)

    bench.handle(.setIngress(peers[0].leg, blocked: true))
    bench.run(seconds: 2)
    let muted = peers[1].power(at: 440)
    bench.handle(.setIngress(peers[0].leg, blocked: false))
    bench.run(seconds: 2)

    #expect(muted < -60)
    #expect(peers[0].power(at: 1_000) > -30)
    #expect(peers[1].power(at: 440, skipping: 2.5) > -30)
  }

  @Test("deafened: it is sent nothing but RTCP, and still heard")
  func deafen() {
    let peers = Self.tones.enumerated().map { WorkerPeer($0.offset + 1, frequency: $0.element) }
    let bench = WorkerBench(peers: peers)

    bench.handle(.setEgress(peers[0].leg, blocked: true))
    bench.run(seconds: 8)

    #expect(peers[0].sequences.isEmpty)
    #expect(!peers[0].reports.isEmpty)
    #expect(peers[1].power(at: 440) > -30)
  }

  @Test("held: inactive legs send and receive nothing; resumed they do, with sequence numbers going on")
  func hold() {
    let peers = Self.tones.enumerated().map { WorkerPeer($0.offset + 1, frequency: $0.element) }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    var held = peers[0].configuration
    held.sends = false
    held.receives = false

    bench.handle(.modifyLeg(held))
    bench.run(seconds: 0.3)
    let count = peers[0].sequences.count
    bench.run(seconds: 1.7)
    let heldPower = peers[1].power(at: 440, skipping: 1.5, seconds: 1.4)
    #expect(peers[0].sequences.count == count)
    bench.handle(.modifyLeg(peers[0].configuration))
    bench.run(seconds: 2)

    #expect(heldPower < -60)
    #expect(peers[1].power(at: 440, skipping: 3.5) > -30)
    #expect(peers[0].power(at: 1_000, skipping: 3.5) > -30)
    #expect(peers[0].hasGaplessSequences)
    #expect(bench.drops[.notAccepted] > 0)
  }

  @Test("a silent room: nothing is encoded, and each leg gets a comfort packet every 400 ms")
  func silence() {
    let peers = (1...3).map { WorkerPeer($0, codec: .pcma, frequency: 0) }
    for peer in peers { peer.amplitude = 0 }
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 4)

    #expect(bench.report?.encodes == 0)
    #expect(bench.report?.decodes == 0)
    for peer in peers {
      #expect((9...11).contains(peer.sequences.count))
      #expect(peer.hasGaplessSequences)
      #expect(zip(peer.timestamps, peer.timestamps.dropFirst()).allSatisfy { $1 &- $0 == 3_200 })
    }
  }

  @Test("timestamps follow time over a pause, and the talk spurt after it is marked")
  func talkSpurt() {
    let peers = [WorkerPeer(1, codec: .pcma, frequency: 1_000), WorkerPeer(2, codec: .pcma, frequency: 0)]
    peers[1].amplitude = 0
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 2)
    peers[0].amplitude = 0
    bench.run(seconds: 3)
    peers[0].amplitude = 8_000
    bench.run(seconds: 1)

    let listener = peers[1]
    for index in listener.timestamps.indices.dropFirst() {
      let step = listener.timestamps[index] &- listener.timestamps[index - 1]
      let elapsed = (listener.arrivals[index] - listener.arrivals[index - 1]).nanoseconds / 125_000
      #expect(Int64(step) == elapsed)
      #expect(listener.markers[index] == (step != 160))
    }
    #expect(listener.hasGaplessSequences)
  }

  @Test("one encode for all listeners and one for each talker")
  func encodeGroups() throws {
    var peers: [WorkerPeer] = []
    for number in 1...23 {
      let peer = WorkerPeer(number, frequency: number <= 3 ? Self.tones[number - 1] : 0, level: true)
      if number > 3 {
        peer.amplitude = 0
        peer.level = 127
      }
      peers.append(peer)
    }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 3)
    let before = try #require(bench.report)

    bench.run(seconds: 1)

    let after = try #require(bench.report)
    #expect(after.encodes - before.encodes == 50 * 4)
    #expect((147...153).contains(after.decodes - before.decodes))
    #expect(peers[10].power(at: 440) > -30 && peers[22].power(at: 1_800) > -30)
  }

  @Test(
    "Opus frames that do not tell how loud they are: noise is looked at in turn, and never encoded or mixed for long")
  func probes() throws {
    var peers: [WorkerPeer] = []
    for number in 1...20 {
      let peer = WorkerPeer(number, frequency: number == 1 ? 440 : 0)
      if number > 1 { peer.amplitude = 0 }
      peers.append(peer)
    }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 3)
    let before = try #require(bench.report)

    bench.run(seconds: 2)
    let after = try #require(bench.report)
    #expect(after.encodes == before.encodes)  // the one who is heard is forwarded
    #expect(after.decodes - before.decodes <= 200)
    // A tone that begins in a silent leg is heard within half a second, though its frames look much like the noise.
    peers[13].frequency = 1_800
    peers[13].amplitude = 8_000
    bench.run(seconds: 1.5)
    #expect(peers[5].power(at: 1_800, skipping: 5.6) > -20)
  }

  @Test("listeners in another format or packet time have a group of their own")
  func moreGroups() throws {
    let peers = [
      WorkerPeer(1, frequency: 440), WorkerPeer(2), WorkerPeer(3), WorkerPeer(4, codec: .pcma),
      WorkerPeer(5, codec: .pcma),
      WorkerPeer(6, packetMilliseconds: 40),
    ]
    for peer in peers.dropFirst() { peer.amplitude = 0 }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 3)
    let before = try #require(bench.report)

    bench.run(seconds: 1)

    // One talker hears nobody; the others share three groups, of which one is forwarded his packets.
    let after = try #require(bench.report)
    #expect(after.encodes - before.encodes == 50 * 2)
    #expect((48...52).contains(after.forwards - before.forwards))
    #expect(peers[5].power(at: 440) > -30 && peers[4].power(at: 440) > -30)
    #expect(peers[0].power(at: 440) < -60)
  }

  @Test("only the loudest four are decoded and heard")
  func loudest() throws {
    let peers = (1...6).map { WorkerPeer($0, codec: .pcma, frequency: 300.0 + 400 * Double($0), level: true) }
    for (index, peer) in peers.enumerated() {
      peer.amplitude = index < 4 ? 8_000 : 1_500
      peer.level = index < 4 ? 15 : 30
    }
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 3)

    for index in 1..<4 { #expect(peers[0].power(at: 300 + 400 * Double(index + 1), skipping: 1) > -30) }
    for index in 4..<6 { #expect(peers[0].power(at: 300 + 400 * Double(index + 1), skipping: 1) < -48) }
    let report = try #require(bench.report)
    #expect(report.decodes < 3 * 50 * 5)
    let talkers = bench.events.compactMap { event -> [LegID]? in
      if case .activeTalkers(_, let legs) = event { legs } else { nil }
    }
    #expect(Set(talkers.last ?? []) == Set(peers[..<4].map(\.leg)))
  }

  @Test("a leg that joins and one that leaves while others talk leave no gap in the others' sequences")
  func joinAndLeave() {
    let peers = (1...4).map { WorkerPeer($0, frequency: 200.0 + 350 * Double($0)) }
    let bench = WorkerBench(peers: Array(peers[..<3]))
    bench.run(seconds: 1)
    bench.peers.append(peers[3])
    bench.handle(.openLeg(peers[3].configuration))
    bench.run(seconds: 1)
    bench.handle(.closeLeg(peers[0].leg))
    bench.peers.removeFirst()
    bench.run(seconds: 2)

    #expect(peers[1].power(at: 1_600, skipping: 1.3) > -30)
    #expect(peers[1].power(at: 550, skipping: 2.8) < -60)
    for peer in peers { #expect(peer.hasGaplessSequences) }
    #expect(bench.closed[peers[0].leg] != nil)
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
    #expect(bench.legCount == 0 && bench.meetingCount == 0)
  }
}
