//  CapacityCommand.swift: `parley-load capacity`: how many participants one core of this machine carries.

import ArgumentParser
import Foundation
import LinuxIO

struct CapacityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capacity",
    abstract: "Starts a front end and a media host with one worker, and searches the highest load that it carries.",
    discussion: """
      The worker is pinned to one CPU, everything else runs on the others. Both programs are taken from this one's own \
      folder and run with a temporary configuration on free loopback ports; they are stopped, and their folder removed, \
      at the end, after Ctrl-C too.

      The gate: at least 99.5 % of the mixes due arrive, at most 40 ms later than the leg's fastest one; less than 0.5 % \
      are lost; 99.9 % of the worker's ticks finish more than 2 ms before the next; the added delay's 99th percentile is \
      at most 60 ms; all calls stay up; every listener who is asked heard exactly those who talked, itself never.
      """)

  @OptionGroup var load: LoadOptions
  @OptionGroup var search: SearchOptions
  @Option(help: "The CPU of the media host's worker; the first one when not given.")
  var workerCpu: Int?
  @Option(help: "The CPUs of everything else, separated by commas; all the others when not given.")
  var otherCpus: String?
  @Option(help: "What encrypts in the media host, as in its configuration; its own default when not given.")
  var srtp: String?
  @Option(help: "The folder of parley-front-end and parley-media-host; this program's when not given.")
  var programs: String?

  func run() throws {
    guard load.profile != nil else {
      throw ValidationError("--profile takes \(LoadProfile.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let settings = try search.settings(for: load)
    _ = try load.plan(participants: settings.maximum, mediaPort: 46_000)
    let processors = try processors()
    let interruption = Interruption()
    do {
      // All threads and processes started from here on inherit it; the worker pins itself.
      try ProcessorSet.confine(to: processors.others)
    } catch {
      throw ProgressLine.fail("cannot run on CPUs \(processors.others): \(error)")
    }
    let plainRTP = load.suite == "none"
    let runner = SearchRunner(
      settings, load: load, engine: load.engine, interruption: interruption, mediaPort: FreePorts.pair
    ) {
      try LocalDeployment(
        programs: programs, workerCPU: processors.worker, maximumLegs: settings.maximum + 100, srtp: srtp,
        plainRTP: plainRTP, interruption: interruption)
    }
    try search.finish(runner.run(commit: Provenance.commit(), processor: Provenance.processor()))
  }

  private func processors() throws -> (worker: Int, others: [Int]) {
    let available = ProcessorSet.available()
    let worker = workerCpu ?? available[0]
    guard available.contains(worker) else { throw ValidationError("--worker-cpu takes one of \(available)") }
    var others = available.filter { $0 != worker }
    if let otherCpus {
      others = otherCpus.split(separator: ",").compactMap { Int($0) }
      guard !others.isEmpty, others.allSatisfy(available.contains) else {
        throw ValidationError("--other-cpus takes some of \(available)")
      }
    }
    if others.isEmpty {
      ProgressLine.show("there is one CPU only: the load tool takes time from the media host")
      ProgressLine.end()
    }
    return (worker, others.isEmpty ? available : others)
  }
}
