//  Limits.swift: the named maxima of everything this module loops over.

/// The maxima of RTP and RTCP parsing. A packet beyond one of them is refused, not cut.
public enum RTPLimits {
  /// Longest datagram read as RTP or RTCP: what UDP over IPv6 can carry without jumbograms.
  public static let packetCount = 65_535
  /// Packets in one compound RTCP datagram (RFC 3550 §6.1 sets none).
  public static let compoundPackets = 32
  /// Chunks read of one SDES packet: its 5-bit source count (RFC 3550 §6.5).
  public static let chunks = 31
  /// Longest reason kept of a BYE, and longest SDES item: one length byte (RFC 3550 §6.5, §6.6).
  public static let itemCount = 255
  /// Contributing sources: a 4-bit count (RFC 3550 §5.1).
  public static let contributors = 15
  /// Members that the RTCP timer counts: beyond, its interval is over a day anyway.
  public static let sessionMembers = 1 << 20
  /// Blocks in one extended report (RFC 3611 sets none).
  public static let extendedBlocks = 32
  /// Report blocks in one SR or RR: a 5-bit count (RFC 3550 §6.4).
  public static let reportBlocks = 31
}
