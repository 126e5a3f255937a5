//  RelocationTests.swift: meetings move between workers under traffic: nothing is lost, and nobody hears it.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

@Suite("Meetings move between workers")
struct RelocationTests {
  private static let first = MeetingID(rawValue: 1)

  private static var limits: MediaWorkerLimits {
    var limits = MediaWorkerLimits()
    limits.packets = 1024
    limits.legs = 32
    limits.meetings = 8
    return limits
  }

  private static func isTalkers(_ peers: [WorkerPeer], _ count: Int) {
    for (index, peer) in peers.enumerated() where index >= count { peer.isSending = false }
  }

  /// Everything that a move could break, for everybody.
  private func expectNothingLost(
    _ bench: RelocationBench, _ peers: [WorkerPeer], _ comment: Comment, settled: Int = 30, isTimely: Bool = true
  ) {
    // The first packet of a stream without tags is on probation (RFC 3550 §A.1).
    let probation = peers.count { $0.suite == nil && bench.sent[$0.leg] != nil }
    #expect(bench.drops == probation, "\(comment): \(bench.reasons)")
    #expect(bench.wrongSockets == 0, comment)
    #expect(bench.heldBuffers.allSatisfy { $0 == 0 }, comment)
    for peer in peers {
      // Each index once: a repeated one, and any under a wrong key stream, is refused by the peer's own session.
      #expect(peer.undecryptable == 0, comment)
      #expect(peer.hasGaplessSequences, comment)
      // All the time somebody talks whom everybody but himself hears.
      let steps = Set(zip(peer.timestamps.dropFirst(settled), peer.timestamps.dropFirst(settled + 1)).map { $1 &- $0 })
      #expect(peer.timestamps.count < settled + 2 || steps == [peer.clockRate / 50], comment)
      let statistics = bench.statistics(of: peer)
      #expect(
        statistics?.packetsReceived == UInt64(max(0, (bench.sent[peer.leg] ?? 0) - (peer.suite == nil ? 1 : 0))),
        comment)
      #expect(statistics?.packetsLost == 0, comment)
      #expect(statistics?.packetsSent == UInt64(peer.sequences.count), comment)
      // Links as slow as those of the random test may make a packet late for its tick.
      #expect((statistics?.framesConcealed ?? 0) <= (isTimely ? 0 : 6), comment)
    }
  }

  /// Two talk, two listen; moved at these milliseconds.
  private func meeting(_ codec: AudioCodec, movedAt moves: [Int], suite: SRTPSuite? = .aeadAES128GCM) -> [WorkerPeer] {
    let bench = RelocationBench(workers: 2, seed: 7, limits: Self.limits)
    let peers = (1...4).map { number in
      WorkerPeer(number, codec: codec, suite: suite, frequency: number <= 2 ? 300 * Double(number) : 0)
    }
    Self.isTalkers(peers, 2)
    bench.open(Self.first, on: 0, peers)
    for millisecond in 0..<2_000 {
      if moves.contains(millisecond) { bench.move(Self.first, to: bench.places[Self.first] == 0 ? 1 : 0) }
      bench.run(milliseconds: 1)
    }
    #expect(bench.arrivals == moves.count)
    expectNothingLost(bench, peers, "\(codec) \(moves)")
    return peers
  }

  @Test(
    "every listener and talker hears, sample for sample, what he hears without a move",
    arguments: [AudioCodec.opus, .pcma, .g722])
  func sameSamples(codec: AudioCodec) {
    let still = meeting(codec, movedAt: [])
    let moved = meeting(codec, movedAt: [700, 1_013, 1_044, 1_500])

    for (a, b) in zip(still, moved) {
      #expect(a.heard == b.heard)
      #expect(a.sequences == b.sequences && a.timestamps == b.timestamps)
      #expect(a.heard.contains { abs(Int($0)) > 3_000 })
    }
  }

  @Test("with plain RTP too, and with AES-CM", arguments: [nil, SRTPSuite.aes128CMSHA1Tag80])
  func suites(suite: SRTPSuite?) {
    let still = meeting(.pcma, movedAt: [], suite: suite)
    let moved = meeting(.pcma, movedAt: [700, 1_013], suite: suite)

    for (a, b) in zip(still, moved) { #expect(a.heard == b.heard) }
  }

  @Test("random moves of many meetings over three workers, links that take time: nothing is lost", arguments: 1...120)
  func randomMoves(seed: UInt64) {
    let bench = RelocationBench(workers: 3, seed: seed, limits: Self.limits)
    bench.linkDelay = 4
    var peers: [WorkerPeer] = []
    for meeting in 1...3 {
      let new = (0..<3).map { (index: Int) -> WorkerPeer in
        let codec: AudioCodec = index == 2 ? .pcma : .pcmu
        let tone = index < 2 ? 350 * Double(index + 1) : 0.0
        return WorkerPeer(
          meeting * 10 + index, meeting: meeting, codec: codec, rtcpMux: index != 1, frequency: tone)
      }
      for peer in new { peer.amplitude = 6_000 }
      peers += new
      bench.open(MeetingID(rawValue: UInt32(meeting)), on: meeting % 3, new)
    }
    bench.run(milliseconds: 500)
    for _ in 0..<30 {
      let meeting = MeetingID(rawValue: UInt32(1 + bench.random.next() % 3))
      bench.move(meeting, to: Int(bench.random.next() % 3))
      bench.run(milliseconds: 1 + Int(bench.random.next() % 60))
    }
    bench.run(milliseconds: 300)
    for peer in peers { peer.isSending = false }
    bench.run(milliseconds: 40)  // what is on the links

    #expect(bench.arrivals > 5 && bench.moving.isEmpty)
    expectNothingLost(bench, peers, "seed \(seed)", isTimely: false)
  }

  @Test("the new worker is late: the ticks that fell due meanwhile are made up for, each with its own number")
  func lateWorker() {
    let bench = RelocationBench(workers: 2, seed: 3, limits: Self.limits)
    let peers = [WorkerPeer(1, codec: .pcma, frequency: 400), WorkerPeer(2, codec: .pcma)]
    Self.isTalkers(peers, 1)
    bench.open(Self.first, on: 0, peers)
    bench.run(milliseconds: 1_000)

    bench.workers[1].sleepsUntil = bench.now + .milliseconds(75)
    bench.move(Self.first, to: 1)
    bench.run(milliseconds: 1_000)

    #expect(bench.arrivals == 1)
    // The talker himself hears nobody.
    #expect(peers[0].sequences.count >= 4)
    expectNothingLost(bench, peers, "late")
    #expect(peers[1].sequences.count >= 90)
  }

  @Test("a worker is drained under load: every meeting leaves, and what comes from their peers goes after them")
  func drain() {
    let bench = RelocationBench(workers: 2, seed: 5, limits: Self.limits)
    bench.linkDelay = 2
    var peers: [WorkerPeer] = []
    for meeting in 1...6 {
      let new = (0..<4).map { WorkerPeer(meeting * 10 + $0, meeting: meeting, codec: .pcma, frequency: 500) }
      peers += new
      bench.open(MeetingID(rawValue: UInt32(meeting)), on: 0, new)
    }
    bench.run(milliseconds: 600)
    for meeting in 1...6 { bench.move(MeetingID(rawValue: UInt32(meeting)), to: 1) }
    bench.run(milliseconds: 1_500)

    #expect(bench.arrivals == 6)
    #expect(bench.workers[0].worker.legCount == 0 && bench.workers[0].worker.meetingCount == 0)
    #expect(bench.workers[1].worker.legCount == 24)
    #expect(bench.legsAway == [24, 0])
    #expect(bench.forwarded > 24 * 60)
    expectNothingLost(bench, peers, "drained")

    // Their end is told to where they came from.
    for meeting in 1...6 { bench.workers[1].commands.append(.closeMeeting(MeetingID(rawValue: UInt32(meeting)))) }
    bench.run(milliseconds: 1_200)
    #expect(bench.legsAway == [0, 0])
    #expect(bench.workers.allSatisfy { $0.worker.pool.available == $0.worker.pool.capacity })
    #expect(bench.workers[0].worker.drops[.unknownSource] > 0)
  }

  @Test("a leg that nobody has latched yet moves, and is found by its key; so is a peer whose address changes later")
  func newAddresses() {
    let bench = RelocationBench(workers: 2, seed: 9, limits: Self.limits)
    let peers = [WorkerPeer(1, codec: .pcma, frequency: 400), WorkerPeer(2, codec: .pcma, frequency: 700)]
    for peer in peers {
      peer.isSending = false
      // Signalling named an address that is not the one it sends from.
      peer.configuration.remoteMedia = peer.address.with(port: 9)
      peer.configuration.remoteControl = peer.configuration.remoteMedia
    }
    bench.open(Self.first, on: 0, peers)
    bench.run(milliseconds: 100)
    bench.move(Self.first, to: 1)
    bench.run(milliseconds: 100)
    #expect(bench.arrivals == 1)

    for peer in peers { peer.isSending = true }
    bench.run(milliseconds: 1_000)
    #expect(bench.workers[1].events.count { if case .legConnected = $0 { true } else { false } } == 2)
    #expect(peers.allSatisfy { $0.sequences.count > 40 })

    // A NAT forgets: after a pause one comes from elsewhere.
    peers[0].isSending = false
    bench.run(milliseconds: 300)
    peers[0].address = peers[0].address.with(port: 40_000)
    peers[0].isSending = true
    let before = peers[0].sequences.count
    bench.run(milliseconds: 1_000)

    #expect(peers[0].sequences.count > before + 45)
    #expect(peers[0].hasGaplessSequences && bench.wrongSockets == 0)
    #expect(bench.statistics(of: peers[0])?.packetsLost == 0)
  }

  @Test("a spray of strangers is sent on within its budget only, and reaches nobody")
  func strangers() {
    let bench = RelocationBench(workers: 2, seed: 11, limits: Self.limits)
    let peers = [WorkerPeer(1, codec: .pcma, frequency: 400), WorkerPeer(2, codec: .pcma)]
    Self.isTalkers(peers, 1)
    bench.open(Self.first, on: 0, peers)
    bench.run(milliseconds: 500)
    bench.move(Self.first, to: 1)
    bench.run(milliseconds: 500)
    let heard = peers[1].sequences.count
    var junk = [UInt8](repeating: 0x5a, count: 172)
    junk[0] = 0x80
    junk[1] = 8
    for index in 0..<900 {
      for host in 0..<10 {
        bench.send(junk, from: SocketAddress(ipv4: 0x0808_0800 + UInt32(host), port: UInt16(2_000 + index)), to: 0)
      }
      bench.run(milliseconds: 1)
    }

    let unknown = bench.workers.map { $0.worker.drops[.unknownSource] + $0.worker.drops[.notLatched] }
    #expect(unknown[1] <= 4_000 && unknown[0] + unknown[1] == 9_000)
    #expect(peers[1].sequences.count == heard + 45 && peers[1].hasGaplessSequences)
    #expect(bench.statistics(of: peers[0])?.packetsLost == 0)
  }

  @Test("what cannot move stays and says so: unknown meetings and workers, its own worker")
  func refusals() {
    let bench = RelocationBench(workers: 2, seed: 1, limits: Self.limits)
    bench.open(Self.first, on: 0, [WorkerPeer(1, codec: .pcma, frequency: 400)])
    bench.run(milliseconds: 100)
    bench.workers[0].commands.append(.moveMeeting(MeetingID(rawValue: 9), to: 1))
    bench.workers[0].commands.append(.moveMeeting(Self.first, to: 0))
    bench.workers[0].commands.append(.moveMeeting(Self.first, to: -1))
    bench.workers[0].commands.append(.moveMeeting(Self.first, to: 128))
    bench.run(milliseconds: 200)

    let stayed = bench.workers[0].events.count { if case .meetingStayed = $0 { true } else { false } }
    #expect(stayed == 4)
    #expect(bench.workers[0].worker.legCount == 1)
  }

  @Test("a worker that has no room closes the legs and says so; their home forgets them")
  func noRoom() {
    let bench = RelocationBench(workers: 2, seed: 1, limits: Self.limits)
    let full = (1...30).map { WorkerPeer(100 + $0, meeting: 2, codec: .pcma) }
    for peer in full { peer.isSending = false }
    bench.open(MeetingID(rawValue: 2), on: 1, full)
    bench.open(Self.first, on: 0, (1...3).map { WorkerPeer($0, codec: .pcma, frequency: 400) })
    bench.run(milliseconds: 500)
    bench.move(Self.first, to: 1)
    bench.run(milliseconds: 1_500)

    let closed = bench.workers[1].events.count { if case .legClosed = $0 { true } else { false } }
    let lost = bench.workers[1].events.count { if case .meetingLost(Self.first) = $0 { true } else { false } }
    #expect(closed == 3 && lost == 1)
    #expect(bench.legsAway == [0, 0])
  }
}
