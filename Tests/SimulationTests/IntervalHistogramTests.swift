//  IntervalHistogramTests.swift: intervals near the nominal one are read exactly.

import Media
import Simulation
import Testing

@Suite("Intervals between packets")
struct IntervalHistogramTests {
  @Test("a perfect 20 ms is 20 ms, which buckets of the interval itself call 20.479")
  func exact() {
    var intervals = IntervalHistogram()
    var plain = LatencyHistogram()
    for microseconds in [19_970, 20_000, 20_000, 20_000, 20_400] as [Int64] {
      intervals.record(microseconds: microseconds)
      plain.record(microseconds: microseconds)
    }

    #expect(intervals.summary.p50 == 20_000)
    #expect(plain.value(atShare: 0.5) == 20_400)  // the bucket's edge 20,479, cut to the largest
    #expect(intervals.summary.minimum == 19_970)
    #expect(intervals.summary.maximum == 20_400)
  }

  @Test("every rank within 1/32 of its distance from nominal, early ones and late ones, merged")
  func ranks() {
    var values: [Int64] = []
    var first = IntervalHistogram()
    var second = IntervalHistogram()
    var state: UInt64 = 7
    for index in 0..<2_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let value = Int64(state >> 33) % 40_000
      values.append(value)
      if index % 2 == 0 { first.record(microseconds: value) } else { second.record(microseconds: value) }
    }
    first.merge(second)
    values.sort()

    #expect(first.count == 2_000)
    for rank in stride(from: 1, through: 2_000, by: 13) {
      let read = Int64(first.value(atShare: (Double(rank) - 0.5) / 2_000))
      let exact = values[rank - 1]
      #expect(abs(read - exact) <= abs(exact - 20_000) / 32 + 1, "rank \(rank): \(read) for \(exact)")
    }
    #expect(IntervalHistogram().summary.count == 0)
  }
}
