//  WorkerEffortTests.swift: the overload steps that cost quality: fewer talkers, less Opus complexity, and back.

import Media
import Primitives
import Testing

@Suite("Effort turned down and up")
struct WorkerEffortTests {
  @Test("fewer talkers: the softest leave without a jump, places come back, the limit is clamped")
  func talkers() {
    let tones = [190.0, 310, 250]
    let peers = (tones + [0]).enumerated().map { WorkerPeer($0.offset + 1, codec: .pcma, frequency: $0.element) }
    peers[0].amplitude = 9_000
    peers[1].amplitude = 5_000
    peers[2].amplitude = 3_000
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 2)
    let listener = peers[3]
    let steady = largestStep(listener.heard[48_000...])

    let start = listener.heard.count
    bench.worker.setEffort(complexity: 0, talkers: 0)
    #expect(bench.worker.currentEffort == (0, 1))
    bench.run(seconds: 1.5)
    let reduced = listener.heard[(start + 24_000)...]
    #expect(goertzel(reduced, tones[0]) > -30)
    #expect(goertzel(reduced, tones[1]) < -60)
    #expect(goertzel(reduced, tones[2]) < -60)
    bench.worker.setEffort(complexity: 99, talkers: 99)
    #expect(bench.worker.currentEffort == (10, MediaWorkerLimits().talkers))
    let restored = listener.heard.count
    bench.run(seconds: 1.5)

    for tone in tones { #expect(goertzel(listener.heard[(restored + 24_000)...], tone) > -40) }
    #expect(largestStep(listener.heard[start...]) < steady * 3 / 2)
    for peer in peers { #expect(peer.hasGaplessSequences) }
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }
}
