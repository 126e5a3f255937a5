//  LatencyHistogram.swift: durations counted into buckets whose width grows with their value.

/// Log-linear: 32 buckets for each doubling, so a reading is right to 1/32; 0 µs to 67 s, larger counts as that.
public struct LatencyHistogram: Sendable {
  private static let bits = 5
  private static let bucketCount = 704
  private var buckets: InlineArray<704, UInt32> = InlineArray(repeating: 0)
  private var sampleCount: UInt64 = 0
  private var smallest = Int32.max
  private var largest = Int32.min

  public init() {}

  public var count: UInt64 { sampleCount }

  /// - Parameter microseconds: negative counts as 0 in the buckets, and as itself in `minimum`.
  public mutating func record(microseconds: Int64) {
    let value = Int32(clamping: microseconds)
    smallest = min(smallest, value)
    largest = max(largest, value)
    buckets[Self.bucket(of: UInt32(clamping: max(0, value)))] &+= 1
    sampleCount &+= 1
  }

  /// Adds what another one counted.
  public mutating func merge(_ other: LatencyHistogram) {
    guard other.sampleCount > 0 else { return }
    for index in 0..<Self.bucketCount { buckets[index] &+= other.buckets[index] }
    sampleCount &+= other.sampleCount
    smallest = min(smallest, other.smallest)
    largest = max(largest, other.largest)
  }

  public mutating func reset() {
    guard sampleCount > 0 else { return }
    self = LatencyHistogram()
  }

  /// The least value that at least `share` of the samples do not exceed: the upper edge of its bucket, at most the maximum.
  public func value(atShare share: Double) -> Int32 {
    guard sampleCount > 0 else { return 0 }
    let wanted = max(1, UInt64((Double(sampleCount) * min(max(share, 0), 1)).rounded(.up)))
    var seen: UInt64 = 0
    for index in 0..<Self.bucketCount {
      seen &+= UInt64(buckets[index])
      if seen >= wanted { return max(smallest, min(largest, Int32(clamping: Self.upperEdge(of: index)))) }
    }
    return largest
  }

  public var summary: LatencySummary {
    var summary = LatencySummary()
    guard sampleCount > 0 else { return summary }
    summary.count = sampleCount
    summary.minimum = smallest
    summary.p50 = value(atShare: 0.5)
    summary.p99 = value(atShare: 0.99)
    summary.p999 = value(atShare: 0.999)
    summary.maximum = largest
    return summary
  }

  private static func bucket(of value: UInt32) -> Int {
    let limited = min(value, (1 << 26) - 1)
    guard limited >= 32 else { return Int(limited) }
    let exponent = 31 &- limited.leadingZeroBitCount  // 5…25
    return (exponent &- bits &+ 1) &* 32 &+ Int(limited >> UInt32(exponent &- bits)) &- 32
  }

  private static func upperEdge(of index: Int) -> UInt32 {
    guard index >= 32 else { return UInt32(index) }
    let exponent = UInt32(index / 32 - 1)
    return (UInt32(index % 32 + 33) << exponent) - 1
  }
}
