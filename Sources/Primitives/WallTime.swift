//  WallTime.swift: the calendar's time, where a protocol wants it (NTP, SDP, roster, records).

/// Microseconds since 1970-01-01T00:00:00Z. Given to a core beside `Instant` only where the wire carries calendar time.
@frozen public struct WallTime: Comparable, Hashable, Sendable, BitwiseCopyable {
  public var microseconds: Int64

  @inlinable public init(microseconds: Int64) { self.microseconds = microseconds }

  @inlinable public static func < (left: WallTime, right: WallTime) -> Bool {
    left.microseconds < right.microseconds
  }

  /// The 64-bit NTP timestamp: seconds since 1900 in the high half, fraction in the low half (RFC 5905 §6).
  @inlinable public var ntp: UInt64 {
    let seconds = UInt64(bitPattern: microseconds / 1_000_000 &+ 2_208_988_800)
    let fraction = UInt64(bitPattern: microseconds % 1_000_000) &* (1 << 32) / 1_000_000
    return seconds << 32 | fraction
  }
}

/// Where monotonic and calendar time meet: the shell reads both clocks once and hands this to its cores,
/// so that a core can name calendar time without a clock.
@frozen public struct ClockAnchor: Hashable, Sendable, BitwiseCopyable {
  public var instant: Instant
  public var wall: WallTime

  @inlinable public init(instant: Instant, wall: WallTime) {
    self.instant = instant
    self.wall = wall
  }

  @inlinable public func wallTime(at instant: Instant) -> WallTime {
    WallTime(microseconds: wall.microseconds &+ (instant - self.instant).nanoseconds / 1_000)
  }
}
