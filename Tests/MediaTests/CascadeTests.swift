//  CascadeTests.swift: one meeting on several workers sounds like one meeting.

import Media
import MediaTransport
import Primitives
import Testing

@Suite("A meeting on several workers")
struct CascadeTests {
  /// Two workers, or one that has everybody: who talks when is the same.
  ///
  /// - Parameter late: legs whose packets are on the way for a tick more.
  private func meeting(split: Bool, late: Set<Int>) -> [Int: [Int16]] {
    var limits = MediaWorkerLimits()
    limits.packets = 2048
    limits.legs = 32
    let bench = CascadeBench(workers: split ? 2 : 1, limits: limits)
    let peers = (1...6).map { number in
      let peer = WorkerPeer(number, level: true)
      // Each part has an encoder of its own; so that it also has in one worker, formats differ.
      peer.configuration.send.opus.bitRate = number <= 3 ? 64_000 : 48_000
      peer.beQuiet()
      return peer
    }
    for (index, peer) in peers.enumerated() {
      bench.add(peer, to: split ? index / 3 : 0)
      if late.contains(index + 1) { bench.delays[peer.leg] = 1 }
    }
    for tick in 0..<150 {
      // 1 and 2 are on the first worker, 4 and 5 on the second; 3 and 6 listen.
      if tick == 10 { peers[0].talk(440) }
      if tick == 30 { peers[3].talk(700, amplitude: 6_000) }
      if tick == 55 { peers[1].talk(1_100, amplitude: 12_000) }
      if tick == 70 { peers[0].beQuiet() }
      if tick == 80 { peers[4].talk(1_700, amplitude: 9_000) }
      if tick == 110 { peers[3].beQuiet() }
      bench.step()
    }
    for worker in bench.workers { worker.handle(.closeMeeting(CascadeBench.meeting), now: bench.now) }
    #expect(bench.heldBuffers.allSatisfy { $0 == 0 })
    return Dictionary(uniqueKeysWithValues: peers.enumerated().map { ($0.offset + 1, $0.element.heard) })
  }

  /// The first sample that differs.
  private func difference(_ left: [Int16]?, _ right: [Int16]?) -> Int? {
    guard let left, let right, left.count == right.count else { return -1 }
    return left.indices.first { left[$0] != right[$0] }
  }

