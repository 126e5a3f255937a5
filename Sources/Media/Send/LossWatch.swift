//  LossWatch.swift: whether a leg's peer loses enough of what we send to be sent it with in-band copies (RFC 6716 §2.1.7).
//  Walk: RTCPSession.receive → LossWatch → EncodeGroup

/// Decided from the peer's reports, with hysteresis: two reports of 2 % or more in a row begin it, thirty seconds of reports
/// below 0.5 % end it. What we left out ourselves, because a forwarded talker's packet was missing, is not the path's loss.
struct LossWatch: BitwiseCopyable {
  /// Of 256.
  static let lossy = 5
  static let clean = 1
  static let reportsToBegin = 2
  static let ticksToEnd: Int64 = 1_500

  private(set) var isLossy = false
  /// Per cent, smoothed: what the encoder is told to expect.
  private(set) var expected = 0
  private var reports = 0
  private var cleanSince: Int64 = -1
  private var gaps: UInt64 = 0
  private var packets: UInt64 = 0

  /// - Parameters:
  ///   - fraction: the report's loss, 0…255 of 256.
  ///   - gaps: sequence numbers that we left out, ever.
  ///   - packets: packets that we sent, ever.
  /// - Returns: whether `isLossy` has changed.
  mutating func take(fraction: UInt8, gaps: UInt64, packets: UInt64, tick: Int64) -> Bool {
    let left = gaps &- self.gaps
    let all = packets &- self.packets &+ left
    self.gaps = gaps
    self.packets = packets
    let own = all > 0 ? Int(clamping: left &* 256 / all) : 0
    let loss = max(0, Int(fraction) &- own)
    expected = max(isLossy ? 2 : 0, min(30, (expected &+ loss &* 100 / 256 &+ 1) / 2))
    reports = loss >= Self.lossy ? min(reports &+ 1, Self.reportsToBegin) : 0
    if loss > Self.clean { cleanSince = -1 } else if cleanSince < 0 { cleanSince = tick }
    if !isLossy, reports >= Self.reportsToBegin {
      isLossy = true
      return true
    }
    if isLossy, cleanSince >= 0, tick &- cleanSince >= Self.ticksToEnd {
      isLossy = false
      return true
    }
    return false
  }
}
