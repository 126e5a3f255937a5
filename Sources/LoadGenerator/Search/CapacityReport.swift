//  CapacityReport.swift: what a search found, as text and as JSON.

import Foundation

/// One number of participants that was tried.
package struct CapacityStep: Codable, Sendable {
  package var participants: Int
  package var verdict: Verdict
  /// A longer run of the highest number.
  package var isConfirmation: Bool
  /// Why it did not pass.
  package var complaints: [String] = []
  package var onTimeShare: Double?
  package var lostShare: Double = 0
  package var slackP50Milliseconds: Double?
  package var slackP99Milliseconds: Double?
  package var slackP999Milliseconds: Double?
  package var residenceP50Milliseconds: Double?
  package var residenceP99Milliseconds: Double?
  package var addedDelayP99Milliseconds: Double?
  package var interarrivalP99Milliseconds: Double = 0
  package var mediaHostCPUCores: Double?
  package var cpuMicrosecondsPerLegTick: Double?
  package var encodesPerSecond: Double?
  package var packetsOutPerSecond: Double?
  package var exactShare: Double?
  package var meetingsHeard: Int = 0
  package var meetings: Int = 0
  package var joinP99Milliseconds: Double = 0
  package var loadToolCPUShare: Double = 0
  package var loadToolLateShare: Double = 0
  package var loadToolMicrosecondsPerPacket: Double = 0

  package init(participants: Int, verdict: Verdict, isConfirmation: Bool) {
    self.participants = participants
    self.verdict = verdict
    self.isConfirmation = isConfirmation
  }
}

extension CapacityStep {
  init(_ report: LoadReport, isConfirmation: Bool) {
    self.init(participants: report.participants, verdict: report.verdict, isConfirmation: isConfirmation)
    complaints = report.doubts + report.failures
    onTimeShare = report.onTimeShare
    lostShare = report.gate.lostShare
    let host = report.mediaHost
    slackP50Milliseconds = host?.slackP50Milliseconds
    slackP99Milliseconds = host?.slackP99Milliseconds
    slackP999Milliseconds = host?.slackP999Milliseconds
    residenceP50Milliseconds = host?.residenceP50Milliseconds
    residenceP99Milliseconds = host?.residenceP99Milliseconds
    addedDelayP99Milliseconds = report.addedDelayP99Milliseconds
    interarrivalP99Milliseconds = report.interarrivalMilliseconds.p99
    mediaHostCPUCores = host?.cpuCores
    cpuMicrosecondsPerLegTick = host?.cpuMicrosecondsPerLegTick
    encodesPerSecond = host?.encodesPerSecond
    packetsOutPerSecond = host?.packetsOutPerSecond
    exactShare =
      report.windowsJudged > 0 ? Double(report.windowsExact) / Double(report.windowsJudged) : nil
    meetingsHeard = report.meetingsHeard
    meetings = report.meetings
    joinP99Milliseconds = report.joinMilliseconds.p99
    loadToolCPUShare = report.loadToolCPUShare
    loadToolLateShare = report.gate.generatorLateShare
    loadToolMicrosecondsPerPacket = report.loadToolMicrosecondsPerPacket
  }
}

