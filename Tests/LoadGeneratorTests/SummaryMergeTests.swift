//  SummaryMergeTests.swift: percentiles of many seconds against those of all their values.

import LoadGenerator
import Primitives
import Testing

@Suite("Percentiles of a run out of those of its seconds")
struct SummaryMergeTests {
  private func second(_ values: [Double], isSlack: Bool) -> SecondSummary {
    let sorted = values.sorted()
    func at(_ share: Double) -> Double {
      let rank = max(1, (share * Double(sorted.count)).rounded(.up))
      return isSlack ? sorted[sorted.count - Int(rank)] : sorted[Int(rank) - 1]
    }
    return SecondSummary(
      count: UInt64(sorted.count), minimum: sorted[0], p50: at(0.5), p99: at(0.99), p999: at(0.999),
      maximum: sorted[sorted.count - 1])
  }

  @Test("seconds that are alike: their own percentiles")
  func alike() {
    let one = second((1...1_000).map(Double.init), isSlack: false)

    #expect(abs(SummaryMerge.value(atShare: 0.5, of: [one, one, one], isSlack: false) - 500) < 1)
    #expect(abs(SummaryMerge.value(atShare: 0.99, of: [one, one, one], isSlack: false) - 990) < 1)
  }

  @Test("one bad tick of 750 is what the 99.9th percentile of slack is")
  func oneBadTick() {
    var seconds = [SecondSummary](
      repeating: second([Double](repeating: 18_000, count: 50), isSlack: true), count: 14)
    seconds.append(second([1_500] + [Double](repeating: 18_000, count: 49), isSlack: true))

    #expect(SummaryMerge.value(atShare: 0.999, of: seconds, isSlack: true) < 1_501)
    #expect(SummaryMerge.value(atShare: 0.99, of: seconds, isSlack: true) > 2_000)
    #expect(SummaryMerge.value(atShare: 0.5, of: seconds, isSlack: true) > 17_000)
  }

  @Test("one bad tick of 45,000 is not")
  func rareBadTick() {
    var seconds = [SecondSummary](
      repeating: second([Double](repeating: 18_000, count: 3_000), isSlack: true), count: 14)
    seconds.append(second([1_500] + [Double](repeating: 18_000, count: 2_999), isSlack: true))

    #expect(SummaryMerge.value(atShare: 0.999, of: seconds, isSlack: true) > 15_000)
  }

  @Test("random seconds: never more optimistic than a tenth of the spread", arguments: [1, 2, 3, 4] as [UInt64])
  func random(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let values = (0..<10).map { _ in
      let base = Double(random.nextWord() % 5_000)
      return (0..<500).map { _ in base + Double(random.nextWord() % 10_000) }
    }
    let all = values.flatMap { $0 }.sorted()

    let merged = SummaryMerge.value(
      atShare: 0.99, of: values.map { second($0, isSlack: false) }, isSlack: false)

    #expect(abs(merged - all[all.count * 99 / 100]) < 1_500, "seed \(seed)")
  }

  @Test("nothing")
  func nothing() {
    #expect(SummaryMerge.value(atShare: 0.99, of: [], isSlack: true) == 0)
  }
}
