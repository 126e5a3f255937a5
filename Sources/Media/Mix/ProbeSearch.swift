//  ProbeSearch.swift: which of a meeting's perhaps loud legs is looked at next.
//  Walk: TalkerActivity → ProbeSearch → TalkerChoice

/// One pass over a meeting's legs: fresh ones first, then in turn.
struct ProbeSearch: BitwiseCopyable {
  /// After a probe, for legs that were wrong before: 400 ms, so that a room of noise costs one decode in three ticks.
  static let pauseTicks: Int32 = 20

  private let cursor: Int
  private var isRunning = false
  private var fresh = -1
  private var first = -1
  private var next = -1

  init(cursor: Int) { self.cursor = cursor }

  mutating func consider(_ index: Int, isFresh: Bool, isRunning: Bool) {
    if isRunning { self.isRunning = true }
    if isFresh, fresh < 0 { fresh = index }
    if first < 0 { first = index }
    if next < 0, index >= cursor { next = index }
  }

  /// - Returns: `nil` while a probe runs, none is wanted, or the pause is not over.
  func found(pause: inout Int32) -> Int? {
    if isRunning { return nil }
    if fresh >= 0 {
      pause = Self.pauseTicks
      return fresh
    }
    guard pause <= 0 else {
      pause &-= 1
      return nil
    }
    let index = next >= 0 ? next : first
    if index >= 0 { pause = Self.pauseTicks }
    return index >= 0 ? index : nil
  }
}
