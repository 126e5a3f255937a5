//  RTPClockMapping.swift: an RTP timestamp as wall-clock time of its sender, by its last sender report (RFC 3550 §6.4.1).

import Primitives

/// The pair of clocks that a sender report gives, at one moment of the sender.
@frozen public struct RTPClockMapping: Hashable, Sendable, BitwiseCopyable {
  /// Of the sender's wall clock.
  public var ntp: UInt64
  public var rtpTimestamp: UInt32
  /// When the report arrived, by our clock.
  public var arrival: Instant

  @inlinable public init(_ report: RTCPSenderInfo, arrival: Instant) {
    ntp = report.ntp
    rtpTimestamp = report.rtpTimestamp
    self.arrival = arrival
  }

  /// The sender's NTP time at which `timestamp` was sampled.
  ///
  /// - Parameter clockRate: Hz of the timestamp, not 0. Timestamps up to half their range away: 12 hours at 48 kHz.
  public func ntpTime(of timestamp: UInt32, clockRate: UInt32) -> UInt64 {
    let ticks = Int64(Int32(bitPattern: timestamp &- rtpTimestamp))
    let rate = Int64(max(clockRate, 1))
    // Whole seconds and the rest apart, so that nothing overflows.
    let seconds = ticks / rate
    let rest = ticks % rate
    return ntp &+ UInt64(bitPattern: seconds << 32) &+ UInt64(bitPattern: (rest << 32) / rate)
  }
}