  @Test("every listener gets, sample for sample, the mix of one worker to which the others' talkers come a tick later")
  func exact() {
    let split = meeting(split: true, late: [])
    let firstLate = meeting(split: false, late: [1, 2, 3])
    let secondLate = meeting(split: false, late: [4, 5, 6])

    for leg in [3, 6] {
      let isLoud = split[leg]?.contains { $0 > 4_000 } == true
      #expect(isLoud)
    }
    // The legs of the second worker hear the first's a tick later, and the other way round.
    for leg in 4...6 { #expect(difference(split[leg], firstLate[leg]) == nil, "leg \(leg)") }
    for leg in 1...3 { #expect(difference(split[leg], secondLate[leg]) == nil, "leg \(leg)") }
    #expect(difference(split[6], secondLate[6]) != nil)
  }

  @Test("a talker hears the others of all parts and never himself", arguments: [2, 3, 4])
  func everybodyElse(workers: Int) {
    let bench = CascadeBench(workers: workers)
    let peers = bench.addQuietPeers(2 * workers)
    for index in 0..<min(4, workers) { peers[index].talk(400 + 300 * Double(index)) }
    bench.run(seconds: 1.5)

    for (index, peer) in peers.enumerated() {
      for talker in 0..<min(4, workers) {
        #expect(peer.hears(400 + 300 * Double(talker), from: 1) == (talker != index), "\(index) hears \(talker)")
      }
    }
    #expect(bench.workers.allSatisfy { $0.report?.linkFramesLost == 0 && $0.report?.linkOverflow == 0 })
  }

  @Test("the loudest two of the whole meeting are decoded and heard, whichever part they are in")
  func loudest() {
    var limits = MediaWorkerLimits()
    limits.talkers = 2
    let bench = CascadeBench(workers: 2, limits: limits)
    let peers = (1...6).map { WorkerPeer($0, level: true) }
    for (index, peer) in peers.enumerated() { bench.add(peer, to: index % 2) }
    let listener = peers[5]
    listener.beQuiet()
    for (index, amplitude) in [1_000.0, 8_000, 500, 250, 7_000].enumerated() {
      peers[index].talk(400 + 300 * Double(index), amplitude: amplitude)
    }
    bench.run(seconds: 2)
    let before = bench.workers.map { $0.report?.decodes ?? 0 }
    bench.run(seconds: 2)

    for index in 0..<5 {
      #expect(listener.hears(400 + 300 * Double(index), from: 3) == [1, 4].contains(index), "\(index)")
    }
    // Each on its own worker only.
    let decodes = zip(bench.workers, before).map { ($0.0.report?.decodes ?? 0) - $0.1 }
    #expect(decodes.allSatisfy { (95...105).contains($0) }, "\(decodes)")
  }

  @Test("who is heard does not flap when voices of two parts are equally loud")
  func noFlapping() {
    var limits = MediaWorkerLimits()
    limits.talkers = 1
    let bench = CascadeBench(workers: 2, limits: limits)
    let peers = bench.addQuietPeers(4)
    peers[0].talk(440)
    bench.run(seconds: 1)
    var random = RandomSource(seed: 5)
    for _ in 0..<250 {
      // ±3 dB around each other: nobody is 6 dB louder for long.
      peers[0].level = UInt8(23 + Int(random.next() % 4))
      peers[1].talk(900, amplitude: 8_000)
      peers[1].level = UInt8(22 + Int(random.next() % 4))
      bench.step()
    }

    let reports = bench.workers[0].events.compactMap { event -> [LegID]? in
      if case .activeTalkers(_, let legs) = event { legs } else { nil }
    }
    #expect(reports == [[peers[0].leg]])
    #expect(peers[3].hears(440, from: 5))
    #expect(!peers[3].hears(900, from: 5))
  }

  @Test("one part reports who is heard in all of them, loudest first")
  func report() {
    let bench = CascadeBench(workers: 3)
    let peers = bench.addQuietPeers(6)
    peers[1].talk(440, amplitude: 12_000)
    peers[5].talk(900, amplitude: 4_000)
    bench.run(seconds: 2.5)

    let reports = bench.workers.map { worker in
      worker.events.compactMap { event -> [LegID]? in
        if case .activeTalkers(_, let legs) = event { legs } else { nil }
      }
    }
    #expect(reports[0].last == [peers[1].leg, peers[5].leg])
    #expect(reports[1].isEmpty && reports[2].isEmpty)
  }

  @Test("frames that are lost on the link are counted and bridged without a click")
  func losses() throws {
    let bench = CascadeBench(workers: 2)
    let peers = (1...4).map { WorkerPeer($0, level: true) }
    for (index, peer) in peers.enumerated() {
      peer.beQuiet()
      peer.configuration.send.opus.bitRate = 64_000
      bench.add(peer, to: index % 2)
    }
    peers[0].talk(300)
    var random = RandomSource(seed: 9)
    var lost = 0
    bench.loses = { sender, _, message in
      guard sender == 0, bench.tick > 50, message.kind == .voice, random.next() % 20 == 0 else { return false }
      lost += 1
      return true
    }
    bench.run(seconds: 6)

    #expect(lost > 5)
    #expect(bench.workers[1].report.map { Int($0.linkFramesLost) } ?? 0 >= lost - 2)
    #expect(peers[3].hears(300, from: 5))
    // A sine of 300 Hz and amplitude 8,000 rises by 314 a sample at most; a cut would jump by up to 8,000.
    let heard = peers[3].heard.dropFirst(48_000)
    let jump = zip(heard, heard.dropFirst()).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
    #expect(jump < 1_200, "\(jump)")
  }

  @Test("what a worker that stood still sends too late is counted and not mixed; it is heard again at once after that")
  func lateWorker() {
    let bench = CascadeBench(workers: 2)
    let peers = bench.addQuietPeers(4)
    peers[0].talk(440)
    peers[1].talk(900)
    bench.run(seconds: 1)
    bench.workers[0].isStopped = true
    bench.run(seconds: 0.5)
    // The other part goes on without it.
    #expect(peers[3].hears(900, from: 1.25))
    #expect(!peers[3].hears(440, from: 1.25))
    bench.workers[0].isStopped = false
    bench.run(seconds: 1)

    #expect(peers[3].hears(440, from: 2))
    #expect(peers[2].hears(900, from: 2))
    #expect(bench.workers[1].report?.linkFramesLost ?? 0 >= 1)
    #expect(bench.workers[1].report?.linkFramesLate ?? 0 >= 1)
  }

  @Test("a part that closes is heard no more, and what it still sends means nothing")
  func partCloses() {
    let bench = CascadeBench(workers: 2)
    let peers = bench.addQuietPeers(4)
    peers[0].talk(440)
    peers[1].talk(900)
    bench.run(seconds: 1)
    bench.workers[0].handle(
      .linkMeeting(CascadeBench.meeting, MeetingParts(peers: [], reportsTalkers: true)), now: bench.now)
    bench.run(seconds: 0.5)
    bench.workers[1].handle(.closeMeeting(CascadeBench.meeting), now: bench.now)
    bench.run(seconds: 0.5)

    #expect(peers[2].hears(440, from: 1.5))
    #expect(!peers[2].hears(900, from: 1.3))
    #expect(bench.heldBuffers == [0, 0])
    let messages = bench.messages
    bench.run(seconds: 0.2)
    #expect(bench.messages == messages)
  }

  @Test("messages of unknown meetings and from workers without a part, with any content, are ignored")
  func strangers() {
    let bench = CascadeBench(workers: 3)
    bench.link([0, 1])
    let listener = WorkerPeer(1, level: true)
    listener.beQuiet()
    bench.add(listener, to: 0)
    var random = RandomSource(seed: 3)
    for _ in 0..<200 {
      for sender in [1, 2, 77, -1] {
        var message = LinkMessage(random.next() % 2 == 0 ? .voice : .candidates)
        message.meeting = UInt32(random.next() % 3)
        message.leg = UInt32(truncatingIfNeeded: random.next())
        message.tick = Int64(bitPattern: random.next())
        message.count = UInt16(truncatingIfNeeded: random.next())
        message.flags = UInt8(truncatingIfNeeded: random.next())
        for index in 0..<1024 { message.block[index] = Int16(truncatingIfNeeded: random.next()) }
        bench.workers[0].worker.receive(message, from: sender, now: bench.now)
      }
      bench.step()
    }

    #expect(bench.heldBuffers[0] == 0)
  }
}
