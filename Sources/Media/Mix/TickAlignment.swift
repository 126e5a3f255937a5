//  TickAlignment.swift: moves a meeting's tick to just after its talkers' packets, a step at a time.
//  Walk: AudioReceiver.surplus → TickAlignment → TickSchedule.move

import Primitives

/// Where in the 20 ms a meeting should tick.
///
/// A packet waits from its arrival to the next tick that has the margin it needs: up to 20 ms, a matter of chance, and the
/// same in every tick. Each talker's *surplus* is by how much more than needed it comes early; a tick that is earlier by the
/// least of them loses nothing, and one that passes a talker's packets gains more where the others' come long before. The
/// steps are small and slow (0.625 ms each 100 ms), so that what listeners get is a clock 0.6 % fast, not a jump.
struct TickAlignment: BitwiseCopyable {
  /// 48 kHz samples of one of the schedule's phases: 625 µs.
  static let stepSamples = 30
  static let periodSamples = 960
  /// Ticks between two steps.
  static let patience: Int32 = 5
  /// A talker with less surplus than this at the first phase has not enough at the last one for its buffer to become shorter.
  static let shortOfLast =
    periodSamples + JitterLimits.hysteresis - (TickSchedule.phases - 1) * stepSamples + stepSamples
  /// A talker's gain for which it is worth moving, on the mean: 2 ms.
  static let worthwhile = 96

  private var surpluses: InlineArray<8, Int32> = InlineArray(repeating: 0)
  private var count = 0
  /// A talker is about to be late, or is not yet known: first comes its own buffer.
  private var isUnsettled = false
  private var pause: Int32 = 0

  mutating func begin() {
    count = 0
    isUnsettled = false
  }

  /// - Parameter surplus: of one talker that is heard, samples.
  mutating func note(_ surplus: Int?) {
    guard let surplus, surplus >= -JitterLimits.tolerance else {
      isUnsettled = true
      return
    }
    guard count < MediaWorkerLimits.maximumTalkers else { return }
    surpluses[count] = Int32(max(0, min(surplus, 2 &* Self.periodSamples)))
    count &+= 1
  }

  /// Samples by which the tick should come earlier than it does: the surplus of the talker behind whose packets it should be.
  private var wanted: Int {
    guard count > 0, !isUnsettled else { return 0 }
    var best = 0
    var least = waiting(whenEarlierBy: 0)
    let enough = Self.worthwhile &* count
    for index in 0..<count {
      let surplus = Int(surpluses[index])
      let sum = waiting(whenEarlierBy: surplus)
      if sum &+ (best == 0 ? enough : 0) < least {
        best = surplus
        least = sum
      }
    }
    return best
  }

  private func waiting(whenEarlierBy samples: Int) -> Int {
    var sum = 0
    for index in 0..<count {
      let rest = Int(surpluses[index]) &- samples
      sum &+= rest < 0 ? rest &+ Self.periodSamples : rest
    }
    return sum
  }

  /// Once a tick.
  /// - Returns: the phase to move to; `nil`: stay. Never across the end of the 32, where ticks begin to count anew.
  mutating func next(from phase: Int) -> Int? {
    if pause > 0 {
      pause &-= 1
      return nil
    }
    let samples = wanted
    guard samples > 0 else { return nil }
    pause = Self.patience
    // Earlier; or, where that would lead over the first phase, later, until that talker's own buffer becomes a tick shorter.
    // Which of them does not change on the way.
    if samples &- phase &* Self.stepSamples < Self.shortOfLast { return phase > 0 ? phase &- 1 : nil }
    return phase < TickSchedule.phases &- 1 ? phase &+ 1 : nil
  }
}
