//  SummaryMerge.swift: percentiles of a whole run out of the percentiles of its seconds.

/// What is known of one second's values: how many, and some of their shares.
package struct SecondSummary: Codable, Sendable {
  package var count: UInt64
  package var minimum: Double
  package var p50: Double
  package var p99: Double
  package var p999: Double
  package var maximum: Double

  package init(count: UInt64, minimum: Double, p50: Double, p99: Double, p999: Double, maximum: Double) {
    self.count = count
    self.minimum = minimum
    self.p50 = p50
    self.p99 = p99
    self.p999 = p999
    self.maximum = maximum
  }
}

package enum SummaryMerge {
  /// The value that `share` of all values of all seconds do not exceed, each second's shares joined by straight lines.
  ///
  /// - Parameter isSlack: percentiles are of what is left, so that `p99` is what 99 % have at least.
  package static func value(atShare share: Double, of seconds: [SecondSummary], isSlack: Bool) -> Double {
    let curves = seconds.filter { $0.count > 0 }.map { (count: Double($0.count), knots: knots($0, isSlack)) }
    guard !curves.isEmpty else { return 0 }
    let wanted = min(max(isSlack ? 1 - share : share, 0), 1) * curves.reduce(0) { $0 + $1.count }
    var low = curves.map { $0.knots[0].value }.min() ?? 0
    var high = curves.map { $0.knots[$0.knots.count - 1].value }.max() ?? 0
    // Halving 50 times reaches the last bit of any microsecond.
    for _ in 0..<50 where high > low {
      let middle = (low + high) / 2
      let below = curves.reduce(0) { $0 + $1.count * Self.share(below: middle, $1.knots) }
      if below < wanted { low = middle } else { high = middle }
    }
    return high
  }

  private typealias Knot = (value: Double, share: Double)

  /// Ascending: which share of the values is at most this.
  private static func knots(_ second: SecondSummary, _ isSlack: Bool) -> [Knot] {
    let least = 1 / Double(max(1, second.count))
    var knots: [Knot] =
      isSlack
      ? [
        (second.minimum, least), (second.p999, max(0.001, least)), (second.p99, max(0.01, least)), (second.p50, 0.5),
        (max(second.maximum, second.p50), 1),
      ]
      : [(second.minimum, least), (second.p50, 0.5), (second.p99, 0.99), (second.p999, 0.999), (second.maximum, 1)]
    for index in 1..<knots.count {
      knots[index].value = max(knots[index].value, knots[index - 1].value)
      knots[index].share = max(knots[index].share, knots[index - 1].share)
    }
    return knots
  }

  private static func share(below value: Double, _ knots: [Knot]) -> Double {
    guard value >= knots[0].value else { return 0 }
    for index in 1..<knots.count where value < knots[index].value {
      let (left, right) = (knots[index - 1], knots[index])
      let part = (value - left.value) / (right.value - left.value)
      return left.share + (right.share - left.share) * part
    }
    return 1
  }
}
