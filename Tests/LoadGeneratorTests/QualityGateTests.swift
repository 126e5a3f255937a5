//  QualityGateTests.swift: at each limit and one step past it.

import LoadGenerator
import Testing

@Suite("Quality gate")
struct QualityGateTests {
  private func good() -> GateMeasure {
    var measure = GateMeasure()
    measure.participants = 100
    measure.connected = 100
    measure.onTimeShare = 0.995
    measure.receivedShare = 0.995
    measure.lostShare = 0.005
    measure.slackP999Milliseconds = 2.001
    measure.residenceP99Milliseconds = 24
    measure.addedDelayP99Milliseconds = 60
    measure.windowsJudged = 1_000
    measure.windowsExact = 980
    measure.meetingsHeard = 1
    measure.meetings = 1
    measure.generatorSent = 10_000
    measure.generatorLateShare = 0.005
    measure.generatorLostShare = 0.001
    return measure
  }

  @Test("everything exactly at its limit passes")
  func atTheLimit() {
    let gate = QualityGate()

    let measure = good()

    #expect(gate.complaints(about: measure) == [])
    #expect(gate.doubts(about: measure) == [])
    #expect(Verdict(measure, by: gate) == .passed)
  }

  typealias Change = @Sendable (inout GateMeasure) -> Void
  static let failing: [(name: String, change: Change)] = [
    ("a call that did not come up", { $0.connected = 99 }),
    ("a call that ended", { $0.lostCalls = 1 }),
    ("a packet that could not be read", { $0.rejected = 1 }),
    ("99.49 % in time", { $0.onTimeShare = 0.9949 }),
    ("99.49 % received", { $0.receivedShare = 0.9949 }),
    ("0.51 % lost", { $0.lostShare = 0.0051 }),
    ("slack of 2 ms", { $0.slackP999Milliseconds = 2 }),
    ("60.1 ms of added delay", { $0.addedDelayP99Milliseconds = 60.1 }),
    ("a voice not heard", { $0.windowsExact = 979 }),
    ("one's own voice", { $0.windowsOwn = 1 }),
  ]

  @Test("one step past a limit fails, with one complaint", arguments: failing.indices)
  func pastTheLimit(index: Int) {
    let (name, change) = Self.failing[index]
    var measure = good()
    change(&measure)

    let complaints = QualityGate().complaints(about: measure)

    #expect(complaints.count == 1, "\(name): \(complaints)")
    #expect(Verdict(measure, by: QualityGate()) == .failed, "\(name)")
  }

  static let doubtful: [(name: String, change: Change)] = [
    ("late packets", { $0.generatorLateShare = 0.0051 }), ("lost packets", { $0.generatorLostShare = 0.0011 }),
    ("no packets", { $0.generatorSent = 0 }),
  ]

  @Test("a load tool that did not keep up makes a run invalid, whatever else was measured", arguments: doubtful.indices)
  func invalid(index: Int) {
    let (name, change) = Self.doubtful[index]
    var measure = good()
    change(&measure)
    var worse = measure
    worse.onTimeShare = 0.5

    #expect(Verdict(measure, by: QualityGate()) == .invalid, "\(name)")
    #expect(Verdict(worse, by: QualityGate()) == .invalid, "\(name)")
  }

  @Test("what was not measured is not complained about")
  func unmeasured() {
    var measure = good()
    measure.onTimeShare = nil
    measure.receivedShare = nil
    measure.slackP999Milliseconds = nil
    measure.addedDelayP99Milliseconds = nil
    measure.windowsJudged = 0
    measure.windowsExact = 0

    #expect(Verdict(measure, by: QualityGate()) == .passed)
  }

  @Test("the gate of contents alone does not look at time")
  func contentOnly() {
    var measure = good()
    measure.onTimeShare = 0.2
    measure.slackP999Milliseconds = -100
    measure.addedDelayP99Milliseconds = 500

    #expect(Verdict(measure, by: .contentOnly) == .passed)
    measure.receivedShare = 0.99
    #expect(Verdict(measure, by: .contentOnly) == .failed)
  }

  @Test("exit statuses")
  func statuses() {
    #expect(Verdict.passed.exitStatus == 0)
    #expect(Verdict.failed.exitStatus == 1)
    #expect(Verdict.invalid.exitStatus == 2)
  }
}