/// The result of one search. Times in milliseconds but where a name says otherwise, shares from 0 to 1.
package struct CapacityReport: Codable, Sendable {
  /// The highest number that passed; 0: none did.
  package var participants: Int
  /// Whether the longer run passed too.
  package var confirmed: Bool
  /// Why nothing higher was found: the gate, --maximum, the load tool, or the time.
  package var limit: CapacitySearch.Limit
  /// What the next higher number failed by.
  package var limitedBy: [String]
  package var profile: String
  package var suite: String
  package var codec: String
  package var commit: String
  package var processor: String
  package var gate: QualityGate
  package var seconds: Double
  package var onTimeShare: Double?
  package var slackP999Milliseconds: Double?
  package var residenceP50Milliseconds: Double?
  package var residenceP99Milliseconds: Double?
  package var addedDelayP99Milliseconds: Double?
  package var cpuMicrosecondsPerLegTick: Double?
  package var mediaHostCPUCores: Double?
  package var loadToolCPUShare: Double?
  /// Of one mix sent, the media host's whole process.
  package var cpuMicrosecondsPerPacketOut: Double?
  /// Whether the host sent without encoding: a single talker's packets forwarded. `nil` when its report does not tell.
  package var forwards: Bool?
  package var steps: [CapacityStep]

  package init(
    search: CapacitySearch, steps: [CapacityStep], profile: String, suite: String, codec: String, gate: QualityGate,
    seconds: Double, commit: String, processor: String
  ) {
    participants = search.confirmed ?? search.highest
    confirmed = search.confirmed != nil
    limit = search.limit ?? .time
    let found = participants
    let above = steps.filter { $0.participants > found && $0.verdict != .passed }
    limitedBy = above.min { $0.participants < $1.participants }?.complaints ?? []
    self.profile = profile
    self.suite = suite
    self.codec = codec
    self.commit = commit
    self.processor = processor
    self.gate = gate
    self.seconds = seconds
    let best = steps.last { $0.participants == found && $0.verdict == .passed }
    onTimeShare = best?.onTimeShare
    slackP999Milliseconds = best?.slackP999Milliseconds
    residenceP50Milliseconds = best?.residenceP50Milliseconds
    residenceP99Milliseconds = best?.residenceP99Milliseconds
    addedDelayP99Milliseconds = best?.addedDelayP99Milliseconds
    cpuMicrosecondsPerLegTick = best?.cpuMicrosecondsPerLegTick
    mediaHostCPUCores = best?.mediaHostCPUCores
    loadToolCPUShare = best?.loadToolCPUShare
    if let cores = best?.mediaHostCPUCores, let packets = best?.packetsOutPerSecond, packets > 0 {
      cpuMicrosecondsPerPacketOut = cores * 1e6 / packets
      // A few encodes happen when talkers change; an encoder that runs makes fifty a second.
      forwards = (best?.encodesPerSecond ?? .infinity) < 5 && packets > 10
    }
    self.steps = steps
  }

  /// 0: found, and not below what was required; 1: below that, or nothing passed; 2: the load tool was the limit.
  package func exitStatus(required: Int?) -> Int32 {
    if let required { return participants >= required ? 0 : (limit == .loadTool ? 2 : 1) }
    if limit == .loadTool { return 2 }
    return participants > 0 ? 0 : 1
  }

  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  package var text: String {
    var lines = [CapacityStep.heading] + steps.map(\.row)
    let limitText = limitedBy.isEmpty ? limit.rawValue : "\(limit.rawValue): \(limitedBy.joined(separator: "; "))"
    lines += [
      "",
      "\(participants) participants (\(profile), \(suite)), \(confirmed ? "confirmed" : "not confirmed"); "
        + "limited by \(limitText)",
    ]
    if let forwards {
      lines.append(
        forwards ? "the host forwards a lone talker's packets" : "the host decodes and encodes what it sends")
    }
    return lines.joined(separator: "\n")
  }
}

extension CapacityStep {
  static var heading: String {
    "participants  verdict    host CPU  µs/leg-tick  slack p50/p99/p99.9     in time    lost   delay  tool CPU"
  }

  var row: String {
    func number(_ value: Double?, _ format: String) -> String { value.map { String(format: format, $0) } ?? "–" }
    func padded(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    let slack = [slackP50Milliseconds, slackP99Milliseconds, slackP999Milliseconds].map { number($0, "%.1f") }
    let cells = [
      padded("\(participants)", 12), padded(verdict.rawValue, 8), padded(number(mediaHostCPUCores, "%.3f"), 11),
      padded(number(cpuMicrosecondsPerLegTick, "%.2f"), 12), padded(slack.joined(separator: " / "), 20),
      padded(number(onTimeShare.map { $0 * 100 }, "%.2f %%"), 11), padded(number(lostShare * 100, "%.2f %%"), 7),
      padded(number(addedDelayP99Milliseconds, "%.0f ms"), 7),
      padded(number(loadToolCPUShare * 100, "%.0f %%"), 9),
    ]
    return cells.joined(separator: " ") + (isConfirmation ? "  (confirmation)" : "")
      + (complaints.isEmpty ? "" : "\n              " + complaints.joined(separator: "; "))
  }
}
