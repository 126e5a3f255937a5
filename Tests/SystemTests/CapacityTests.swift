//  CapacityTests.swift: `parley-load capacity` starts what it needs, answers in JSON, and leaves nothing behind.

import Foundation
import Testing

@Suite("Search for the capacity (parley-load capacity)", .serialized)
struct CapacityTests {
  private func capacity(_ arguments: [String]) throws -> ChildProcess {
    try ChildProcess(
      "parley-load capacity", Program.path("parley-load"),
      [
        "capacity", "--first", "10", "--maximum", "20", "--seconds", "2", "--confirm-seconds", "2", "--time-limit",
        "20",
        "--json",
      ] + arguments)
  }

  /// Processes of this machine whose command line holds `text`.
  private func processes(with text: String) -> [String] {
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return folders.filter { Int($0) != nil }.compactMap { FileManager.default.contents(atPath: "/proc/\($0)/cmdline") }
      .map { String(decoding: $0, as: UTF8.self).replacing("\0", with: " ") }.filter { $0.contains(text) }
  }

  private func leftovers(of identifier: Int32) -> [String] {
    let mark = "parley-load-\(identifier)-"
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: NSTemporaryDirectory())) ?? []
    return processes(with: mark) + folders.filter { $0.hasPrefix(mark) }
  }

  @Test("one JSON object with what was found", arguments: ["one-meeting", "meetings-1-talk", "relay"])
  func object(profile: String) throws {
    let scratch = try ScratchDirectory()
    let search = try capacity(["--profile", profile, "--plot", scratch.path("plot.svg")])

    let status = try search.waitForExit(seconds: 120)

    // On a machine that others use too, the load tool itself may be late: that is said, too.
    #expect([0, 1, 2].contains(status), "\(search.output)")
    let objects = search.output.split(separator: "\n").filter { $0.hasPrefix("{") }
    #expect(objects.count == 1)
    let value = try JSONSerialization.jsonObject(with: Data((objects.last ?? "").utf8))
    let report = try #require(value as? [String: Any])
    #expect(report["profile"] as? String == profile)
    #expect(report["suite"] as? String == "AEAD_AES_128_GCM")
    #expect(report["commit"] is String)
    let found = try #require(report["participants"] as? Int)
    #expect((0...20).contains(found))
    if found > 0 {
      for key in ["slackP999Milliseconds", "residenceP99Milliseconds", "cpuMicrosecondsPerLegTick"] {
        #expect(report[key] is Double, "\(key): \(search.output)")
      }
    }
    let steps = try #require(report["steps"] as? [[String: Any]])
    #expect(!steps.isEmpty)
    #expect(steps.allSatisfy { ($0["meetingsHeard"] as? Int) == ($0["meetings"] as? Int) }, "\(search.output)")
    #expect(try String(contentsOfFile: scratch.path("plot.svg"), encoding: .utf8).hasPrefix("<svg"))
    #expect(leftovers(of: search.identifier) == [])
  }

  @Test("Ctrl-C stops everything that was started")
  func interruption() throws {
    let search = try capacity(["--profile", "one-meeting", "--seconds", "30"])
    try search.waitForLine(containing: "talking", seconds: 60)
    #expect(!leftovers(of: search.identifier).isEmpty)

    search.kill(signal: SIGINT)

    #expect(try search.waitForExit(seconds: 30) == 130)
    #expect(leftovers(of: search.identifier) == [])
  }

  @Test("wrong options and missing programs: a message and an exit status")
  func mistakes() throws {
    let nameless = try ChildProcess("parley-load", Program.path("parley-load"), ["capacity"])
    #expect(try nameless.waitForExit() == 64)
    #expect(nameless.output.contains("one-meeting"))

    let scratch = try ScratchDirectory()
    let empty = try capacity(["--profile", "one-meeting", "--programs", scratch.url.path])
    #expect(try empty.waitForExit() == 69)
    #expect(empty.output.contains("parley-front-end"))
    #expect(leftovers(of: empty.identifier) == [])
  }

  @Test("ramp: the same search against a server that runs already")
  func ramp() throws {
    let parley = try RunningParley()
    let search = try ChildProcess(
      "parley-load ramp", Program.path("parley-load"),
      [
        "ramp", "--server", "127.0.0.1:\(parley.sipPort)", "--first", "10", "--maximum", "20", "--seconds", "2",
        "--confirm-seconds", "2", "--time-limit", "20", "--media-port", "\(FreePort.pair())", "--host-report",
        parley.directory.path("mh1.report"), "--json",
      ])

    let status = try search.waitForExit(seconds: 120)

    #expect([0, 1, 2].contains(status), "\(search.output)")
    #expect(search.output.contains("\"participants\":"))
    #expect(parley.frontEnd.isRunning)
  }
}
