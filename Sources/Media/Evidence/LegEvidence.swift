//  LegEvidence.swift: what one leg counts between two of its seconds, and where its other counters stood at the last one.
//  Walk: AudioMixer → LegEvidence, MeetingEvidence → MediaWorker.sampleEvidence → LegSecond

import Primitives

/// Inside the leg, so that it moves with it.
///
/// What happens in a tick is a bit of `tick mod 64`: a second has 50 ticks, so none is counted twice.
struct LegEvidence: BitwiseCopyable {
  /// Of the last second's last tick; `.min` before the first.
  var lastTick = Int64.min
  /// Its voice was in the mix.
  private(set) var mixedTicks: UInt64 = 0
  /// Its own mix was turned down by its limiter.
  var limitedTicks: UInt64 = 0
  private(set) var level: Int8 = -127
  var comfort: UInt32 = 0
  var forwarded: UInt32 = 0
  var unsent: UInt32 = 0
  var before = LegTotals()

  @inline(__always) mutating func mixed(level: Int, tick: Int64) {
    mixedTicks |= Self.bit(of: tick)
    self.level = max(self.level, Int8(clamping: level))
  }

  @inline(__always) mutating func limited(tick: Int64) { limitedTicks |= Self.bit(of: tick) }

  mutating func beginSecond(tick: Int64, totals: LegTotals) {
    lastTick = tick
    mixedTicks = 0
    limitedTicks = 0
    level = -127
    comfort = 0
    forwarded = 0
    unsent = 0
    before = totals
  }

  static func bit(of tick: Int64) -> UInt64 { 1 << UInt64(truncatingIfNeeded: tick & 63) }
}

/// A leg's cumulative counters as they stood; their differences are a second's. They may wrap.
struct LegTotals: BitwiseCopyable {
  var received: UInt32 = 0
  var lost: Int32 = 0
  var reordered: UInt32 = 0
  var duplicate: UInt32 = 0
  var late: UInt32 = 0
  var dropped: UInt32 = 0
  var concealed: UInt32 = 0
  var recovered: UInt32 = 0
  var stretched: UInt32 = 0
  var restarts: UInt32 = 0
  var sent: UInt32 = 0
  var control: UInt32 = 0
  var remoteReports: UInt32 = 0
  /// Of the worker: packets of any leg dropped for want of a buffer or by the socket.
  var hostDrops: UInt32 = 0
}

/// A meeting's last 64 ticks.
struct MeetingEvidence: BitwiseCopyable {
  /// Somebody was heard; at least two were.
  private(set) var voicedTicks: UInt64 = 0
  private(set) var chorusTicks: UInt64 = 0
  private(set) var limitedTicks: UInt64 = 0
  /// From when each was due to when its packets had left, 1/10 ms.
  private var lateness: InlineArray<64, UInt16> = InlineArray(repeating: 0)
  /// The next of the meeting's legs whose second ends, and the tick of its last round.
  var cursor = 0
  var step: Int64 = 0

  @inline(__always) mutating func ticked(voices: Int, limited: Bool, tick: Int64) {
    let bit = LegEvidence.bit(of: tick)
    voicedTicks = voices > 0 ? voicedTicks | bit : voicedTicks & ~bit
    chorusTicks = voices > 1 ? chorusTicks | bit : chorusTicks & ~bit
    limitedTicks = limited ? limitedTicks | bit : limitedTicks & ~bit
    lateness[Int(tick & 63)] = 0
  }

  mutating func departed(after interval: Interval, tick: Int) {
    lateness[tick & 63] = UInt16(clamping: interval.nanoseconds / 100_000)
  }

  /// The worst of the `count` ticks that end with `tick`.
  func worst(of count: Int, endingAt tick: Int64) -> UInt16 {
    var worst: UInt16 = 0
    for back in 0..<Int64(min(max(count, 0), 64)) { worst = max(worst, lateness[Int((tick &- back) & 63)]) }
    return worst
  }

  /// Bits of the `count` ticks that end with `tick`.
  static func mask(of count: Int, endingAt tick: Int64) -> UInt64 {
    guard count < 64 else { return ~0 }
    let ones: UInt64 = 1 << UInt64(max(0, count)) &- 1
    let turn = UInt64(truncatingIfNeeded: (tick &- Int64(count) &+ 1) & 63)
    return turn == 0 ? ones : ones << turn | ones >> (64 &- turn)
  }
}
