//  CapacitySearch.swift: which numbers of participants are tried, one after another, to find the highest that is carried.

/// Doubles until one is too many, halves what lies between, confirms the highest by a longer run, and steps down from it
/// when that fails. A number that failed is tried once more at once, because one hiccup of a shared machine is no limit;
/// a confirmation only when the load tool was at fault.
///
///     double ──failed twice──▶ bisect ──narrow enough──▶ confirm ──passed──▶ done
///        └──maximum passed─────────────────────────────────▲  └──failed: 5 % less──┘
package struct CapacitySearch: Sendable {
  package enum Step: Hashable, Sendable {
    case measure(Int)
    case confirm(Int)
  }
  /// Why nothing higher was found.
  package enum Limit: String, Codable, Sendable {
    case gate
    /// `maximum` was carried: there is room above.
    case maximum
    /// The load tool could not keep up with more: the result is a lower bound.
    case loadTool = "load tool"
    case time
  }

  package let maximum: Int
  /// All numbers but `maximum` are multiples of it.
  package let granularity: Int
  /// The search ends when the gap is at most this share of the highest that passed.
  package let tolerance: Double

  /// The highest that passed, not yet confirmed.
  package private(set) var highest = 0
  package private(set) var confirmed: Int?
  package private(set) var limit: Limit?
  package private(set) var next: Step?
  private var ceiling: Int?
  private var ceilingIsTool = false
  private var isRetry = false
  private var confirmations = 0

  /// Steps down from a confirmation that failed, at most.
  package static let confirmationsMaximum = 6

  package init(first: Int, granularity: Int, maximum: Int, tolerance: Double = 0.04) {
    self.maximum = max(1, maximum)
    self.granularity = max(1, min(granularity, max(1, maximum)))
    self.tolerance = max(0, tolerance)
    next = nil
    next = .measure(rounded(min(first, maximum)))
  }

  package mutating func record(_ verdict: Verdict) {
    switch next {
    case .measure(let count): recordMeasure(count, verdict)
    case .confirm(let count): recordConfirmation(count, verdict)
    case nil: break
    }
  }

  /// No more time: the highest that passed stands unconfirmed.
  package mutating func giveUp() {
    guard next != nil else { return }
    limit = .time
    next = nil
  }

  private mutating func recordMeasure(_ count: Int, _ verdict: Verdict) {
    if verdict != .passed, !isRetry {
      isRetry = true
      return
    }
    isRetry = false
    if verdict == .passed {
      highest = max(highest, count)
    } else {
      ceiling = count
      ceilingIsTool = verdict == .invalid
    }
    choose()
  }

  private mutating func choose() {
    guard let ceiling else {
      next = highest >= maximum ? .confirm(highest) : .measure(rounded(min(maximum, highest * 2)))
      return
    }
    let gap = ceiling - highest
    let middle = rounded(highest + gap / 2)
    if gap <= granularity || (highest > 0 && Double(gap) <= tolerance * Double(highest)) || middle <= highest
      || middle >= ceiling
    {
      if highest > 0 {
        next = .confirm(highest)
      } else {
        finish()
      }
    } else {
      next = .measure(middle)
    }
  }

  private mutating func recordConfirmation(_ count: Int, _ verdict: Verdict) {
    // That says nothing of the host, so it may be asked once more.
    if verdict == .invalid, !isRetry {
      isRetry = true
      return
    }
    isRetry = false
    confirmations += 1
    if verdict == .passed {
      confirmed = count
      return finish()
    }
    ceiling = count
    ceilingIsTool = verdict == .invalid
    highest = 0
    let lower = rounded(min(count - granularity, count * 95 / 100))
    if lower > 0, lower < count, confirmations < Self.confirmationsMaximum {
      next = .confirm(lower)
    } else {
      finish()
    }
  }

  private mutating func finish() {
    if ceiling == nil { limit = .maximum } else { limit = ceilingIsTool ? .loadTool : .gate }
    next = nil
  }

  /// Down to a multiple of `granularity`, but not to nothing.
  private func rounded(_ count: Int) -> Int {
    count >= maximum ? maximum : max(granularity, count / granularity * granularity)
  }
}
