//  LoadReport.swift: what a load run found, as text and as JSON.

import Foundation
import Media
import SDP

/// All times in milliseconds, all shares from 0 to 1.
struct LoadReport: Codable, Sendable {
  struct Percentiles: Codable, Sendable {
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
  /// The same, but only those that were at most 40 ms later than the leg's fastest packet.
  var onTimeShare: Double?
  /// Of the leg that it was lowest for.
  var worstOnTimeShare: Double?
  var interarrivalMilliseconds: Percentiles
  /// From a mark's leaving one phone to its arrival at another, codecs' look-ahead included.
  var delayMilliseconds: Percentiles?
  /// The same less the look-ahead of the talker's encoder; `nil` with less than `marksNeeded` marks.
  var addedDelayP99Milliseconds: Double?
  var marksHeard: UInt64
  var windowsJudged: UInt64
  var windowsExact: UInt64
  var windowsMissing: UInt64
  var windowsForeign: UInt64
  var windowsOwn: UInt64
  /// Of `meetings`, those in which at least one window was judged.
  var meetingsHeard: Int
  /// Of the packets received, those whose tag was checked; ears check all of theirs.
  var packetsVerified: UInt64
  var loadToolCPUShare: Double
  var loadToolLateFrames: UInt64
  var loadToolSendFailures: UInt64
  /// Packets that found this tool's receive buffer full.
  var loadToolReceiveDrops: UInt64
  var loadToolLatenessMilliseconds: Percentiles
  var loadToolMicrosecondsPerPacket: Double
  var badTagsSent: UInt64
  var floodPacketsSent: UInt64
  var mediaHost: MediaHostMeasure?
  var gate: GateMeasure
  var verdict: Verdict
  /// Every check that failed, in words; empty is a pass.
  var failures: [String]
  /// Why the run says nothing of the media host; empty is valid.
  var doubts: [String]

  /// With fewer marks a 99th percentile is no more than the worst of them.
  static let marksNeeded: UInt64 = 30
  /// What an encoder holds back: Opus in voice mode 6.5 ms (RFC 6716 §4.2), G.722's filter 22 samples.
  static func lookAheadMilliseconds(_ encoding: AudioEncoding?) -> Double {
    switch encoding {
    case .opus: 6.5
    case .g722: 1.4
    case .pcmu, .pcma, nil: 0
    }
  }

  /// - Parameter participants: how many were to be in calls.
  init(
    plan: LoadPlan, participants: Int, patternName: String, progress: CallProgress, outcome: MediaOutcome,
    host: MediaHostMeasure?, gate limits: QualityGate
  ) {
    self.participants = participants
    meetings = (participants + plan.meetingSize - 1) / plan.meetingSize
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
    let total = outcome.total
    packetsSent = total.sent
    packetsReceived = total.received
    packetsLost = total.lost
    gaps = total.gaps
    duplicates = total.duplicates
    rejected = total.rejected
    undecodable = total.undecodable
    receivedShare = outcome.receivedShare
    onTimeShare = outcome.onTimeShare
    worstOnTimeShare = outcome.expectedWhileJudged == 0 ? nil : outcome.worstOnTimeShare
    interarrivalMilliseconds = Percentiles(outcome.interarrival.summary)
    delayMilliseconds = outcome.delay.count == 0 ? nil : Percentiles(outcome.delay)
    if outcome.marksHeard >= Self.marksNeeded {
      addedDelayP99Milliseconds = Double(outcome.delay.p99) / 1_000 - Self.lookAheadMilliseconds(plan.encodings.first)
    }
    marksHeard = outcome.marksHeard
    windowsJudged = total.windowsJudged
    windowsExact = total.windowsExact
    windowsMissing = total.windowsMissing
    windowsForeign = total.windowsForeign
    windowsOwn = total.windowsOwn
    meetingsHeard = outcome.meetingsHeard
    packetsVerified = total.verified
    loadToolCPUShare = outcome.judgedSeconds > 0 ? outcome.cpuSeconds / outcome.judgedSeconds : 0
    loadToolLateFrames = outcome.lateFrames
    loadToolSendFailures = outcome.sendFailures
    loadToolReceiveDrops = outcome.receiveDrops
    loadToolLatenessMilliseconds = Percentiles(outcome.lateness)
    loadToolMicrosecondsPerPacket = outcome.cpuSeconds * 1e6 / Double(max(1, total.sent + total.received))
    badTagsSent = outcome.badTagsSent
    floodPacketsSent = outcome.floodSent
    mediaHost = host
    gate = GateMeasure()
    gate.participants = participants
    gate.connected = progress.connected
    gate.lostCalls = progress.lost
    gate.onTimeShare = onTimeShare
    gate.receivedShare = receivedShare
    gate.lostShare = total.expected == 0 ? 0 : max(0, Double(total.lost) / Double(total.expected))
    gate.slackP999Milliseconds = host?.slackP999Milliseconds
    gate.residenceP99Milliseconds = host?.residenceP99Milliseconds
    gate.addedDelayP99Milliseconds = addedDelayP99Milliseconds
    gate.rejected = total.rejected
    gate.windowsJudged = total.windowsJudged
    gate.windowsExact = total.windowsExact
    gate.windowsOwn = total.windowsOwn
    gate.meetingsHeard = outcome.meetingsHeard
    gate.meetings = meetings
    gate.generatorSent = outcome.framesSent
    gate.generatorLateShare = Double(outcome.lateFrames) / Double(max(1, outcome.framesSent))
    gate.generatorCPUShare = loadToolCPUShare
    gate.generatorLostShare =
      Double(outcome.sendFailures + outcome.receiveDrops) / Double(max(1, total.sent + total.received))
    failures = limits.complaints(about: gate)
    doubts = limits.doubts(about: gate)
    verdict = Verdict(gate, by: limits)
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
    if let receivedShare, let onTimeShare, let worstOnTimeShare {
      lines.append(
        line(
          "arrived of those due",
          String(
            format: "%.3f %%, in time %.3f %%, of the worst leg %.1f %%", receivedShare * 100, onTimeShare * 100,
            worstOnTimeShare * 100)))
    }
    if let delayMilliseconds { lines.append(line("delay", times(delayMilliseconds) + " (\(marksHeard) marks)")) }
    if windowsJudged > 0 {
      lines.append(
        line(
          "who was heard",
          "\(windowsExact) of \(windowsJudged) windows exact; \(windowsMissing) missed a talker, "
            + "\(windowsForeign) held a stranger, \(windowsOwn) oneself; \(meetingsHeard) of \(meetings) meetings"))
    }
    lines.append(
      line(
        "load tool",
        String(
          format: "%.1f %% of a core, %.2f µs a packet, %llu packets late, %llu not sent, %llu overflowed",
          loadToolCPUShare * 100, loadToolMicrosecondsPerPacket, loadToolLateFrames, loadToolSendFailures,
          loadToolReceiveDrops)))
    if let mediaHost { lines += mediaHost.lines.map { line($0.name, $0.value) } }
    if badTagsSent > 0 { lines.append(line("wrong tags sent", "\(badTagsSent)")) }
    if floodPacketsSent > 0 {
      lines.append(line("flood", "\(floodPacketsSent) packets more than the leg ought to send"))
    }
    lines.append(line("result", result))
    return lines.joined(separator: "\n")
  }

  private var result: String {
    switch verdict {
    case .passed: "passed"
    case .failed: "failed: " + failures.joined(separator: "; ")
    case .invalid: "invalid: " + (doubts + failures).joined(separator: "; ")
    }
  }
}
