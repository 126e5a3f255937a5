//  DurationHistogram.swift: durations counted for ever into a few buckets, as a scraper wants them.

/// Fourteen upper bounds and what lies above them. Never reset, so that a scrape that is missed loses nothing.
@frozen public struct DurationHistogram: Sendable {
  public static let bounds = 14
  @usableFromInline let limits: InlineArray<14, Int32>
  @usableFromInline var counts: InlineArray<15, UInt64> = InlineArray(repeating: 0)
  /// Of all samples; negative ones add nothing.
  public private(set) var sumMicroseconds: UInt64 = 0

  private init(limits: InlineArray<14, Int32>) { self.limits = limits }

  /// A tick's slack: what is left of its 20 ms. The first bucket holds the ticks that were late.
  public static var slack: DurationHistogram {
    DurationHistogram(limits: [
      0, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 18_000, 19_000, 20_000,
    ])
  }

  /// From a packet's arrival to the departure of the mix that it is heard in.
  public static var residence: DurationHistogram {
    DurationHistogram(limits: [
      2_500, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000, 40_000, 60_000, 80_000, 120_000, 160_000, 240_000, 500_000,
    ])
  }

  /// From a call to its first media.
  public static var joining: DurationHistogram {
    DurationHistogram(limits: [
      10_000, 20_000, 30_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 500_000, 1_000_000, 2_000_000,
      5_000_000, 10_000_000,
    ])
  }

  @inline(__always) public mutating func record(microseconds: Int64) {
    var place = 0
    while place < Self.bounds, microseconds > Int64(limits[place]) { place &+= 1 }
    counts[place] &+= 1
    sumMicroseconds &+= UInt64(clamping: microseconds)
  }

  /// Upper bound of bucket `index`, inclusive; `nil` for the last, which has none.
  public func limitMicroseconds(_ index: Int) -> Int32? { index < Self.bounds ? limits[index] : nil }

  /// Samples up to the bound of bucket `index`, those of lower buckets included.
  public func cumulative(_ index: Int) -> UInt64 {
    var sum: UInt64 = 0
    for place in 0...min(max(0, index), Self.bounds) { sum &+= counts[place] }
    return sum
  }

  public var count: UInt64 { cumulative(Self.bounds) }
}
