//  ReplayWindow.swift: which packet indices were seen (RFC 3711 §3.3.2), as a ring of bits that is never shifted (RFC 6479).

import Primitives

/// Remembers the last `SRTPLimits.replayWindow` indices. Trivial: lives inside a source's state.
struct ReplayWindow: BitwiseCopyable {
  private static var words: UInt64 { 8 }  // one word more than the window: the newest word fills up while it is used

  /// The highest index accepted; meaningless before the first.
  private(set) var highest: UInt64 = 0
  private(set) var isStarted = false
  private var bits: InlineArray<8, UInt64> = InlineArray(repeating: 0)

  /// - Throws: `.tooOld` or `.replayed`. Changes nothing.
  @inline(__always) func check(_ index: UInt64) throws(DropReason) {
    guard isStarted, index <= highest else { return }
    guard highest &- index < UInt64(SRTPLimits.replayWindow) else { throw .tooOld }
    let word = Int(truncatingIfNeeded: index >> 6 & (Self.words &- 1))
    guard bits[word] & 1 << (index & 63) == 0 else { throw .replayed }
  }

  /// Remembers an index that `check` passed and whose packet is authentic.
  @inline(__always) mutating func accept(_ index: UInt64) {
    if !isStarted {
      isStarted = true
      highest = index
    } else if index > highest {
      let newer = index >> 6
      var word = highest >> 6
      if newer &- word >= Self.words { word = newer &- Self.words }
      while word < newer {
        word &+= 1
        bits[Int(truncatingIfNeeded: word & (Self.words &- 1))] = 0
      }
      highest = index
    }
    bits[Int(truncatingIfNeeded: index >> 6 & (Self.words &- 1))] |= 1 << (index & 63)
  }
}
