//  SRTPSource.swift: what one direction remembers of one SSRC (RFC 3711 §3.2.3).

import Primitives

/// Rollover counter and replay windows of one SSRC.
struct SRTPSource: BitwiseCopyable {
  var ssrc: UInt32 = 0
  /// The highest RTP index among this source's packets of the batch now in work, not authenticated yet; else 0.
  var tentative: UInt64 = 0
  /// RTP indices: rollover counter and sequence number in 48 bits.
  var rtp = ReplayWindow()
  /// SRTCP indices received, 31 bits.
  var rtcp = ReplayWindow()
  /// The next SRTCP index to send: starts at 0 (RFC 3711 §3.4); 2³¹ when none is left.
  var nextControlIndex: UInt64 = 0
  /// For choosing the one longest silent.
  var lastUsed: UInt64 = 0

  /// The index that a packet most likely has (RFC 3711 §3.3.1, appendix A).
  ///
  /// - Throws: `.keyExhausted` where the rollover counter itself would wrap.
  @inline(__always) func index(of sequence: UInt16) throws(DropReason) -> UInt64 {
    guard rtp.isStarted else { return UInt64(sequence) }
    return try Self.index(of: sequence, near: rtp.highest)
  }

  /// The index with this sequence number that is nearest to `highest`.
  ///
  /// Never falls as `highest` rises: the tests of a batch rest on it (`SRTPContext+Batch.swift`).
  @inline(__always) static func index(of sequence: UInt16, near highest: UInt64) throws(DropReason) -> UInt64 {
    let newest = Int(truncatingIfNeeded: highest & 0xffff)
    var rollover = highest >> 16
    if newest < 0x8000 {
      // Nothing precedes rollover 0: there the packet is a long jump ahead.
      if Int(sequence) &- newest > 0x8000, rollover > 0 { rollover &-= 1 }
    } else if newest &- 0x8000 > Int(sequence) {
      guard rollover < 0xffff_ffff else { throw .keyExhausted }
      rollover &+= 1
    }
    return rollover << 16 | UInt64(sequence)
  }
}
