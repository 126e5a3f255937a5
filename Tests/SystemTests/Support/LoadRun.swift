//  LoadRun.swift: `parley-load` in the background of a test, and its report.

import Foundation

/// Virtual participants who keep a meeting going and say whether it was disturbed.
final class LoadRun {
  private let process: ChildProcess

  init(_ parley: RunningParley, participants: Int, seconds: Int, _ arguments: [String] = []) throws {
    process = try ChildProcess(
      "parley-load", Program.path("parley-load"),
      [
        "--server", "127.0.0.1:\(parley.sipPort)", "--participants", "\(participants)", "--duration", "\(seconds)",
        "--media-port", "\(FreePort.pair())", "--json",
      ] + arguments)
  }

  /// Runs to the end, and again when the load tool says of itself that it got too little of this machine to tell.
  static func validReport(
    _ parley: RunningParley, participants: Int, seconds: Int, _ arguments: [String] = []
  ) throws -> [String: Any] {
    var report: [String: Any] = [:]
    for _ in 0..<3 {
      report = try LoadRun(parley, participants: participants, seconds: seconds, arguments).report()
      if report["verdict"] as? String != "invalid" { break }
    }
    return report
  }

  /// Waits until all calls are up and talk.
  func waitUntilTalking() throws { try process.waitForLine(containing: "talking", seconds: 40) }

  /// The report, when the run has ended.
  func report(seconds: Double = 120) throws -> [String: Any] {
    let status = try process.waitForExit(seconds: seconds)
    guard let line = process.output.split(separator: "\n").last(where: { $0.hasPrefix("{") }),
      let report = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    else { throw HarnessError("parley-load ended with \(status) and no report:\n\(process.output)") }
    return report
  }
}
