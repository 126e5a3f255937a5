//  JitterBuffer+Delay.swift: keeps the delay at its target by wishes to the time-stretcher.
//  Walk: JitterBuffer.next → JitterBuffer.wish → PCMBuffer.accelerate, PCMBuffer.decelerate

import Primitives

/// What the delay controller wants of this tick's PCM.
@frozen public enum StretchWish: Sendable, Equatable {
  case none
  /// Remove at most so many samples. `urgent`: the delay is above its ceiling, quality comes second.
  case accelerate(atMost: Int, urgent: Bool)
  /// Insert a pitch period.
  case decelerate
}

/// A tick takes whole packets, so that what a packet may be late is fixed by how the packets' arrivals lie against the
/// ticks: it can be changed by a whole tick alone, a few pitch periods one after the other. What then remains unused of a
/// packet protects from nothing and is removed as soon as a period fits.
extension JitterBuffer {
  mutating func measure(early: Int64, unused: Int) {
    earliest = min(earliest, early)
    spare = min(spare, unused)
    ticksMeasured &+= 1
  }

  mutating func forgetMeasures() {
    earliest = .max
    spare = .max
    ticksMeasured = 0
  }

  /// By how much more than the target the packets of the last ticks came early; `nil` before that is known.
  var surplus: Int? {
    guard phase == .playing, held == 0, ticksMeasured >= 5 else { return nil }
    return Int(earliest &- Int64(arrivals.target))
  }

  /// What this tick's PCM should undergo. Ask once a tick, when its packets are decoded.
  public mutating func wish(now: Instant, available: Int) -> StretchWish {
    guard phase == .playing, held == 0 else { return .none }
    let excess = delay(now: now, available: available) &- Int(JitterLimits.ceiling)
    if excess > 0 { return .accelerate(atMost: max(excess, 720), urgent: true) }
    guard ticksMeasured > 0 else { return .none }
    let surplus = earliest &- Int64(arrivals.target)
    if surplus < -Int64(JitterLimits.tolerance) {
      guard ticksSinceStretch >= 2 else { return .none }
      return .decelerate
    }
    // Whole ticks by which packets come early, and samples that lie unused when the next packet is taken.
    let slack = max(0, Int(surplus) &- JitterLimits.hysteresis) / 960 &* 960 &+ spare
    // Where a talker begins, what is too much are mostly pauses and breath.
    let patience = slack > 1_920 || ticksSinceStart < 10 ? 1 : slack > 960 ? 3 : 6
    if ticksMeasured >= patience && slack >= PCMBuffer.shortestPeriod {
      return .accelerate(atMost: slack, urgent: false)
    }
    if ticksMeasured >= 50 { forgetMeasures() }
    return .none
  }

  /// The stretcher removed (negative) or inserted (positive) `samples`.
  public mutating func stretched(by samples: Int) {
    ticksSinceStretch = 0
    forgetMeasures()
  }
}
