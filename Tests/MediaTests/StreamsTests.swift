//  StreamsTests.swift: the worker's small parts alone.

import Media
import Primitives
import Testing

@Suite("Latency histogram")
struct LatencyHistogramTests {
  @Test("percentiles are right to one part in 32")
  func percentiles() {
    var histogram = LatencyHistogram()
    for value in 1...100_000 { histogram.record(microseconds: Int64(value)) }

    let summary = histogram.summary

    #expect(summary.count == 100_000 && summary.minimum == 1 && summary.maximum == 100_000)
    for (found, exact) in [(summary.p50, 50_000.0), (summary.p99, 99_000.0), (summary.p999, 99_900.0)] {
      #expect(Double(found) >= exact * 0.999 && Double(found) <= exact * 33 / 32)
    }
  }

  @Test("extremes: negative, zero and beyond the last bucket")
  func extremes() {
    var histogram = LatencyHistogram()
    #expect(histogram.summary == LatencySummary())
    for value in [-5, 0, Int64.max, .min] { histogram.record(microseconds: value) }
    #expect(histogram.summary.minimum == .min && histogram.summary.maximum == .max)
    #expect(histogram.value(atShare: 0.5) == 0)
    histogram.reset()
    #expect(histogram.count == 0)
  }

  @Test("small values are exact")
  func exact() {
    for value in Int64(0)...63 {
      var histogram = LatencyHistogram()
      histogram.record(microseconds: value)
      #expect(histogram.value(atShare: 1) == Int32(value))
    }
  }
}

@Suite("Flat table")
struct FlatTableTests {
  @Test("behaves as a dictionary under random insertion and removal, up to its limit")
  func random() {
    var random = RandomSource(seed: 11)
    var table = FlatTable<Flow>(limit: 200, seed: 5)
    var model: [SocketAddress: Int] = [:]
    for step in 0..<20_000 {
      let address = SocketAddress(ipv4: random.nextWord() % 300, port: 7)
      let flow = Flow(address: address, socket: 0)
      if random.nextWord() % 5 < 3 {
        let done = table.set(flow, step)
        #expect(done == (model[address] != nil || model.count < 200))
        if done { model[address] = step }
      } else {
        table.remove(flow)
        model[address] = nil
      }
      if step % 500 == 0 {
        for host in UInt32(0)..<300 {
          let address = SocketAddress(ipv4: host, port: 7)
          let found = table[Flow(address: address, socket: 0)]
          #expect(found == model[address])
          let other = table[Flow(address: address, socket: 1)]
          #expect(other == nil)
        }
      }
      let count = table.count
      #expect(count == model.count)
    }
  }
}
