//  JitterResidenceTests.swift: how long audio stays in the jitter buffer, wherever in the tick its packets come.

import Media
import Primitives
import Testing

@Suite("Residence in the jitter buffer")
struct JitterResidenceTests {
  /// A path of 20 ms with up to 2 ms of jitter, ticks at every phase, a minute each.
  private static func score(phase: Double, jitter: Double = 2) -> JitterScore {
    var random = RandomSource(seed: UInt64(phase * 10) + 1)
    let arrivals = (0..<3_000).map { index in
      let sent = Double(index) * 20
      return Arrival(sequence: index, sent: sent, arrived: sent + 20 + Double.random(in: 0...jitter, using: &random))
    }
    return JitterSimulation.adaptive(arrivals, phase: phase)
  }

  @Test("a clean path, ticks at 80 phases: over all p50 ≤ 15 ms and p99 ≤ 25 ms, and nothing is concealed")
  func phases() {
    var packets = ResidenceScore()
    var samples = ResidenceScore()
    for step in 0..<80 {
      let score = Self.score(phase: Double(step) / 4)
      #expect(score.concealed == 0)
      #expect(score.restarts == 1)
      // One phase's steady state: no shorter than the margin, no longer than it and a tick.
      #expect(score.residence.quantile(0.5) >= 2)
      #expect(score.residence.quantile(0.5) <= 25)
      #expect(score.residence.quantile(0.99) <= 27)
      packets.add(score.residence)
      samples.add(score.sampleResidence)
    }

    print(
      "residence over all phases: newest packet p50 \(packets.quantile(0.5)) p99 \(packets.quantile(0.99)) ms,",
      "each sample p50 \(samples.quantile(0.5)) p99 \(samples.quantile(0.99)) ms")
    #expect(packets.quantile(0.5) <= 15)
    #expect(packets.quantile(0.99) <= 25)
    #expect(samples.quantile(0.5) <= 15)
    #expect(samples.quantile(0.99) <= 25)
  }

  @Test("the margin grows with the jitter, and with it alone", arguments: [0.0, 1, 4, 8, 15])
  func margin(jitter: Double) {
    var all = ResidenceScore()
    for step in 0..<20 {
      let score = Self.score(phase: Double(step), jitter: jitter)
      #expect(score.concealed <= 2)
      all.add(score.sampleResidence)
    }

    // Half of the jitter before the mean packet, half a tick of phase, and the margin.
    #expect(all.mean < 10 + jitter / 2 + 6)
    #expect(all.mean > 10 + jitter / 2)
  }
}
