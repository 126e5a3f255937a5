//  LoadReport.swift: what a load run found, as text and as JSON.

import Foundation
import Media

/// All times in milliseconds, all shares from 0 to 1.
struct LoadReport: Codable {
  struct Percentiles: Codable {
    var p50: Double
    var p99: Double
    var p999: Double
    var maximum: Double

    init(_ summary: LatencySummary) {
      p50 = Double(summary.p50) / 1_000
      p99 = Double(summary.p99) / 1_000
      p999 = Double(summary.p999) / 1_000
      maximum = Double(summary.maximum) / 1_000
    }
  }

  var participants: Int
  var meetings: Int
  var pattern: String
  var codecs: [String]
  var suites: [String]
  var quiet: String
  var seconds: Double
  var connected: Int
  var refused: Int
  var lostCalls: Int
  var firstRefusal: String?
  var joinMilliseconds: Percentiles
  var packetsSent: UInt64
  var packetsReceived: UInt64
  /// By sequence numbers.
  var packetsLost: Int64
  var gaps: UInt64
  var duplicates: UInt64
  var rejected: UInt64
  var undecodable: UInt64
  /// By the clock: received of what phones that always hear somebody must get.
  var receivedShare: Double?
  var interarrivalMilliseconds: Percentiles
  /// From a mark's leaving one phone to its arrival at another, codecs' look-ahead included.
  var delayMilliseconds: Percentiles?
  var marksHeard: UInt64
  var windowsJudged: UInt64
  var windowsExact: UInt64
  var windowsMissing: UInt64
  var windowsForeign: UInt64
  var windowsOwn: UInt64
  var loadToolCPUShare: Double
  var loadToolLateFrames: UInt64
  var loadToolSendFailures: UInt64
  var mediaHost: MediaHostMeasure?
  /// Every check that failed, in words; empty is a pass.
  var failures: [String]

  init(plan: LoadPlan, patternName: String, progress: CallProgress, outcome: MediaOutcome, host: MediaHostMeasure?) {
    participants = plan.participants
    meetings = plan.meetings
    pattern = patternName
    codecs = plan.encodings.map(\.name)
    suites = plan.suites.map(\.name)
    quiet = plan.quiet.rawValue
    seconds = outcome.judgedSeconds
    connected = progress.connected
    refused = progress.refused
    lostCalls = progress.lost
    firstRefusal = progress.firstRefusal
    var joins = LatencyHistogram()
    for time in progress.joinTimes { joins.record(microseconds: time.nanoseconds / 1_000) }
    joinMilliseconds = Percentiles(joins.summary)
    let phones = outcome.phones
    packetsSent = phones.reduce(0) { $0 + $1.sent }
    packetsReceived = phones.reduce(0) { $0 + $1.received }
    packetsLost = phones.reduce(0) { $0 + $1.lost }
    gaps = phones.reduce(0) { $0 + $1.gaps }
    duplicates = phones.reduce(0) { $0 + $1.duplicates }
    rejected = phones.reduce(0) { $0 + $1.rejected }
    undecodable = phones.reduce(0) { $0 + $1.undecodable }
    receivedShare =
      outcome.expectedWhileJudged == 0
      ? nil : Double(outcome.receivedWhileJudged) / Double(outcome.expectedWhileJudged)
    interarrivalMilliseconds = Percentiles(outcome.interarrival.summary)
    delayMilliseconds = outcome.delay.count == 0 ? nil : Percentiles(outcome.delay)
    marksHeard = outcome.marksHeard
    windowsJudged = phones.reduce(0) { $0 + $1.windowsJudged }
    windowsExact = phones.reduce(0) { $0 + $1.windowsExact }
    windowsMissing = phones.reduce(0) { $0 + $1.windowsMissing }
    windowsForeign = phones.reduce(0) { $0 + $1.windowsForeign }
    windowsOwn = phones.reduce(0) { $0 + $1.windowsOwn }
    loadToolCPUShare = outcome.judgedSeconds > 0 ? outcome.cpuSeconds / outcome.judgedSeconds : 0
    loadToolLateFrames = outcome.lateFrames
    loadToolSendFailures = outcome.sendFailures
    mediaHost = host
    failures = []
    failures = Self.failures(self)
  }

  private static func failures(_ report: LoadReport) -> [String] {
    var failures: [String] = []
    if report.connected < report.participants {
      failures.append("\(report.participants - report.connected) of \(report.participants) calls did not come up")
    }
    if report.lostCalls > 0 { failures.append("\(report.lostCalls) calls ended by themselves") }
    if report.rejected > 0 { failures.append("\(report.rejected) packets could not be authenticated or read") }
    if let share = report.receivedShare, share < 0.995 {
      failures.append(String(format: "only %.2f %% of the packets due arrived", share * 100))
    }
    if report.windowsOwn > 0 { failures.append("in \(report.windowsOwn) windows a phone heard itself") }
    if report.windowsJudged > 0, Double(report.windowsExact) < 0.98 * Double(report.windowsJudged) {
      failures.append(
        "only \(report.windowsExact) of \(report.windowsJudged) windows held exactly those who talked")
    }
    return failures
  }

  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  var text: String {
    func line(_ name: String, _ value: String) -> String {
      name.padding(toLength: 24, withPad: " ", startingAt: 0) + value
    }
    func times(_ value: Percentiles) -> String {
      String(format: "p50 %.1f  p99 %.1f  p99.9 %.1f  max %.1f ms", value.p50, value.p99, value.p999, value.maximum)
    }
    var lines = [
      line(
        "calls", "\(connected) of \(participants) up in \(meetings) meetings, \(refused) refused, \(lostCalls) lost"),
      line("join", times(joinMilliseconds)),
      line("packets", "\(packetsSent) sent, \(packetsReceived) received, \(packetsLost) lost in \(gaps) gaps"),
      line("inter-arrival", times(interarrivalMilliseconds)),
    ]
    if let firstRefusal { lines.append(line("first refusal", firstRefusal)) }
    if let receivedShare { lines.append(line("arrived of those due", String(format: "%.3f %%", receivedShare * 100))) }
    if let delayMilliseconds { lines.append(line("delay", times(delayMilliseconds) + " (\(marksHeard) marks)")) }
    if windowsJudged > 0 {
      lines.append(
        line(
          "who was heard",
          "\(windowsExact) of \(windowsJudged) windows exact; \(windowsMissing) missed a talker, "
            + "\(windowsForeign) held a stranger, \(windowsOwn) oneself"))
    }
    lines.append(
      line(
        "load tool",
        String(format: "%.1f %% of a core, %llu frames late", loadToolCPUShare * 100, loadToolLateFrames)))
    if let mediaHost { lines += mediaHost.lines.map { line($0.name, $0.value) } }
    lines.append(
      failures.isEmpty ? line("result", "passed") : line("result", "failed: " + failures.joined(separator: "; ")))
    return lines.joined(separator: "\n")
  }
}
