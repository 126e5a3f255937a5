//  CapacityReportTests.swift: what a search says of itself, in numbers, words and pictures.

import Foundation
import LoadGenerator
import Testing

@Suite("Report of a search")
struct CapacityReportTests {
  private func step(_ participants: Int, _ verdict: Verdict, confirmation: Bool = false) -> CapacityStep {
    let share = Double(participants) / 400
    var step = CapacityStep(participants: participants, verdict: verdict, isConfirmation: confirmation)
    step.complaints = verdict == .passed ? [] : ["slack <too low> & late"]
    step.onTimeShare = verdict == .passed ? 1 : 0.9
    step.slackP50Milliseconds = 19 - 15 * share
    step.slackP99Milliseconds = 18 - 15 * share
    step.slackP999Milliseconds = 17 - 16 * share
    step.residenceP50Milliseconds = 20
    step.residenceP99Milliseconds = 24
    step.addedDelayP99Milliseconds = 40
    step.mediaHostCPUCores = share
    step.cpuMicrosecondsPerLegTick = 50
    step.encodesPerSecond = 200
    step.packetsOutPerSecond = Double(participants * 50)
    step.loadToolCPUShare = share / 2
    return step
  }

  private func report() -> CapacityReport {
    var search = CapacitySearch(first: 100, granularity: 10, maximum: 400, tolerance: 1)
    for verdict in [Verdict.passed, .passed, .failed, .failed, .passed] { search.record(verdict) }
    return CapacityReport(
      search: search,
      steps: [
        step(100, .passed), step(200, .passed), step(400, .failed), step(400, .failed),
        step(200, .passed, confirmation: true),
      ],
      profile: "one-meeting", suite: "AEAD_AES_128_GCM", codec: "opus", gate: QualityGate(), seconds: 60,
      commit: "abc", processor: "a processor")
  }

  @Test("JSON: one object with the promised keys")
  func json() throws {
    let report = report()

    let value = try JSONSerialization.jsonObject(with: Data(report.json.utf8))

    let object = try #require(value as? [String: Any])
    #expect(object["participants"] as? Int == 200)
    #expect(object["suite"] as? String == "AEAD_AES_128_GCM")
    #expect(object["commit"] as? String == "abc")
    for key in ["onTimeShare", "slackP999Milliseconds", "residenceP99Milliseconds", "cpuMicrosecondsPerLegTick"] {
      #expect(object[key] is Double, "\(key)")
    }
    #expect(object["confirmed"] as? Bool == true)
    #expect(object["limit"] as? String == "gate")
    #expect(object["forwards"] as? Bool == false)
    #expect((object["limitedBy"] as? [String])?.count == 1)
    #expect(!report.json.contains("\n"))
  }

  @Test("exit statuses: what was required, or anything at all")
  func statuses() {
    let report = report()

    #expect(report.exitStatus(required: nil) == 0)
    #expect(report.exitStatus(required: 200) == 0)
    #expect(report.exitStatus(required: 201) == 1)
  }

  @Test("the picture is well-formed and holds each panel")
  func plot() {
    let svg = CapacityPlot.svg(report())

    let parser = XMLReader(svg)

    #expect(parser.isWellFormed)
    for title in ["CPU, % of a core", "slack of a tick, ms", "mixes lost, or not in time, %", "participants"] {
      #expect(svg.contains(title))
    }
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }

  @Test("a picture of nothing is drawn too")
  func emptyPlot() {
    let search = CapacitySearch(first: 1, granularity: 1, maximum: 1)
    let report = CapacityReport(
      search: search, steps: [], profile: "custom", suite: "none", codec: "opus", gate: QualityGate(), seconds: 0,
      commit: "unknown", processor: "unknown")

    let svg = CapacityPlot.svg(report)

    #expect(XMLReader(svg).isWellFormed)
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }
}

/// Tags that open and close in order: all the structure that these pictures have.
private struct XMLReader {
  let isWellFormed: Bool

  init(_ text: String) {
    var open: [Substring] = []
    var isRight = true
    for piece in text.split(separator: "<").dropFirst(text.hasPrefix("<") ? 0 : 1) {
      guard let end = piece.firstIndex(of: ">") else {
        isRight = false
        break
      }
      let tag = piece[..<end]
      let name = tag.prefix { $0.isLetter || $0 == "/" }
      if tag.hasPrefix("/") {
        if open.popLast() != name.dropFirst() { isRight = false }
      } else if !tag.hasSuffix("/") {
        open.append(name)
      }
      isRight = isRight && tag.count { $0 == "\"" } % 2 == 0
    }
    isWellFormed = isRight && open.isEmpty
  }
}
