//  RampCommand.swift: `parley-load ramp`: the highest load that a running SIP server carries.

import ArgumentParser
import Foundation

struct RampCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ramp",
    abstract: "Searches the highest number of participants at which a running server passes the quality gate.",
    discussion: "Without --host-report slack is not looked at, and CPU is not known.")

  @OptionGroup var load: LoadOptions
  @OptionGroup var search: SearchOptions
  @Option(help: "The SIP server, address and port.")
  var server = "127.0.0.1:5060"
  @Option(help: "The meeting's name; with several meetings a number is added.")
  var meeting = "load"
  @Option(help: "The meetings' domain; the server's address when not given.")
  var domain: String?
  @Option(help: "UDP port of all participants' media, even.")
  var mediaPort: UInt16 = 46_000
  @Option(help: "CPU for the media thread.")
  var cpu: Int?
  @Option(help: "The media host's --report file.")
  var hostReport: String?

  private final class RunningServer: HostUnderTest {
    let target: LoadTarget
    let reportPath: String?
    init(target: LoadTarget, reportPath: String?) {
      self.target = target
      self.reportPath = reportPath
    }
    func stop() {}
  }

  func run() throws {
    let settings = try search.settings(for: load)
    let target = try LoadTarget(server: RunCommand.address(server), meeting: meeting, domain: domain)
    _ = try load.plan(participants: settings.maximum, mediaPort: mediaPort)
    var engine = load.engine
    engine.cpu = cpu
    let runner = SearchRunner(
      settings, load: load, engine: engine, interruption: Interruption(), mediaPort: { mediaPort }
    ) { RunningServer(target: target, reportPath: hostReport) }
    try search.finish(runner.run(commit: Provenance.commit(), processor: Provenance.processor()))
  }
}
