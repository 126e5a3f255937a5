//  QualityGate.swift: when a load counts as carried, and when a run says nothing at all.

/// What was measured in one stretch of load, as far as the gate looks at it. Times in milliseconds, shares from 0 to 1.
package struct GateMeasure: Codable, Sendable, Hashable {
  package var participants = 0
  package var connected = 0
  package var lostCalls = 0
  /// Of the mixes due to listeners, by the clock, those that arrived at most 40 ms later, by their timestamps, than the
  /// leg's fastest packet; `nil` when nobody is always spoken to.
  package var onTimeShare: Double?
  /// The same without regard to when they arrived.
  package var receivedShare: Double?
  /// Of all packets that listeners ought to have got by their sequence numbers, those that never came.
  package var lostShare = 0.0
  /// A tick's deadline minus its finish: what 99.9 % of all ticks had at least; `nil` without the media host's report.
  package var slackP999Milliseconds: Double?
  /// Arrival to departure of the audio in a mix; `nil` without the media host's report.
  package var residenceP99Milliseconds: Double?
  /// Mouth to ear less the look-ahead of the talker's encoder; `nil` when too few marks were heard to tell.
  package var addedDelayP99Milliseconds: Double?
  /// Packets that could not be authenticated or read.
  package var rejected: UInt64 = 0
  /// Stretches of 200 ms in which a listener was asked whom it heard.
  package var windowsJudged: UInt64 = 0
  package var windowsExact: UInt64 = 0
  /// In which it heard itself.
  package var windowsOwn: UInt64 = 0
  /// Meetings in which somebody was asked, of all.
  package var meetingsHeard = 0
  package var meetings = 0
  /// Of the packets that this tool sent, those that left more than 10 ms after their time.
  package var generatorLateShare = 0.0
  /// Of the thread that plays the phones.
  package var generatorCPUShare = 0.0
  /// Packets that this tool's own sockets lost, of those it sent and received.
  package var generatorLostShare = 0.0
  package var generatorSent: UInt64 = 0

  package init() {}
}

/// The limits, as a value. The standard ones are those that capacity is stated for.
package struct QualityGate: Codable, Sendable, Hashable {
  package var onTimeShare = 0.995
  package var receivedShare = 0.995
  package var lostShare = 0.005
  package var slackP999Milliseconds = 2.0
  package var addedDelayP99Milliseconds = 60.0
  package var exactShare = 0.98
  /// Beyond these the tool itself was the bottleneck: the run is invalid.
  package var generatorLateShare = 0.005
  package var generatorLostShare = 0.001

  package init() {}

  /// Calls, packets and what was heard, but not the time it took: for machines that others use too.
  package static var contentOnly: QualityGate {
    var gate = QualityGate()
    gate.onTimeShare = 0
    gate.slackP999Milliseconds = -1e9
    gate.addedDelayP99Milliseconds = 1e9
    return gate
  }

  /// Why the load was not carried, in words; empty: it was.
  package func complaints(about measure: GateMeasure) -> [String] {
    var complaints: [String] = []
    let missing = measure.participants - measure.connected
    if missing > 0 { complaints.append("\(missing) of \(measure.participants) calls did not come up") }
    if measure.lostCalls > 0 { complaints.append("\(measure.lostCalls) calls ended by themselves") }
    if measure.rejected > 0 { complaints.append("\(measure.rejected) packets could not be authenticated or read") }
    if let share = measure.receivedShare, share < receivedShare {
      complaints.append("only \(percent(share)) of the packets due arrived")
    } else if let share = measure.onTimeShare, share < onTimeShare {
      complaints.append("only \(percent(share)) of the packets due arrived in time")
    }
    if measure.lostShare > lostShare { complaints.append("\(percent(measure.lostShare)) of the packets were lost") }
    if let slack = measure.slackP999Milliseconds, slack <= slackP999Milliseconds {
      complaints.append("slack p99.9 was \(tenths(slack)) ms, not over \(tenths(slackP999Milliseconds))")
    }
    if let delay = measure.addedDelayP99Milliseconds, delay > addedDelayP99Milliseconds {
      complaints.append("added delay p99 was \(tenths(delay)) ms, over \(tenths(addedDelayP99Milliseconds))")
    }
    if measure.windowsOwn > 0 { complaints.append("in \(measure.windowsOwn) windows a phone heard itself") }
    if measure.windowsJudged > 0, Double(measure.windowsExact) < exactShare * Double(measure.windowsJudged) {
      complaints.append(
        "only \(measure.windowsExact) of \(measure.windowsJudged) windows held exactly those who talked")
    }
    return complaints
  }

  /// Why nothing can be said of the media host, in words; empty: the run is valid.
  package func doubts(about measure: GateMeasure) -> [String] {
    var doubts: [String] = []
    if measure.generatorSent == 0, measure.connected > 0 { doubts.append("the load tool sent nothing") }
    if measure.generatorLateShare > generatorLateShare {
      doubts.append("the load tool sent \(percent(measure.generatorLateShare)) of its packets more than 10 ms late")
    }
    if measure.generatorLostShare > generatorLostShare {
      doubts.append("the load tool's own sockets lost \(percent(measure.generatorLostShare)) of the packets")
    }
    return doubts
  }

  private func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }
  private func tenths(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

/// How a run ended, as exit statuses.
package enum Verdict: String, Codable, Sendable {
  case passed
  /// The media host did not carry the load.
  case failed
  /// The load tool did not keep up: nothing is known of the media host.
  case invalid

  package var exitStatus: Int32 {
    switch self {
    case .passed: 0
    case .failed: 1
    case .invalid: 2
    }
  }

  package init(_ measure: GateMeasure, by gate: QualityGate) {
    if gate.complaints(about: measure).isEmpty, gate.doubts(about: measure).isEmpty {
      self = .passed
    } else {
      self = gate.doubts(about: measure).isEmpty ? .failed : .invalid
    }
  }
}
