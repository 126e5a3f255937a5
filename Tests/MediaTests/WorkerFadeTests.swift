//  WorkerFadeTests.swift: talkers enter and leave the mix without a click.

import Media
import Primitives
import RTP
import Testing

@Suite("Talkers fade in and out")
struct WorkerFadeTests {
  /// 210 Hz is 4.2 periods a tick: every cut would fall on another phase.
  static let tone = 210.0

  private func peers(_ tones: [Double]) -> [WorkerPeer] {
    tones.enumerated().map { WorkerPeer($0.offset + 1, codec: .pcma, frequency: $0.element) }
  }

  /// The largest jump in what a peer hears while the talkers change, and while they do not.
  private func steps(of listener: WorkerPeer, during body: () -> Void) -> Int {
    let start = listener.heard.count
    body()
    return largestStep(listener.heard[start...])
  }

  @Test("muted and unmuted in mid-speech: no jump above the tone's own")
  func mute() {
    let peers = peers([Self.tone, 0, 0])
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    let steady = steps(of: peers[1]) { bench.run(seconds: 1) }

    let switching = steps(of: peers[1]) {
      for _ in 0..<10 {
        bench.handle(.setIngress(peers[0].leg, blocked: true))
        bench.run(seconds: 0.3)
        bench.handle(.setIngress(peers[0].leg, blocked: false))
        bench.run(seconds: 0.5)
      }
    }

    #expect(steady > 100)
    #expect(switching < steady * 3 / 2, "\(switching) at the switch, \(steady) without")
    #expect(peers[0].power(at: Self.tone) < -45, "hears itself")
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }

  @Test("held in mid-speech")
  func hold() {
    let peers = peers([Self.tone, 0, 0])
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    let steady = steps(of: peers[1]) { bench.run(seconds: 1) }
    var held = peers[0].configuration
    held.sends = false
    held.receives = false

    let switching = steps(of: peers[1]) {
      for _ in 0..<6 {
        bench.handle(.modifyLeg(held))
        bench.run(seconds: 0.3)
        bench.handle(.modifyLeg(peers[0].configuration))
        bench.run(seconds: 0.7)
      }
    }

    #expect(switching < steady * 3 / 2, "\(switching) at the switch, \(steady) without")
  }

  @Test("a full choice: louder newcomers take places, nobody hears a jump or themselves, places stay within the limit")
  func demoted() {
    var limits = MediaWorkerLimits()
    limits.talkers = 2
    // The loud one is the slowest, so that the others' being cut off would stand out.
    let tones = [190.0, 310, 110]
    let peers = peers(tones + [0])
    for peer in peers[..<2] { peer.amplitude = 5_000 }
    peers[2].amplitude = 12_000
    peers[2].isSending = false
    let bench = WorkerBench(limits: limits, peers: peers)
    bench.run(seconds: 2)
    var steady = steps(of: peers[3]) { bench.run(seconds: 1) }

    var switching = 0
    for _ in 0..<8 {
      peers[2].isSending = true
      switching = max(switching, steps(of: peers[3]) { bench.run(seconds: 0.7) })
      steady = max(steady, steps(of: peers[3]) { bench.run(seconds: 0.5) })
      peers[2].isSending = false
      switching = max(switching, steps(of: peers[3]) { bench.run(seconds: 1.53) })
    }

    #expect(switching < steady * 3 / 2, "\(switching) at the switch, \(steady) without")
    #expect(peers[3].power(at: 110, skipping: 3) > -40)
    for (index, tone) in tones.enumerated() {
      #expect(peers[index].power(at: tone, skipping: 2) < -45, "\(index) hears itself")
    }
    for peer in peers { #expect(peer.hasGaplessSequences) }
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }
}
