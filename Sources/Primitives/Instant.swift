//  Instant.swift: points on the monotonic clock and the intervals between them.

/// A point on the monotonic clock, in nanoseconds since an unspecified origin.
///
/// Cores never read a clock: they are given an `Instant` with each input.
@frozen public struct Instant: Comparable, Hashable, Sendable, BitwiseCopyable {
  public var nanoseconds: Int64

  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Later than anything a clock returns: the deadline of a core that waits for nothing.
  @inlinable public static var never: Instant { Instant(nanoseconds: .max) }
  @inlinable public static var zero: Instant { Instant(nanoseconds: 0) }

  @inlinable public static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
  /// Saturates at `.never`, so that `now + interval` cannot trap.
  @inlinable public static func + (instant: Instant, interval: Interval) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(interval.nanoseconds)
    return overflow ? .never : Instant(nanoseconds: sum)
  }
  @inlinable public static func - (instant: Instant, interval: Interval) -> Instant {
    Instant(nanoseconds: instant.nanoseconds &- interval.nanoseconds)
  }
  @inlinable public static func - (later: Instant, earlier: Instant) -> Interval {
    Interval(nanoseconds: later.nanoseconds &- earlier.nanoseconds)
  }
  @inlinable public static func += (instant: inout Instant, interval: Interval) {
    instant = instant + interval
  }
}

/// The time between two instants, in nanoseconds; may be negative.
@frozen public struct Interval: Comparable, Hashable, Sendable, BitwiseCopyable {
  public var nanoseconds: Int64

  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  @inlinable public static var zero: Interval { Interval(nanoseconds: 0) }
  @inlinable public static func seconds(_ count: Int) -> Interval {
    Interval(nanoseconds: Int64(count) * 1_000_000_000)
  }
  @inlinable public static func milliseconds(_ count: Int) -> Interval {
    Interval(nanoseconds: Int64(count) * 1_000_000)
  }
  @inlinable public static func microseconds(_ count: Int) -> Interval {
    Interval(nanoseconds: Int64(count) * 1_000)
  }
  @inlinable public static func nanoseconds(_ count: Int64) -> Interval {
    Interval(nanoseconds: count)
  }

  @inlinable public var seconds: Double { Double(nanoseconds) / 1e9 }
  @inlinable public var milliseconds: Double { Double(nanoseconds) / 1e6 }

  @inlinable public static func < (left: Interval, right: Interval) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
  @inlinable public static func + (left: Interval, right: Interval) -> Interval {
    Interval(nanoseconds: left.nanoseconds &+ right.nanoseconds)
  }
  @inlinable public static func - (left: Interval, right: Interval) -> Interval {
    Interval(nanoseconds: left.nanoseconds &- right.nanoseconds)
  }
  @inlinable public static func * (interval: Interval, factor: Int) -> Interval {
    Interval(nanoseconds: interval.nanoseconds &* Int64(factor))
  }
  @inlinable public static func / (interval: Interval, divisor: Int) -> Interval {
    Interval(nanoseconds: interval.nanoseconds / Int64(divisor))
  }
  @inlinable public static prefix func - (interval: Interval) -> Interval {
    Interval(nanoseconds: 0 &- interval.nanoseconds)
  }
}
