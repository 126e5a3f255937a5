//  CapacityCommand.swift: `parley capacity`: how many more legs of which kind fit here now.

import ArgumentParser
import Deployment
import Foundation

struct CapacityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capacity",
    abstract: "Tells how many more participants fit onto each worker now, from what its work costs.",
    discussion: """
      Prices are measured by the workers themselves over the last ten seconds; where too little went on, typical ones \
      stand in, and it says so. Each line is for that kind alone: they are not to be added.

      Exit status: 0, or 69 when no media host answers.
      """)

  @OptionGroup var options: HostOptions

  func run() throws {
    for host in try HostClient.all(options, path: "/api/capacity", as: HostAPI.Capacity.self) {
      print(CapacityReport(host).text)
    }
  }
}

struct CapacityReport {
  let text: String

  init(_ capacity: HostAPI.Capacity) {
    var lines = ["\(capacity.host): configuration leaves room for \(capacity.legsConfiguredFree) more legs"]
    for worker in capacity.workers {
      lines.append(
        "worker \(worker.worker): \(worker.legs) legs in \(worker.meetings) meetings, busy "
          + String(format: "%.0f %%, slack p99.9 %.1f ms", worker.busyShare * 100, worker.slackP999Milliseconds)
          + (worker.basis == "measured" ? "" : " – too little load to measure: typical prices"))
      for room in worker.room {
        let limit = room.limitedBy == "tick" ? "the meeting's tick would take too long" : "the worker's time"
        let fits = min(room.legs, capacity.legsConfiguredFree)
        let why = fits < room.legs ? "maximum-legs of the configuration" : limit
        lines.append("  \(fits) more \(room.text) (then: \(why))")
      }
      let prices = worker.prices.sorted { $0.key < $1.key }
      lines.append(
        "  µs each: " + prices.map { "\($0.key) \(String(format: "%.2f", $0.value))" }.joined(separator: ", "))
    }
    text = lines.joined(separator: "\n")
  }
}
