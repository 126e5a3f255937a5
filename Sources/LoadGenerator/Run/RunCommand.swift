//  RunCommand.swift: `parley-load run`, also without its name: one load for a while, against any SIP server.

import ArgumentParser
import Foundation
import Primitives

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "One load for a while: who was heard, what was lost, what it cost.")

  @OptionGroup var load: LoadOptions
  @Option(help: "The SIP server, address and port.")
  var server = "127.0.0.1:5060"
  @Option(help: "The meeting's name; with several meetings a number is added.")
  var meeting = "load"
  @Option(help: "The meetings' domain; the server's address when not given.")
  var domain: String?
  @Option(help: "How many participants in all.")
  var participants = 10
  @Option(help: "Seconds of talk that are measured.")
  var duration = 20.0
  @Option(help: "UDP port of all participants' media, even.")
  var mediaPort: UInt16 = 46_000
  @Option(help: "CPU for the media thread.")
  var cpu: Int?
  @Option(help: "The media host's --report file: its figures are added to the report.")
  var hostReport: String?
  @Option(help: "content: calls, packets, who was heard; full: also slack and delay, as capacity demands them.")
  var gate = GateName.content
  @Option(help: "Send so many SRTP packets with wrong tags over --duration, from a leg's address and from others.")
  var badTags = 0
  @Flag(help: "The last leg sends a hundred times its packets.")
  var floodLeg = false
  @Flag(help: "Print the report as one JSON object on standard output; progress goes to standard error.")
  var json = false

  enum GateName: String, ExpressibleByArgument, CaseIterable { case content, full }

  func run() throws {
    let plan = try load.plan(participants: participants, mediaPort: mediaPort)
    guard duration > 0, duration <= 86_400 else { throw ValidationError("--duration takes seconds of at most a day") }
    guard (0...100_000_000).contains(badTags) else { throw ValidationError("--bad-tags takes 0 to 100000000") }
    let target = try LoadTarget(server: Self.address(server), meeting: meeting, domain: domain)
    ProgressLine.show("encoding voices")
    let library = try VoiceLibrary(plan: plan, speech: load.speech.map { try WaveSamples.read($0) })
    let interruption = Interruption()
    let session: LoadSession
    do {
      session = try LoadSession(
        plan: plan, library: library, options: engineOptions, target: target, interruption: interruption)
    } catch {
      throw ProgressLine.fail("cannot open media port \(mediaPort): \(error); choose another --media-port")
    }
    defer { session.end() }
    try session.call(upTo: participants)
    if session.progress.connected == 0 {
      throw ProgressLine.fail("no call came up: \(session.progress.firstRefusal ?? "\(server) does not answer")")
    }
    let observer = try hostReport.map { try MediaHostObserver(path: $0) }
    let (outcome, measured) = try session.measure(seconds: duration, host: observer)
    ProgressLine.end()
    let report = LoadReport(
      plan: plan, participants: participants, patternName: load.patternName, progress: session.progress,
      outcome: outcome, host: measured, gate: gate == .full ? QualityGate() : .contentOnly)
    print(json ? report.json : report.text)
    if report.verdict != .passed { throw ExitCode(report.verdict.exitStatus) }
  }

  private var engineOptions: EngineOptions {
    var options = load.engine
    options.cpu = cpu
    options.faults.badTags = badTags
    options.faults.badTagsSeconds = duration
    options.faults.flood = floodLeg ? FaultOptions.floodFactor : 1
    return options
  }

  static func address(_ text: String) throws -> Primitives.SocketAddress {
    guard let address = Primitives.SocketAddress(text), address.isIPv4 else {
      throw ValidationError("--server takes an IPv4 address and port such as 127.0.0.1:5060")
    }
    return address
  }
}
