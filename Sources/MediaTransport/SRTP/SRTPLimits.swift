//  SRTPLimits.swift: the named maxima of SRTP state and keys.

public enum SRTPLimits {
  /// SSRCs with their own rollover counter and replay window, per key and direction.
  public static let sources = 16
  /// Packets that may arrive late and are still told from replays (RFC 3711 §3.3.2 asks for 64 or more).
  public static let replayWindow = 448
  /// Packets of unknown SSRCs that may fail in a row before only each 16th is tried with a second rollover counter.
  public static let failedBeginnings: UInt32 = 16
  /// Longest MKI (RFC 4568 §6.1 allows 1–128 bytes).
  public static let mkiCount = 128
  /// Longest growth of a packet: SRTCP's index, a GCM tag and the longest MKI.
  public static let maximumGrowth = 4 + 16 + mkiCount
  /// RTP packets that one master key may protect (RFC 3711 §9.2).
  public static let rtpPackets: UInt64 = 1 << 48
  /// RTCP packets that one master key may protect (RFC 3711 §9.2).
  public static let rtcpPackets: UInt64 = 1 << 31
}
