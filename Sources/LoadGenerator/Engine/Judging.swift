//  Judging.swift: from when on the media thread judges, and what it counts meanwhile.

import LinuxIO
import Media
import Primitives
import Simulation

/// The judged time's own counters.
struct Judging {
  /// From the order to judge until what was said before it has left every jitter buffer.
  static let settling = Interval.milliseconds(700)
  var beginsAt = Instant.never
  var isOn = false
  var from = Instant.never
  var baseline: [PhoneReport] = []
  var cpu = Interval.zero
  var sendFailures: UInt64 = 0
  var receiveDrops: UInt64 = 0
  var badTags: UInt64 = 0
  var flood: UInt64 = 0
  var delay = LatencyHistogram()
  var marksHeard: UInt64 = 0
  var lateness = LatencyHistogram()
  var framesSent: UInt64 = 0
  var lateFrames: UInt64 = 0
  var meetingsHeard: Set<Int> = []

  mutating func noteSent(_ count: Int, _ late: Interval) {
    guard isOn, count > 0 else { return }
    framesSent &+= UInt64(count)
    if late > MediaEngine.tolerance { lateFrames &+= UInt64(count) }
    lateness.record(microseconds: late.nanoseconds / 1_000)
  }
}

extension MediaEngine {
  /// The last caller's mix has begun by now: from here on packets are due and windows are judged.
  func beginJudging(_ now: Instant) {
    guard now >= judging.beginsAt else { return }
    judging = Judging()
    judging.isOn = true
    judging.from = now
    judging.baseline = phones.map { $0?.finishedReport() ?? PhoneReport() }
    judging.cpu = MonotonicClock.threadCPUTime()
    judging.sendFailures = sendFailures
    judging.receiveDrops = receiveDrops
    judging.badTags = faultsSent.badTags
    judging.flood = faultsSent.flood
    intervals.histogram = IntervalHistogram()
  }

  /// A window counts when the same people talked since half a second before it ended: what the path delays is inside.
  func judge(_ window: Ear.Window, _ phone: Int, _ call: PhoneMedia) {
    // A window that began before judging did is not whole.
    guard window.arrival - judging.from > .milliseconds(200), plan.talkersAreTold else { return }
    let last = frame(at: window.arrival)
    let expected = plan.talkers(heardBy: phone, frame: last)
    guard stride(from: last - 30, to: last, by: 5).allSatisfy({ plan.talkers(heardBy: phone, frame: $0) == expected })
    else { return }
    call.judge(heard: window.pilots, expected: expected, own: 1 << UInt32(plan.pilot(of: phone)))
    judging.meetingsHeard.insert(plan.meeting(of: phone))
  }

  private func frame(at instant: Instant) -> Int { Int((instant - epoch).nanoseconds / 20_000_000) }

  /// Which mark it was follows from the second: one talker marks in each.
  func measure(_ arrival: Instant, _ listener: Int) {
    let second = Int((arrival - epoch).nanoseconds / 1_000_000_000)
    let frame = second * LoadPlan.framesPerSecond
    let meeting = plan.meeting(of: listener)
    let first = meeting * plan.meetingSize
    let places = plan.pattern.places(of: plan.size(of: meeting), frame: frame)
    guard
      let talker = places.lazy.map({ first + $0 }).first(where: {
        $0 != listener && self.plan.marks($0, second: second)
      })
    else { return }
    let left = epoch + .seconds(second) + FrameWheel.offset(of: talker)
    let microseconds = (arrival - left).nanoseconds / 1_000
    guard (0..<900_000).contains(microseconds) else { return }
    judging.delay.record(microseconds: microseconds)
    judging.marksHeard &+= 1
  }

  /// - Returns: nothing but zeroes when judging had not begun.
  func endJudging(_ now: Instant) -> MediaOutcome {
    var outcome = MediaOutcome()
    defer { judging = Judging() }
    guard judging.isOn else { return outcome }
    outcome.judgedSeconds = (now - judging.from).seconds
    outcome.cpuSeconds = (MonotonicClock.threadCPUTime() - judging.cpu).seconds
    outcome.delay = judging.delay.summary
    outcome.marksHeard = judging.marksHeard
    outcome.sendFailures = sendFailures - judging.sendFailures
    outcome.receiveDrops = receiveDrops - min(judging.receiveDrops, receiveDrops)
    outcome.badTagsSent = faultsSent.badTags - judging.badTags
    outcome.floodSent = faultsSent.flood - judging.flood
    outcome.framesSent = judging.framesSent
    outcome.lateFrames = judging.lateFrames
    outcome.lateness = judging.lateness.summary
    outcome.interarrival = intervals.histogram
    outcome.meetingsHeard = judging.meetingsHeard.count
    var meetings: Set<Int> = []
    let frames = frame(at: judging.from)..<max(frame(at: judging.from), frame(at: now))
    for (phone, call) in phones.enumerated() {
      guard let call else { continue }
      meetings.insert(plan.meeting(of: phone))
      let report = call.finishedReport().since(judging.baseline[phone])
      outcome.total.add(report)
      guard let due = plan.packetsDue(to: phone, in: frames) else { continue }
      outcome.expectedWhileJudged &+= UInt64(due)
      outcome.receivedWhileJudged &+= report.received
      outcome.onTimeWhileJudged &+= min(report.onTime, UInt64(due))
      outcome.worstOnTimeShare = min(outcome.worstOnTimeShare, Double(report.onTime) / Double(due))
    }
    outcome.meetings = meetings.count
    return outcome
  }
}
