//  TickSchedule.swift: when each meeting's 20 ms tick falls: spread over the period, so that the load is flat.

import Primitives

/// 32 phases of 625 µs. A phase's meetings tick together, one after the other, every 20 ms.
struct TickSchedule {
  static let phases = 32
  static let period = Interval.milliseconds(20)
  static let step = Interval.microseconds(625)

  let origin: Instant
  /// The next phase step to run: step n is due at `origin + n · 625 µs` and belongs to phase n mod 32.
  private(set) var step: Int64 = 1
  private(set) var heads: InlineArray<32, Int32> = InlineArray(repeating: -1)
  private(set) var counts: InlineArray<32, Int32> = InlineArray(repeating: 0)
  private var occupied: UInt32 = 0

  init(origin: Instant) { self.origin = origin }

  /// The 20 ms tick that a step belongs to: what timestamps count.
  var tick: Int64 { step / Int64(Self.phases) }
  var phase: Int { Int(step % Int64(Self.phases)) }
  var due: Instant { origin + .nanoseconds(step &* Self.step.nanoseconds) }

  /// Passes over phases without meetings.
  mutating func skipEmpty() {
    guard occupied != 0 else { return }
    let phase = UInt32(self.phase)
    let ahead = (occupied >> phase | (phase == 0 ? 0 : occupied << (32 - phase))).trailingZeroBitCount
    step &+= Int64(ahead)
  }

  mutating func stepDone() { step &+= 1 }

  func due(of step: Int64) -> Instant { origin + .nanoseconds(step &* Self.step.nanoseconds) }

  /// The next step that belongs to a phase, 0..<32.
  func nextStep(ofPhase phase: Int) -> Int64 {
    step &+ Int64((phase &- self.phase &+ Self.phases) % Self.phases)
  }

  /// The step that falls on `due`, or nearest to it: on it where workers have one origin.
  func nearestStep(to due: Instant) -> Int64 {
    let half = Self.step.nanoseconds / 2
    return max(0, ((due - origin).nanoseconds &+ half) / Self.step.nanoseconds)
  }

  /// For a tick that somebody else should have run.
  mutating func rewind(to step: Int64) { self.step = max(0, step) }

  /// When the next meeting ticks; `.never` without meetings.
  var nextDue: Instant {
    guard occupied != 0 else { return .never }
    var ahead = self
    ahead.skipEmpty()
    return ahead.due
  }

  /// Leaves out whole periods, so that not more than `maximum` are to be made up for.
  /// - Returns: periods left out.
  mutating func catchUp(to now: Instant, maximum: Int) -> Int64 {
    let behind = (now - due).nanoseconds / Self.period.nanoseconds
    guard behind > Int64(maximum) else { return 0 }
    let skipped = behind &- Int64(maximum)
    step &+= skipped &* Int64(Self.phases)
    return skipped
  }

  /// Without meetings time just passes.
  mutating func idle(until now: Instant) {
    guard occupied == 0, now > due else { return }
    step = max(step, (now - origin).nanoseconds / Self.step.nanoseconds &+ 1)
  }

  /// The phase with the fewest meetings; among equals the one farthest from the others, by reversing the bits of a count.
  func emptiestPhase() -> Int {
    var best = 0
    for index in 0..<Self.phases {
      let candidate = Self.reversed(index)
      if counts[candidate] < counts[best] { best = candidate }
    }
    return best
  }

  private static func reversed(_ index: Int) -> Int {
    (index & 1) << 4 | (index & 2) << 2 | (index & 4) | (index & 8) >> 2 | (index & 16) >> 4
  }

  mutating func add(_ slot: Int, _ meetings: inout SlotTable<Meeting>) {
    let phase = meetings[slot].phase
    let head = Int(heads[phase])
    meetings[slot].next = head
    if head >= 0 { meetings[head].previous = slot }
    heads[phase] = Int32(truncatingIfNeeded: slot)
    counts[phase] &+= 1
    occupied |= 1 << UInt32(phase)
  }

  /// From its next tick on a meeting has another phase. Not from inside its own phase's list: take its neighbour first.
  mutating func move(_ slot: Int, to phase: Int, _ meetings: inout SlotTable<Meeting>) {
    remove(slot, &meetings)
    meetings[slot].phase = phase
    meetings[slot].next = -1
    meetings[slot].previous = -1
    add(slot, &meetings)
  }

  mutating func remove(_ slot: Int, _ meetings: inout SlotTable<Meeting>) {
    let (phase, next, previous) = (meetings[slot].phase, meetings[slot].next, meetings[slot].previous)
    if next >= 0 { meetings[next].previous = previous }
    if previous >= 0 { meetings[previous].next = next } else { heads[phase] = Int32(truncatingIfNeeded: next) }
    counts[phase] &-= 1
    if counts[phase] == 0 { occupied &= ~(1 << UInt32(phase)) }
  }
}
