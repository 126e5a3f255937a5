//  RoundTrip.swift: round-trip time from report blocks, and the two fields that make it possible (RFC 3550 §6.4.1).

import Primitives

/// Arithmetic on the middle 32 bits of NTP timestamps: units of 1/65,536 s that wrap after 18 hours.
public enum RoundTrip {
  /// The middle 32 bits of an NTP timestamp.
  @inlinable public static func compact(_ ntp: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: ntp >> 16) }

  /// An interval as DLSR: clamped to 0…2³²−1 units.
  @inlinable public static func delay(_ interval: Interval) -> UInt32 {
    guard interval.nanoseconds > 0 else { return 0 }
    let seconds = UInt64(interval.nanoseconds) / 1_000_000_000
    guard seconds < 65_536 else { return .max }
    let rest = UInt64(interval.nanoseconds) % 1_000_000_000
    return UInt32(truncatingIfNeeded: seconds << 16 | rest << 16 / 1_000_000_000)
  }

  /// How long a packet takes to the peer and back.
  ///
  /// - Parameters:
  ///   - block: what the peer says of our source.
  ///   - arrival: NTP time at which its report arrived.
  /// - Returns: `nil` when the peer had no SR of ours yet, or when its fields give over 60 s or less than 0: skewed
  ///   clocks by less than 1/10 s count as 0.
  public static func time(of block: RTCPReportBlock, arrival: UInt64) -> Interval? {
    time(last: block.lastSenderReport, delay: block.delaySinceLastSenderReport, arrival: arrival)
  }

  /// The same by our reference time and what the peer says became of it (RFC 3611 §4.5).
  public static func time(of delay: RTCPReceiverDelay, arrival: UInt64) -> Interval? {
    time(last: delay.lastReceiverReport, delay: delay.delaySinceLastReceiverReport, arrival: arrival)
  }

  private static func time(last: UInt32, delay: UInt32, arrival: UInt64) -> Interval? {
    guard last != 0 else { return nil }
    let units = Int32(bitPattern: compact(arrival) &- last &- delay)
    guard units > -6_554, units <= 60 << 16 else { return nil }
    return .nanoseconds((Int64(max(units, 0)) &* 1_000_000_000) >> 16)
  }
}
