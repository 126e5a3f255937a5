//  MetricsTextTests.swift: what a scrape gets is Prometheus's text format 0.0.4, read back by a strict reader.

import Media
import MediaHost
import Primitives
import Testing

/// The text format as its description has it: nothing is skipped, nothing is guessed.
struct Exposition {
  struct Family: Equatable {
    var help: String
    var type: String
    var samples: [Sample] = []
  }
  struct Sample: Equatable {
    var name: String
    var labels: [String: String]
    var value: Double
  }
  struct Complaint: Error, CustomStringConvertible {
    var description: String
  }

  private(set) var families: [String: Family] = [:]

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Complaint(description: "the last line has no end") }
    var current: String?
    var help: (name: String, text: String)?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
      if words.count == 4, words[0] == "#", words[1] == "HELP" {
        help = (words[2], words[3])
        continue
      }
      if words.count == 4, words[0] == "#", words[1] == "TYPE" {
        guard let before = help, before.name == words[2] else {
          throw Complaint(description: "TYPE without HELP: \(line)")
        }
        guard ["counter", "gauge", "histogram"].contains(words[3]), families[words[2]] == nil else {
          throw Complaint(description: "a bad or second TYPE: \(line)")
        }
        families[words[2]] = Family(help: before.text, type: words[3])
        current = words[2]
        help = nil
        continue
      }
      let sample = try Self.sample(String(line))
      guard let name = current, let family = families[name], Self.belongs(sample.name, to: name, family.type) else {
        throw Complaint(description: "a sample outside its family: \(line)")
      }
      guard !family.samples.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) else {
        throw Complaint(description: "twice: \(line)")
      }
      families[name]?.samples.append(sample)
    }
    for (name, family) in families { try Self.check(name, family) }
  }

  private static func belongs(_ sample: String, to family: String, _ type: String) -> Bool {
    type == "histogram" ? ["_bucket", "_sum", "_count"].contains { sample == family + $0 } : sample == family
  }

  private static func check(_ name: String, _ family: Family) throws {
    guard !family.samples.isEmpty, !family.help.isEmpty else { throw Complaint(description: "\(name) is empty") }
    if family.type == "counter", !name.hasSuffix("_total") { throw Complaint(description: "\(name) is no _total") }
    guard family.type == "histogram" else { return }
    var series: [[String: String]: [(le: Double, count: Double)]] = [:]
    for sample in family.samples where sample.name.hasSuffix("_bucket") {
      var labels = sample.labels
      guard let text = labels.removeValue(forKey: "le"), let bound = number(text) else {
        throw Complaint(description: "\(name): a bucket without le")
      }
      series[labels, default: []].append((bound, sample.value))
    }
    for (labels, buckets) in series {
      let ascends = zip(buckets, buckets.dropFirst()).allSatisfy { $0.le < $1.le && $0.count <= $1.count }
      let count = family.samples.first { $0.name == name + "_count" && $0.labels == labels }?.value
      guard ascends, buckets.last?.le == .infinity, buckets.last?.count == count,
        family.samples.contains(where: { $0.name == name + "_sum" && $0.labels == labels })
      else { throw Complaint(description: "\(name) \(labels): buckets") }
    }
  }

  private static func number(_ text: String) -> Double? {
    switch text {
    case "+Inf": .infinity
    case "-Inf": -.infinity
    case "NaN": .nan
    default: text.contains { !"0123456789.eE+-".contains($0) } ? nil : Double(text)
    }
  }

  private static func sample(_ line: String) throws -> Sample {
    let bad = Complaint(description: "no sample: \(line)")
    var rest = line[...]
    let name = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") })
    guard let first = name.first, !first.isNumber else { throw bad }
    rest = rest.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      rest = rest.dropFirst()
      while true {
        let label = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        rest = rest.dropFirst(label.count)
        guard !label.isEmpty, rest.hasPrefix("=\"") else { throw bad }
        rest = rest.dropFirst(2)
        var value = ""
        while let character = rest.first, character != "\"" {
          rest = rest.dropFirst()
          guard character == "\\" else {
            value.append(character)
            continue
          }
          switch rest.first {
          case "n": value += "\n"
          case "\\", "\"": value.append(rest.first ?? " ")
          default: throw bad
          }
          rest = rest.dropFirst()
        }
        guard rest.first == "\"", labels.updateValue(value, forKey: label) == nil else { throw bad }
        rest = rest.dropFirst()
        if rest.first == "}" { break }
        guard rest.first == "," else { throw bad }
        rest = rest.dropFirst()
      }
      rest = rest.dropFirst()
    }
    guard rest.first == " ", let value = number(String(rest.dropFirst())) else { throw bad }
    return Sample(name: name, labels: labels, value: value)
  }

  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    families.values.lazy.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
  }
}

