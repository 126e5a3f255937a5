//  WorkerBatchTests.swift: batches give what packets one by one would, and ticks may be sent in pieces.

import Media
import MediaTransport
import Primitives
import Testing

@Suite("Batches")
struct WorkerBatchTests {
  @Test("a copy of a leg's first packet from elsewhere, in the same batch, latches nothing")
  func copyInTheSameBatch() {
    let peer = WorkerPeer(1, frequency: 440)
    let bench = WorkerBench(peers: [peer, WorkerPeer(2, frequency: 1_000)])
    bench.now = bench.now + .seconds(1)  // the leg has been quiet for longer than a move takes

    for packet in peer.nextPackets() {
      bench.deliver(packet, from: peer.address)
      for _ in 0..<200 { bench.deliver(packet, from: RouterLatchingTests.stranger) }
    }
    bench.receive()
    bench.run(seconds: 0.5)

    #expect(bench.strays.isEmpty)
    #expect(peer.sequences.count > 20)
    #expect(bench.drops.total == 200)
  }

  @Test("one leg's packets keep their order through a batch; one bad packet costs the others nothing")
  func badAmongGood() {
    let peers = (1...4).map { WorkerPeer($0, frequency: 300 * Double($0)) }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 0.5)
    let before = bench.drops.total

    for _ in 0..<50 {
      for peer in peers where peer.isSending {
        for packet in peer.nextPackets() {
          bench.deliver(packet, from: peer.address)
          var bad = packet
          bad[bad.count - 1] ^= 1
          bench.deliver(bad, from: peer.address)
        }
      }
      bench.receive()
      bench.runWorker(until: bench.now + .milliseconds(20))
      for peer in peers { peer.listen(now: bench.now) }
    }

    #expect(bench.drops.total - before == 200)
    for peer in peers {
      let leg = bench.statistics(of: peer.leg)
      #expect(leg?.packetsLost == 0 && leg?.packetsDropped == 50)
      #expect(peer.undecryptable == 0)
    }
  }

  @Test("a tick sent in pieces, with packets received in between, is the same tick", arguments: [1, 2, 5])
  func pieces(limit: Int) {
    let whole = Self.run(limit: .max)
    let parts = Self.run(limit: limit)

    #expect(whole.sequences == parts.sequences && whole.timestamps == parts.timestamps)
    #expect(whole.heard == parts.heard)
  }

  private static func run(limit: Int) -> (sequences: [[UInt16]], timestamps: [[UInt32]], heard: [[Int16]]) {
    let peers = (1...9).map { WorkerPeer($0, frequency: $0 < 3 ? 300 * Double($0) : 0) }
    let bench = WorkerBench(peers: peers)
    for _ in 0..<100 {
      for peer in peers { for packet in peer.nextPackets() { bench.deliver(packet, from: peer.address) } }
      bench.receive()
      let end = bench.now + .milliseconds(20)
      while bench.worker.nextDeadline <= end {
        bench.now = max(bench.now, bench.worker.nextDeadline)
        bench.worker.advance(to: bench.now, into: &bench.egress, limit: limit)
        #expect(limit == .max || bench.egress.count <= limit + AudioMixer.packetsPerLeg)
        bench.flush()
        bench.receive()
      }
      bench.now = end
      for peer in peers { peer.listen(now: bench.now) }
    }
    #expect(bench.drops.total == 0)
    return (peers.map(\.sequences), peers.map(\.timestamps), peers.map(\.heard))
  }
}
