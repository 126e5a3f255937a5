//  WorkerResidenceTests.swift: a meeting's tick comes to lie behind its talkers' packets, wherever both were at first.

import Media
import Primitives
import Testing

@Suite("Residence in a worker, and where a meeting ticks")
struct WorkerResidenceTests {
  /// Runs in steps of a millisecond; peer k sends at `offsets[k]` in each 20.
  private static func run(_ bench: WorkerBench, _ peers: [WorkerPeer], offsets: [Int], seconds: Int) {
    for millisecond in 0..<seconds * 1_000 {
      for (peer, offset) in zip(peers, offsets) where millisecond % 20 == offset % 20 {
        for packet in peer.nextPackets() { bench.deliver(packet, from: peer.address) }
      }
      bench.receive()
      bench.runWorker(until: bench.now + .milliseconds(1))
      if millisecond % 20 == 19 { for peer in peers { peer.listen(now: bench.now) } }
    }
  }

  private static func bench(_ peers: [WorkerPeer], phase: Int) -> WorkerBench {
    let bench = WorkerBench(peers: peers, opens: false, alignsTicks: true)
    bench.handle(.openMeeting(peers[0].meeting, phase: phase))
    for peer in peers { bench.handle(.openLeg(peer.configuration)) }
    return bench
  }

  @Test(
    "one talker: after ten seconds p50 and p99 are a few milliseconds, at every phase",
    arguments: [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 31])
  func alone(phase: Int) throws {
    let talker = WorkerPeer(1, codec: .pcma, frequency: 440, level: true)
    let listener = WorkerPeer(2, codec: .pcma)
    let bench = Self.bench([talker, listener], phase: phase)

    Self.run(bench, [talker, listener], offsets: [5, 12], seconds: 14)

    let report = try #require(bench.report)
    print("phase \(phase): residence p50 \(report.residence.p50) p99 \(report.residence.p99) µs")
    #expect(report.residence.p50 <= 9_000)
    #expect(report.residence.p99 <= 25_000)
    // Nobody hears the move: the sequence has no gap, the timestamps no jump, the tone no hole.
    #expect(listener.hasGaplessSequences)
    #expect(zip(listener.timestamps, listener.timestamps.dropFirst()).allSatisfy { ($1 &- $0) % 160 == 0 })
    let steps = zip(listener.timestamps, listener.timestamps.dropFirst()).dropFirst(50).map { $1 &- $0 }
    #expect(steps.allSatisfy { $0 == 160 }, "\(Set(steps))")
    for second in 2..<13 {
      #expect(listener.power(at: 440, skipping: Double(second), seconds: 1) > -16)
    }
    // What arrives is never more than a millisecond early or late.
    let gaps = zip(listener.arrivals, listener.arrivals.dropFirst()).dropFirst(50).map { ($1 - $0).nanoseconds }
    #expect(gaps.allSatisfy { (19_000_000...21_000_000).contains($0) }, "\(gaps.min() ?? 0)…\(gaps.max() ?? 0)")
  }

  @Test(
    "three talkers: the median stays below 15 ms, the worst below 25 ms, wherever their packets come",
    arguments: [[0, 1, 2], [0, 19, 19], [0, 7, 13], [3, 3, 17], [10, 11, 2]])
  func three(offsets: [Int]) throws {
    var worst: Int32 = 0
    for phase in [0, 9, 17, 30] {
      let talkers = (1...3).map { WorkerPeer($0, codec: .pcma, frequency: 300 + 200 * Double($0), level: true) }
      let bench = Self.bench(talkers, phase: phase)

      Self.run(bench, talkers, offsets: offsets, seconds: 20)

      let report = try #require(bench.report)
      worst = max(worst, report.residence.p50)
      #expect(report.residence.p50 <= 15_000, "\(offsets) at \(phase)")
      #expect(report.residence.p99 <= 25_000, "\(offsets) at \(phase)")
      #expect(talkers[0].hasGaplessSequences)
    }
    print("talkers at \(offsets): worst median \(worst) µs")
  }

  @Test("many meetings stay spread: none moves")
  func many() {
    let peers = (0..<40).map { WorkerPeer($0 + 1, meeting: $0 / 2 + 1, codec: .pcma, frequency: 440, level: true) }
    let bench = WorkerBench(peers: peers, alignsTicks: true)
    bench.run(seconds: 6)

    #expect(peers.allSatisfy { $0.hasGaplessSequences })
    let first = peers.map { $0.arrivals.dropFirst(30).first.map { $0.nanoseconds % 20_000_000 } }
    let last = peers.map { $0.arrivals.last.map { $0.nanoseconds % 20_000_000 } }
    #expect(first == last)
  }
}
