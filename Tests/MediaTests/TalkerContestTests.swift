//  TalkerContestTests.swift: more people begin to talk at once than may be heard.

import Media
import Primitives
import Testing

@Suite("Talkers who contend for a place")
struct TalkerContestTests {
  @Test(
    "the louder of two newcomers is heard within half a second, though neither makes a sound at first",
    arguments: [1, 2, 3])
  func newcomers(places: Int) {
    var limits = MediaWorkerLimits()
    limits.talkers = places
    let peers = (1...6).map { WorkerPeer($0, codec: .pcma, level: true) }
    let bench = WorkerBench(limits: limits, peers: peers)
    for peer in peers { peer.beQuiet() }
    bench.run(seconds: 0.5)
    for index in 0...places { peers[index].talk(400 + 370 * Double(index), amplitude: 9_000 / Double(1 + 2 * index)) }
    bench.run(seconds: 1)

    for index in 0...places {
      #expect(peers[5].hears(400 + 370 * Double(index), from: 1) == (index < places), "\(index) of \(places)")
    }
  }
}
