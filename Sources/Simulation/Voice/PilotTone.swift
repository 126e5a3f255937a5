//  PilotTone.swift: the tones by which a virtual talker is recognised in a mix, and the mark by which delay is measured.

/// A talker's voice is speech below 2 kHz plus one steady tone of his own above it, which survives every codec here, G.711
/// included. Whose tones an ear finds, it hears.
public enum PilotTone {
  /// Distinct talkers.
  public static let count = 14
  /// Of a full-scale sine.
  public static let amplitude = 0.05
  /// A pilot is heard from this amplitude on: what a limiter may take away from four talkers is allowed for.
  public static let threshold = 0.012

  /// 2,225 … 3,005 Hz. Whatever repeats with every frame of 20 ms puts sidebands at multiples of 50 Hz beside a tone, which
  /// must not look like another one.
  public static func frequency(_ pilot: Int) -> Double { 2_225 + 60 * Double(pilot % count) }
}

/// A 20 ms burst at the start of a second: sent by one talker at a time, looked for by every ear.
public enum DelayMark {
  public static let frequency = 3_200.0
  public static let amplitude = 0.25
  public static let threshold = 0.08
  /// Bursts are this far apart, which bounds the delay that can be told.
  public static let spacingMilliseconds = 1_000
}
