//  TickLatency.swift: how long ticks took until their packets had left, and how long audio stayed here.

import Primitives

/// Slack is a tick's deadline (the next tick's due time) less its finish: the honest measure of head-room. Residence is
/// the time from a packet's arrival to the departure of the mix it is heard in. Both end when the shell has sent.
struct TickLatency: ~Copyable {
  /// Ticks, and talkers' frames, that may wait for their departure; more in one turn are not measured.
  static let pendingMaximum = 4096

  private struct Tick: BitwiseCopyable {
    var due: Instant
    var meeting: Int32
    var number: Int32
  }

  private var ticks = BoundedList<Tick>(capacity: pendingMaximum)
  private var arrivals = BoundedList<Instant>(capacity: pendingMaximum)
  /// Due time to departure of this second's ticks.
  private var used = LatencyHistogram()
  private var stayed = LatencyHistogram()
  /// Ever.
  private(set) var slackHistogram = DurationHistogram.slack
  private(set) var residenceHistogram = DurationHistogram.residence
  /// Since the overload controller looked last.
  private var window = OverloadController.Window()

  mutating func tickDone(due: Instant, meeting: Int, tick: Int64) {
    ticks.append(
      Tick(
        due: due, meeting: Int32(truncatingIfNeeded: meeting), number: Int32(truncatingIfNeeded: tick & 63)))
  }

  mutating func mixed(arrival: Instant) { arrivals.append(arrival) }

  mutating func departed(at now: Instant, lateTicks: inout UInt64, _ meetings: inout SlotTable<Meeting>) {
    for index in 0..<ticks.count {
      let tick = ticks[index]
      let took = now - tick.due
      if meetings.isOccupied(Int(tick.meeting)) {
        meetings[Int(tick.meeting)].evidence.departed(after: took, tick: Int(tick.number))
      }
      window.ticks &+= 1
      if took > TickSchedule.period - OverloadController.tightSlack { window.tight &+= 1 }
      if took > TickSchedule.period {
        lateTicks &+= 1
        window.late &+= 1
      }
      used.record(microseconds: took.nanoseconds / 1_000)
      slackHistogram.record(microseconds: (TickSchedule.period - took).nanoseconds / 1_000)
    }
    for index in 0..<arrivals.count {
      let microseconds = (now - arrivals[index]).nanoseconds / 1_000
      stayed.record(microseconds: microseconds)
      residenceHistogram.record(microseconds: microseconds)
    }
    ticks.removeAll()
    arrivals.removeAll()
  }

  /// Ticks since the last call: how many, how many of them tight and late.
  mutating func takeWindow() -> OverloadController.Window {
    defer { window = OverloadController.Window() }
    return window
  }

  mutating func reset() {
    used.reset()
    stayed.reset()
  }

  var residence: LatencySummary { stayed.summary }

  /// 99 % of ticks had at least the slack `p99`; the least was `minimum`.
  var slack: LatencySummary {
    var slack = LatencySummary()
    let used = used.summary
    guard used.count > 0 else { return slack }
    let period = Int32(truncatingIfNeeded: TickSchedule.period.nanoseconds / 1_000)
    slack.count = used.count
    slack.minimum = period &- used.maximum
    slack.p50 = period &- used.p50
    slack.p99 = period &- used.p99
    slack.p999 = period &- used.p999
    slack.maximum = period &- used.minimum
    return slack
  }
}
