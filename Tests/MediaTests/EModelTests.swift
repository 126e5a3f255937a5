//  EModelTests.swift: ratings and scores against what ITU-T G.107 gives.

import Media
import Testing

@Suite("The E-model (ITU-T G.107)")
struct EModelTests {
  @Test("default values: R = 93.2, score 4.41")
  func standard() {
    let model = EModel(codec: .g711)

    #expect(abs(model.rating - 93.2) < 0.05)
    #expect(abs(model.opinion - 4.41) < 0.005)
  }

  @Test(
    "scores of ratings (G.107 annex B)",
    arguments: [(100, 4.5), (90, 4.34), (80, 4.02), (70, 3.6), (60, 3.1), (50, 2.58), (0, 1), (-5, 1)]
      as [(
        Double, Double
      )])
  func scores(rating: Double, score: Double) {
    #expect(abs(EModel.opinion(of: rating) - score) < 0.006)
  }

  /// Worked out from the whole formulas of G.107 §7, all inputs at their defaults, one-way delay T = Ta, Tr = 2T.
  @Test(
    "delay, with the default echo",
    arguments: [
      (50, 91.76), (100, 90.66), (150, 89.54), (200, 85.80), (250, 79.18), (300, 72.67), (400, 62.25), (500, 54.80),
    ] as [(Double, Double)])
  func delay(milliseconds: Double, rating: Double) {
    #expect(abs(EModel(codec: .g711, delayMilliseconds: milliseconds).rating - rating) < 0.02)
  }

  /// Ie,eff = 95 · Ppl / (Ppl + 25.1), G.711 with concealment (G.113 appendix I).
  @Test(
    "random loss on G.711",
    arguments: [(1, 89.57), (2, 86.20), (5, 77.43), (10, 66.14)] as [(Double, Double)])
  func loss(percent: Double, rating: Double) {
    #expect(abs(EModel(codec: .g711, lossPercent: percent).rating - rating) < 0.02)
  }

  @Test("bursts are worse than random loss, delay worse than none, for every codec; nothing leaves the scale")
  func order() {
    for codec in [EModel.Codec.g711, .g722, .opus] {
      var before = 101.0
      for loss in stride(from: 0.0, through: 100, by: 2.5) {
        let random = EModel(codec: codec, lossPercent: loss)
        let bursty = EModel(codec: codec, lossPercent: loss, burstRatio: 3)
        #expect(random.rating < before && bursty.rating <= random.rating)
        #expect((1...4.5).contains(bursty.opinion) && (0...100).contains(bursty.rating))
        before = random.rating
      }
      before = 101
      for delay in stride(from: 0.0, through: 3_000, by: 100) {
        let rating = EModel(codec: codec, delayMilliseconds: delay).rating
        #expect(rating <= before)
        before = rating
      }
    }
    #expect(EModel(codec: .g711, delayMilliseconds: -5, lossPercent: 500, burstRatio: 0).opinion >= 1)
    #expect(EModel(codec: .g711, delayMilliseconds: 1e9).opinion >= 1)
  }

  @Test("wideband: G.722 and Opus above G.711 on a good network")
  func wideband() {
    #expect(EModel(codec: .opus).opinion > EModel(codec: .g711).opinion)
    // 129 − 13 on G.107.1's scale.
    #expect(abs(EModel(codec: .g722).rating - (129 - 13 - 0.149) / 1.29) < 0.05)
  }
}
