//  SearchOptions.swift: the options of a search, the same for a host of our own and for another one.

import ArgumentParser
import Foundation

struct SearchOptions: ParsableArguments {
  @Option(help: "The most participants that are tried.")
  var maximum = 4_000
  @Option(help: "The number that is tried first.")
  var first: Int?
  @Option(help: "Seconds measured at each step.")
  var seconds = 5.0
  @Option(help: "Seconds measured to confirm the result.")
  var confirmSeconds = 15.0
  @Option(help: "Seconds after which no further step is begun.")
  var timeLimit = 900.0
  @Option(
    help: "The search ends when the lowest that failed is at most this many percent over the highest that passed.")
  var tolerance = 4.0
  @Option(help: "Exit status 1 when less than this is found.")
  var require: Int?
  @Option(help: "Write a picture (SVG) of CPU, slack and loss over the number of participants to this file.")
  var plot: String?
  @Flag(help: "Print the result as one JSON object on standard output; progress goes to standard error.")
  var json = false

  func settings(for load: LoadOptions) throws -> SearchSettings {
    guard (1...60_000).contains(maximum), seconds >= 1, seconds <= 3_600, confirmSeconds >= 1, confirmSeconds <= 3_600,
      timeLimit > 0, (0...100).contains(tolerance)
    else {
      throw ValidationError(
        "--maximum takes 1 to 60000, --seconds and --confirm-seconds 1 to 3600, --tolerance 0 to 100 percent")
    }
    let granularity = load.meetingSize ?? load.profile?.granularity ?? 10
    guard maximum >= granularity else { throw ValidationError("--maximum must hold one meeting of \(granularity)") }
    let whole = maximum / granularity * granularity
    var settings = SearchSettings(
      first: first ?? load.profile?.firstParticipants ?? 50, granularity: granularity, maximum: whole)
    settings.seconds = seconds
    settings.confirmationSeconds = max(seconds, confirmSeconds)
    settings.timeLimitSeconds = timeLimit
    settings.tolerance = tolerance / 100
    return settings
  }

  /// Prints and draws.
  /// - Throws: the exit status when it is not 0.
  func finish(_ report: CapacityReport) throws {
    if let plot {
      do {
        try Data(CapacityPlot.svg(report).utf8).write(to: URL(fileURLWithPath: plot))
      } catch {
        throw ProgressLine.fail("cannot write \(plot): \(error.localizedDescription)")
      }
    }
    print(json ? report.json : report.text)
    let status = report.exitStatus(required: require)
    if status != 0 { throw ExitCode(status) }
  }
}
