//  LoadCommand.swift: `parley-load`: calls virtual participants in by real SIP and measures what they hear.

import ArgumentParser
import Foundation
import LinuxIO
import NIOPosix
import Primitives
import SDP
import SIP
import SIPEdge
import Simulation

@main
struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley-load",
    abstract: "Calls virtual participants into meetings, lets them talk, and measures what each of them hears.",
    discussion: """
      Every participant is a SIP call with SRTP and an address of its own (127.16.0.1 and up); talkers send speech with
      a pilot tone that names them, so that each listener knows whom it hears. Exit status 0 when all calls came up and
      everybody heard exactly those who talked, 1 when not, 64 for wrong options, 69 when nothing answers.
      """)

  @Option(help: "The SIP server, address and port.")
  var server = "127.0.0.1:5060"
  @Option(help: "The meeting's name; with several meetings a number is added.")
  var meeting = "load"
  @Option(help: "The meetings' domain; the server's address when not given.")
  var domain: String?
  @Option(help: "How many participants in all.")
  var participants = 10
  @Option(help: "Participants of one meeting; all in one when not given.")
  var meetingSize: Int?
  @Option(help: "How many talk in each meeting.")
  var talkers = 3
  @Option(help: "always: the same ones; turns: they take turns of --turn seconds; all: everybody.")
  var pattern = PatternName.always
  @Option(help: "Seconds of a turn.")
  var turn = 5
  @Option(help: "Seconds of talk that are measured.")
  var duration = 20.0
  @Option(help: "opus, g722, pcmu, pcma; several separated by commas are offered in that order.")
  var codec = "opus"
  @Option(help: "SRTP suites to offer, separated by commas; 'none' offers plain RTP.")
  var suite = "AEAD_AES_128_GCM"
  @Option(help: "What silent participants send: frames or dtx.")
  var quiet = PhoneConfiguration.Quiet.frames
  @Option(help: "How many of each meeting decode what they hear; all of up to 50 when not given.")
  var ears: Int?
  @Option(help: "Calls begun in a second.")
  var rate = 100
  @Option(help: "UDP port of all participants' media, even.")
  var mediaPort: UInt16 = 46_000
  @Option(help: "CPU for the media thread.")
  var cpu: Int?
  @Option(help: "A 16-bit mono wave file at 48 kHz to talk with, instead of synthetic speech.")
  var speech: String?
  @Option(help: "The media host's --report file: its figures are added to the report.")
  var hostReport: String?
  @Flag(help: "Print the report as one JSON object on standard output; progress goes to standard error.")
  var json = false

  enum PatternName: String, ExpressibleByArgument, CaseIterable { case always, turns, all }

  func run() throws {
    let plan = try makePlan()
    let address = try serverAddress()
    progressLine("encoding voices")
    let recorded = try speech.map { try WaveSamples.read($0) }
    let library = VoiceLibrary(plan: plan, speech: recorded)
    let engine: MediaEngine
    do {
      engine = try MediaEngine(plan: plan, library: library, clock: MonotonicClock.anchor(), cpu: cpu)
    } catch {
      throw fail("cannot open media port \(mediaPort): \(error); choose another --media-port", status: 69)
    }
    let board = ProgressBoard()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let edge = try startEdge(plan, engine, board, address, on: group)

    edge.execute { handler, now in (handler as? PhoneShell)?.begin(now: now) }
    try waitUntilUp(board)
    let host = try hostReport.map { try MediaHostObserver(path: $0) }
    engine.order(.judge)
    let start = Date()
    while case let elapsed = Date().timeIntervalSince(start), elapsed < duration {
      Thread.sleep(forTimeInterval: min(1, duration - elapsed))
      progressLine(String(format: "talking %.0f of %.0f s, %d lost", elapsed, duration, board.now.lost))
    }
    let measured = try host?.measure(legs: board.now.connected)
    let outcome = engine.finish()
    edge.execute { handler, now in (handler as? PhoneShell)?.hangUpAll(now: now) }
    wait(seconds: 5) { board.now.ended >= board.now.connected }
    try edge.stop().wait()
    try group.syncShutdownGracefully()

    let report = LoadReport(
      plan: plan, patternName: pattern.rawValue, progress: board.now, outcome: outcome, host: measured)
    print(json ? report.json : report.text)
    if !report.failures.isEmpty { throw ExitCode(1) }
  }

  // MARK: Options

  func makePlan() throws -> LoadPlan {
    guard (1...60_000).contains(participants) else { throw ValidationError("--participants takes 1 to 60000") }
    let size = meetingSize ?? participants
    guard (1...participants).contains(size) else { throw ValidationError("--meeting-size takes 1 to --participants") }
    guard talkers >= 0, turn > 0, duration > 0, duration <= 86_400, rate > 0 else {
      throw ValidationError("--talkers, --turn, --duration and --rate must be positive")
    }
    guard mediaPort >= 1_024, mediaPort % 2 == 0 else { throw ValidationError("--media-port takes an even port") }
    let encodings = try codec.split(separator: ",").map { name in
      guard let encoding = AudioEncoding.allCases.first(where: { $0.name.lowercased() == name.lowercased() }) else {
        throw ValidationError("--codec takes opus, g722, pcmu and pcma, not \(name)")
      }
      return encoding
    }
    let suites: [CryptoSuite] =
      suite == "none"
      ? []
      : try suite.split(separator: ",").map { name in
        guard let suite = CryptoSuite(rawValue: String(name)) else {
          let known = CryptoSuite.allCases.map(\.name).joined(separator: ", ")
          throw ValidationError("--suite takes \(known) or none, not \(name)")
        }
        return suite
      }
    let talk: TalkPattern =
      switch pattern {
      case .all: .all
      case .always: .always(count: talkers)
      case .turns: .turns(count: talkers, turnFrames: turn * LoadPlan.framesPerSecond)
      }
    return LoadPlan(
      participants: participants, meetingSize: size, pattern: talk, encodings: encodings, suites: suites, quiet: quiet,
      ears: ears ?? min(size, 50), mediaPort: mediaPort, callsPerSecond: rate)
  }

  private func serverAddress() throws -> Primitives.SocketAddress {
    guard let address = Primitives.SocketAddress(server), address.isIPv4 else {
      throw ValidationError("--server takes an IPv4 address and port such as 127.0.0.1:5060")
    }
    return address
  }

  private func startEdge(
    _ plan: LoadPlan, _ engine: MediaEngine, _ board: ProgressBoard, _ server: Primitives.SocketAddress,
    on group: MultiThreadedEventLoopGroup
  ) throws -> SIPEdge {
    var phones = PhoneConfiguration()
    phones.capabilities.encodings = plan.encodings
    phones.capabilities.suites = plan.suites
    phones.capabilities.allowsPlainRTP = plan.suites.isEmpty
    phones.quiet = plan.quiet
    let configuration = phones
    let domain = self.domain ?? server.host
    let name = meeting
    let several = plan.meetings > 1
    let local = Primitives.SocketAddress(ipv4: 0x7f00_0001, port: 0)
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    return try SIPEdge.start(SIPEdgeConfiguration(listeners: [.init(.udp, local)]), on: group.next()) { edge in
      let from = edge.addresses.first?.address ?? local
      return PhoneShell(
        edge: edge, engine: engine, plan: plan, configuration: configuration,
        proxy: SIPFlow(transport: .udp, local: from, remote: server, connection: 0), progress: board, seed: seed
      ) { meeting in "sip:\(name)\(several ? "-\(meeting)" : "")@\(domain)" }
    }.wait()
  }

  // MARK: Waiting

  private func waitUntilUp(_ board: ProgressBoard) throws {
    let limit = Double(participants) / Double(rate) + 35
    wait(seconds: limit) {
      let progress = board.now
      progressLine("calling: \(progress.connected) up, \(progress.refused) refused of \(participants)")
      return progress.connected + progress.refused >= participants
    }
    if board.now.connected == 0 {
      throw fail("no call came up: \(board.now.firstRefusal ?? "\(server) does not answer")", status: 69)
    }
  }

  private func wait(seconds: Double, until isDone: () -> Bool) {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !isDone(), Date() < deadline { Thread.sleep(forTimeInterval: 0.1) }
  }

  private func progressLine(_ text: String) {
    let isTerminal = isatty(2) == 1
    FileHandle.standardError.write(Data((isTerminal ? "\r\u{1b}[K\(text)" : "\(text)\n").utf8))
  }

  private func fail(_ text: String, status: Int32) -> ExitCode {
    FileHandle.standardError.write(Data("parley-load: \(text)\n".utf8))
    return ExitCode(status)
  }
}

extension PhoneConfiguration.Quiet: ExpressibleByArgument {}
