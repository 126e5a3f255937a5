//  Limits.swift: the largest session description Parley reads.

/// Bounds on a session description from the network; what exceeds one is refused whole (`SDPError`).
public enum SDPLimits {
  public static let bodyBytes = 65_536
  public static let lineBytes = 4_096
  public static let mediaDescriptions = 32
  /// Of the session, and of each media description.
  public static let attributesPerSection = 512
  /// Formats listed in one `m=` line.
  public static let formats = 128
  /// Lines of one section other than `a=` and `m=`.
  public static let otherLinesPerSection = 64
  /// Keys in one `a=crypto` line.
  public static let keysPerCryptoLine = 4
  /// Crypto lines of one media description that are looked at.
  public static let cryptoLines = 16
}
