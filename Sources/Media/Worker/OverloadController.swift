//  OverloadController.swift: how much a worker that runs out of time leaves out, step by step, and takes up again.

import Primitives

/// What a worker leaves out, in this order: quality nobody misses, then softer talkers, then newcomers.
@frozen public enum OverloadStep: UInt8, Comparable, CaseIterable, Sendable, BitwiseCopyable {
  case normal
  /// Opus encoders work at complexity 2, then 0.
  case cheaperOpus, cheapestOpus
  /// One, two, three talkers fewer are decoded and mixed; never less than one.
  case lessOneTalker, lessTwoTalkers, lessThreeTalkers
  /// Legs that want to join are answered 503.
  case refusing

  @inlinable public static func < (left: OverloadStep, right: OverloadStep) -> Bool { left.rawValue < right.rawValue }

  public static let count = 7

  /// Of Opus encoders, 0–10.
  public func complexity(of normal: Int) -> Int {
    switch self {
    case .normal: normal
    case .cheaperOpus: min(normal, 2)
    case .cheapestOpus, .lessOneTalker, .lessTwoTalkers, .lessThreeTalkers, .refusing: 0
    }
  }

  /// Of those that are decoded and mixed, at least 1.
  public func talkers(of normal: Int) -> Int {
    switch self {
    case .normal, .cheaperOpus, .cheapestOpus: normal
    case .lessOneTalker: max(1, normal - 1)
    case .lessTwoTalkers: max(1, normal - 2)
    case .lessThreeTalkers, .refusing: max(1, normal - 3)
    }
  }

  var next: OverloadStep { OverloadStep(rawValue: rawValue &+ 1) ?? self }
  var previous: OverloadStep { rawValue > 0 ? OverloadStep(rawValue: rawValue &- 1) ?? self : self }
}

/// One worker's step, from how its ticks went: fast up, slow down.
///
/// Time is judged in windows of an eighth of a second. A window is *overdue* when a tenth of its ticks missed their
/// deadline or hardly a packet buffer was free, *strained* when ticks had little slack or time was short, *calm* when
/// neither is near. Strain adds up, so that one stall of the machine changes nothing; a step is taken back after `hold` of
/// calm, which doubles each time that the step is needed again soon: a load that sits on a border is not followed.
public struct OverloadController: Sendable, BitwiseCopyable {
  /// What happened since the last window.
  public struct Window: Sendable, BitwiseCopyable {
    /// Meetings' ticks that ended in it.
    public var ticks = 0
    /// Those that ended after their deadline.
    public var late = 0
    /// Those with less than `tightSlack` to spare, late ones included.
    public var tight = 0
    /// Share of the time that the worker did not wait, 0…1.
    public var busy = 0.0
    /// Share of the packet buffers that are free, 0…1.
    public var free = 1.0
    public init() {}
  }

  public static let window = Interval.milliseconds(125)
  public static let tightSlack = Interval.milliseconds(4)
  /// Calm before a step is taken back, at first and at most.
  public static let shortestHold = Interval.seconds(2)
  public static let longestHold = Interval.seconds(64)
  /// Below this share of its time a worker is idle enough for `shortestHold`, whatever was before.
  static let idle = 0.3
  /// A step up within so long after a step down was a relapse.
  static let relapse = Interval.seconds(20)
  /// So long without strain forgets relapses.
  static let forgiveness = Interval.seconds(60)
  /// Pressure that makes a step: two overdue windows, or four strained ones; the step to `refusing` needs twice that.
  static let pressureOfStep = 4

  public private(set) var step = OverloadStep.normal
  /// Steps up and down, ever.
  public private(set) var raised: UInt64 = 0
  public private(set) var lowered: UInt64 = 0
  /// How long calm must last now before a step is taken back.
  public private(set) var hold = shortestHold
  private var pressure = 0
  private var calmSince: Instant?
  private var loweredAt: Instant?
  private var strainedAt: Instant?

  public init() {}

  enum Judgement { case overdue, strained, neutral, calm }

  static func judge(_ window: Window) -> Judgement {
    let busy = window.busy.isFinite ? window.busy : 1
    let free = window.free.isFinite ? window.free : 0
    if (window.late >= 2 && window.late &* 10 >= window.ticks) || free < 1.0 / 64 { return .overdue }
    if (window.tight >= 2 && window.tight &* 20 >= window.ticks) || busy >= 0.9 || free < 1.0 / 32 { return .strained }
    if window.late == 0, window.tight &* 100 <= window.ticks, busy < 0.75, free >= 1.0 / 16 { return .calm }
    return .neutral
  }

  /// Judges one window.
  ///
  /// - Parameter now: its end; later than the last one's.
  /// - Returns: whether `step` has changed, which it does by one.
  public mutating func observe(_ window: Window, now: Instant) -> Bool {
    let judgement = Self.judge(window)
    switch judgement {
    case .overdue: strained(by: 2, now: now)
    case .strained: strained(by: 1, now: now)
    case .neutral:
      pressure = max(0, pressure &- 1)
      calmSince = nil
    case .calm:
      pressure = 0
      if calmSince == nil { calmSince = now - Self.window }
    }
    if let strainedAt, now - strainedAt >= Self.forgiveness, step == .normal { hold = Self.shortestHold }
    let wanted = step.next == .refusing ? 2 * Self.pressureOfStep : Self.pressureOfStep
    if pressure >= wanted {
      // The next window of the same kind is half of the way again: a flood is met in two seconds.
      pressure = Self.pressureOfStep / 2
      return raise(now: now)
    }
    // A worker that has next to nothing to do need not be careful.
    let needed = window.busy < Self.idle ? Self.shortestHold : hold
    if let calmSince, step > .normal, now - calmSince >= needed {
      lower(now: now)
      return true
    }
    return false
  }

  private mutating func strained(by amount: Int, now: Instant) {
    pressure = min(pressure &+ amount, 2 * Self.pressureOfStep)
    calmSince = nil
    strainedAt = now
  }

  private mutating func raise(now: Instant) -> Bool {
    guard step < .refusing else { return false }
    step = step.next
    raised &+= 1
    if let loweredAt, now - loweredAt < Self.relapse {
      hold = min(hold * 2, Self.longestHold)
      self.loweredAt = nil  // the steps that follow are the same relapse
    }
    return true
  }

  private mutating func lower(now: Instant) {
    step = step.previous
    lowered &+= 1
    loweredAt = now
    calmSince = now
  }
}
