//  IntervalHistogram.swift: times between packets that ought to be equal, exact where they are.

import Media

/// Counts how far each interval is from the nominal one: a reading is right to 1/32 of its distance from that.
///
/// A histogram of the intervals themselves has one bucket from 19.968 to 20.479 ms: it calls a perfect 20 ms 20.5.
public struct IntervalHistogram: Sendable {
  public let nominal: Int64
  /// Microseconds by which intervals were shorter than nominal; not those that were exact.
  private var early = LatencyHistogram()
  /// Microseconds by which intervals were longer than nominal, or 0.
  private var late = LatencyHistogram()

  /// - Parameter nominal: microseconds.
  public init(nominal: Int64 = 20_000) { self.nominal = nominal }

  public var count: UInt64 { early.count + late.count }

  public mutating func record(microseconds: Int64) {
    if microseconds < nominal {
      early.record(microseconds: nominal - microseconds)
    } else {
      late.record(microseconds: microseconds - nominal)
    }
  }

  /// Adds what another one of the same nominal interval counted.
  public mutating func merge(_ other: IntervalHistogram) {
    early.merge(other.early)
    late.merge(other.late)
  }

  /// The interval that at least `share` of all do not exceed; 0 without any.
  public func value(atShare share: Double) -> Int32 {
    guard count > 0 else { return 0 }
    let rank = min(count, max(1, UInt64((Double(count) * min(max(share, 0), 1)).rounded(.up))))
    // Half a rank less, so that no rounding leads to the next one.
    if rank <= early.count {
      let fromLongest = Double(early.count - rank + 1) - 0.5
      return Int32(clamping: nominal - Int64(early.value(atShare: fromLongest / Double(early.count))))
    }
    let ofLate = Double(rank - early.count) - 0.5
    return Int32(clamping: nominal + Int64(late.value(atShare: ofLate / Double(late.count))))
  }

  public var summary: LatencySummary {
    var summary = LatencySummary()
    guard count > 0 else { return summary }
    summary.count = count
    summary.minimum = value(atShare: 0)
    summary.p50 = value(atShare: 0.5)
    summary.p99 = value(atShare: 0.99)
    summary.p999 = value(atShare: 0.999)
    summary.maximum = value(atShare: 1)
    return summary
  }
}

/// One histogram for the packets of many phones: a thousand of their own would not fit into a cache.
public final class IntervalRecorder {
  public var histogram: IntervalHistogram
  public init(nominal: Int64 = 20_000) { histogram = IntervalHistogram(nominal: nominal) }
}