@Suite("Prometheus text format")
struct MetricsTextTests {
  private func figures() -> HostFigures {
    var figures = HostFigures(workers: 2)
    figures.startedAt = 1_800_000_000.5
    for worker in 0..<2 {
      var report = WorkerReport()
      report.packetsIn = 1 << 40
      report.drops.count(.authenticationFailed)
      report.cpuMicroseconds = 1_500_000
      report.busy = 0.25
      for value: Int64 in [-30, 5_000, 19_500] { report.slackHistogram.record(microseconds: value) }
      report.residenceHistogram.record(microseconds: 12_000)
      figures.workers[worker].report = report
      figures.workers[worker].heardAt = Instant(nanoseconds: 1_000_000_000)
    }
    figures.workers[1].isStuck = true
    return figures
  }

  @Test("every family has HELP, TYPE and samples; histograms add up; names and units are in order")
  func format() throws {
    let text = figures().exposition(
      process: ProcessFigures(), served: 3, refused: 1, now: Instant(nanoseconds: 3_500_000_000))
    let exposition = try Exposition(text)

    #expect(exposition.families.count > 25)
    #expect(exposition.families.keys.allSatisfy { $0.hasPrefix("parley_") })
    #expect(!text.contains("milli") && !text.contains("micro"))
    let labels = Set(exposition.families.values.flatMap { $0.samples.flatMap(\.labels.keys) })
    #expect(labels.isSubset(of: ["worker", "direction", "reason", "codec", "le", "swift", "architecture"]))
    #expect(exposition.value("parley_packets_total", ["worker": "0", "direction": "in"]) == Double(1 << 40))
    #expect(exposition.value("parley_drops_total", ["worker": "1", "reason": "authentication_failed"]) == 1)
    #expect(exposition.value("parley_worker_cpu_seconds_total", ["worker": "0"]) == 1.5)
    #expect(exposition.value("parley_worker_stuck", ["worker": "1"]) == 1)
    #expect(exposition.value("parley_worker_report_age_seconds", ["worker": "1"]) == 2.5)
    #expect(exposition.value("parley_tick_slack_seconds_count", ["worker": "0"]) == 3)
    #expect(exposition.value("parley_tick_slack_seconds_bucket", ["worker": "0", "le": "0"]) == 1)
    #expect(exposition.value("parley_residence_seconds_sum", ["worker": "1"]) == 0.012)
    #expect(exposition.value("parley_process_start_time_seconds") == 1_800_000_000.5)
  }

  @Test("label values are escaped")
  func escaping() throws {
    var text = MetricsText()
    text.family("parley_x", .gauge, "A.")
    text.sample("parley_x", [("reason", "a\"b\\c\nd")], .infinity)

    let exposition = try Exposition(text.text)

    #expect(exposition.value("parley_x", ["reason": "a\"b\\c\nd"]) == .infinity)
  }

  @Test(
    "the reader itself refuses what the format does",
    arguments: [
      "parley_x 1\n", "# HELP parley_x A.\n# TYPE parley_x gauge\nparley_x 1", "# TYPE parley_x gauge\nparley_x 1\n",
      "# HELP parley_x A.\n# TYPE parley_x gauge\nparley_x one\n",
      "# HELP parley_x A.\n# TYPE parley_x gauge\nparley_x{a=\"1\",a=\"2\"} 1\n",
      "# HELP parley_x A.\n# TYPE parley_x gauge\nparley_x 1\nparley_x 2\n",
      "# HELP parley_x A.\n# TYPE parley_x histogram\nparley_x_bucket{le=\"1\"} 1\nparley_x_sum 1\nparley_x_count 1\n",
    ])
  func reader(text: String) { #expect(throws: Exposition.Complaint.self) { try Exposition(text) } }
}
