//  JitterLimits.swift: bounds of the play-out delay.

/// 48 kHz samples. A *delay* is how much later than with the fastest packet of the last seconds a sample is played;
/// how long the packet itself is comes on top of it.
@frozen public enum JitterLimits {
  /// 200 ms
  public static let ceiling: Int64 = 9_600
  /// 3 ms: what a packet must come before its tick, however steady the path. A tick is played whole or not at all, so
  /// the delay lies between the target and a tick more.
  public static let floor = 144
  /// The target stays so far below the ceiling that a tick's phase fits: 180 ms.
  public static let highestTarget = 8_640
  /// Before anything is known: 20 ms.
  public static let firstTarget = 960
  /// Share of the packets that are to be there in time, beside what the latest of them raises the target to.
  static let quantile: Float = 0.997
  /// On top of what was observed: 1 ms.
  static let margin = 48
  /// Periods that one tick removes at most, above the ceiling: after a burst of half a second, some 40 ms a tick.
  public static let urgentPeriods = 6
  /// Nor lengthened for less than this short of the target: 1 ms.
  static let tolerance = 48
  /// The delay is not shortened by a tick for less than this beyond it: 2 ms.
  static let hysteresis = 96
  /// Concealment of one gap, faded out by then: 120 ms.
  static let longestConcealment = 5_760
  /// A packet a second away from the others' clock belongs to another clock.
  static let clockJump: Int64 = 48_000
  /// A stream that pauses or is not heard still takes packets that are so late: 80 ms.
  static let lateWhileUnheard: Int64 = 3_840
  /// Kept packets that are softer, dBov, are not the beginning of anybody's speech.
  static let softest: Int8 = -60
}
