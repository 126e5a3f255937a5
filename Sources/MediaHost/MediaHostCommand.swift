//  MediaHostCommand.swift: `parley-media-host`: the data plane's process, from its configuration to its end.

import ArgumentParser
import Deployment
import Foundation
import LinuxIO
import Logging
import NIOCore
import NIOPosix
import Primitives
import SIPEdge

@main
struct MediaHostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley-media-host",
    abstract:
      "Parley's data plane: decrypts, mixes and encrypts the media of the meetings that a front end places here.",
    discussion: """
      Settings come from the section media-host of the configuration file, then from PARLEY_MEDIA_HOST_… variables, then \
      from the options below. SIGUSR1 drains: no new meetings, running ones go on. SIGTERM and SIGINT end every call, \
      then the process.
      """)

  @Option(name: .customLong("config"), help: "The configuration file; its section media-host is used.")
  var file: String?
  @Option(help: "This host's name, unique in the pool.")
  var name: String?
  @Option(help: "SIP over TCP and UDP: address:port.", transform: Self.address)
  var listen: Primitives.SocketAddress?
  @Option(help: "The front end to register with: address:port.", transform: Self.address)
  var frontEnd: Primitives.SocketAddress?
  @Option(help: "The address that phones send media to.", transform: Self.host)
  var mediaAddress: String?
  @Option(help: "The first worker's media port, even; each worker takes two.", transform: Self.port)
  var mediaPort: Int?
  @Option(help: "The CPUs to pin workers to: 1,2,3.", transform: Self.processors)
  var workers: CPUList?
  @Option(help: "The most legs this host takes.", transform: Self.legs)
  var maxLegs: Int?
  @Option(help: "What encrypts: auto, ipsec-mb, evp (OpenSSL) or reference (libsrtp2).", transform: Self.backend)
  var srtp: String?
  @Flag(help: "Accept RTP without encryption, from the signalled address only.")
  var allowPlainRTP = false
  @Option(
    help: "Figures for Prometheus, and the operator's questions: address:port, or \"\" for none.",
    transform: Self.metricsAddress)
  var metrics: MetricsAddress?
  @Flag(help: "Register nowhere; an INVITE to any name makes a meeting of that name. For tests and benchmarks.")
  var standalone = false
  @Option(help: "Write each worker's second as a line of JSON to this file; - is standard output.")
  var report: String?
  @Option(help: "trace, debug, info, notice, warning or error.", transform: Self.level)
  var logLevel: Logger.Level?

  func run() throws {
    if let complaint = ProcessorCheck.complaint() { throw Failure(complaint).exit }
    let settings = try load()
    let level = logLevel ?? .info
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = level
      return handler
    }
    let log = Logger(label: "parley.media-host")
    let reports = try openReports()
    let signals = SignalWaiter([SIGINT, SIGTERM, SIGUSR1])
    let threads = try startWorkers(settings, log)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let board = FiguresBoard(workers: threads.workers.count)
    let edge = try startEdge(settings, threads, reports, board, on: group.next(), log)
    let admin = try startAdmin(settings, board, edge, threads, log)

    let media = threads.workers.map { "\($0.mediaAddress)" }.joined(separator: ", ")
    let sip = edge.addresses.map { "\($0.transport) \($0.address)" }.joined(separator: ", ")
    say("parley-media-host \(settings.name) listening: SIP \(sip); media \(media)")
    edge.execute { handler, now in
      (handler as? MediaHostRuntime)?.start(now: now) {
        say("parley-media-host \(settings.name) ready: SIP \(sip); media \(media)")
      }
    }

    while signals.wait() == SIGUSR1 {
      edge.execute { handler, now in (handler as? MediaHostRuntime)?.drain(now: now) }
    }
    admin?.stop()
    stop(edge, log)
    threads.stop()
    try edge.stop().wait()
    try group.syncShutdownGracefully()
  }

  // MARK: Parts

  private func load() throws -> MediaHostConfiguration {
    var settings: MediaHostConfiguration
    do {
      let yaml = try file.map { try String(contentsOfFile: $0, encoding: .utf8) }
      settings = try DeploymentConfiguration(yaml: yaml, environment: ProcessInfo.processInfo.environment).mediaHost
    } catch let error as ConfigurationError {
      throw Failure("\(file ?? "configuration"):\n\(error.description)").exit
    } catch {
      throw Failure("cannot read \(file ?? "the configuration"): \(error.localizedDescription)").exit
    }
    if let name { settings.name = name }
    if let listen { settings.listen = listen }
    if let frontEnd { settings.frontEnd = frontEnd }
    if let mediaAddress { settings.mediaAddress = mediaAddress }
    if let mediaPort { settings.mediaPort = mediaPort }
    if let workers { settings.workers = workers.cpus }
    if let maxLegs { settings.maximumLegs = maxLegs }
    if let srtp { settings.srtp = srtp }
    if allowPlainRTP { settings.plainRTP = true }
    if let metrics { settings.metrics = metrics.address }
    return settings
  }

  private func openReports() throws -> ReportWriter? {
    do {
      return try report.map { try ReportWriter(path: $0) }
    } catch {
      throw Failure("cannot write reports to \(report ?? ""): \(error.localizedDescription)").exit
    }
  }

  private func startWorkers(_ settings: MediaHostConfiguration, _ log: Logger) throws -> WorkerGroup {
    do throws(WorkerGroup.StartError) {
      return try WorkerGroup(settings, log)
    } catch {
      throw Failure(error.description).exit
    }
  }

  private func startEdge(
    _ settings: MediaHostConfiguration, _ threads: WorkerGroup, _ reports: ReportWriter?, _ board: FiguresBoard,
    on loop: any EventLoop, _ log: Logger
  ) throws -> SIPEdge {
    let random: RandomSource
    do {
      random = try RandomSource.system()
    } catch {
      throw Failure("the system gives no random numbers: \(error)").exit
    }
    let isStandalone = standalone
    do {
      return try SIPEdge.start(
        SIPEdgeConfiguration(listeners: [.init(.tcp, settings.listen), .init(.udp, settings.listen)]), on: loop
      ) { edge in
        MediaHostRuntime(
          settings: settings, standalone: isStandalone, edge: edge, threads: threads, reports: reports, board: board,
          random: random, log: log)
      }.wait()
    } catch let error as SIPEdgeError {
      threads.stop()
      throw Failure(error.description).exit
    }
  }

  /// - Returns: `nil` when none is wanted, and when the default address belongs to somebody else: a second host on this
  ///   machine, which must not fail for that.
  private func startAdmin(
    _ settings: MediaHostConfiguration, _ board: FiguresBoard, _ edge: SIPEdge, _ threads: WorkerGroup, _ log: Logger
  ) throws -> AdminServer? {
    guard let address = settings.metrics else { return nil }
    board.update { $0.startedAt = Double(MonotonicClock.anchor().wall.microseconds) / 1e6 }
    let counters = AdminServer.Counters()
    do {
      let server = try AdminServer(address: address, counters: counters) { route, loop in
        guard route != .metrics else {
          let text = board.read().exposition(
            process: .current, served: counters.served, refused: counters.refused, now: MonotonicClock.now())
          return loop.makeSucceededFuture(
            AdminAnswer(contentType: MetricsText.contentType, body: Array(text.utf8)))
        }
        let promise = loop.makePromise(of: AdminAnswer.self)
        edge.execute { handler, now in
          promise.succeed((handler as? MediaHostRuntime)?.answer(route, now: now) ?? .text(503, "shutting down"))
        }
        return promise.futureResult
      }
      log.info("figures and questions", metadata: ["address": "\(address.with(port: UInt16(clamping: server.port)))"])
      return server
    } catch {
      guard address == MediaHostConfiguration.defaultMetrics else {
        threads.stop()
        throw Failure("cannot serve figures at media-host.metrics \(address): \(error)").exit
      }
      log.warning(
        "no figures: the default address is not free; set media-host.metrics",
        metadata: ["address": "\(address)", "error": "\(error)"])
      return nil
    }
  }

  /// Unregisters and ends every call; waits for the other sides and the workers, but not for ever.
  private func stop(_ edge: SIPEdge, _ log: Logger) {
    let finished = DispatchSemaphore(value: 0)
    edge.execute { handler, now in
      (handler as? MediaHostRuntime)?.shutDown(now: now) { finished.signal() }
    }
    if finished.wait(timeout: .now() + .seconds(5)) == .timedOut { log.warning("some calls did not end in time") }
  }

  // MARK: Values of options

  private static func address(_ text: String) throws -> Primitives.SocketAddress {
    guard let address = Primitives.SocketAddress(text), !address.isUnspecified else {
      throw ValidationError("'\(text)' is no address:port that peers can be told, such as 127.0.0.1:5070")
    }
    return address
  }

  private static func metricsAddress(_ text: String) throws -> MetricsAddress {
    if text.isEmpty { return MetricsAddress(address: nil) }
    guard let address = Primitives.SocketAddress(text) else {
      throw ValidationError("'\(text)' is no address:port, such as 127.0.0.1:9108")
    }
    return MetricsAddress(address: address)
  }

  private static func host(_ text: String) throws -> String {
    guard let address = Primitives.SocketAddress(host: text, port: 0), !address.isUnspecified else {
      throw ValidationError("'\(text)' is no IP address that a phone could send to")
    }
    return address.host
  }

  private static func port(_ text: String) throws -> Int {
    guard let port = Int(text), (1_024...65_000).contains(port), port % 2 == 0 else {
      throw ValidationError("'\(text)' is no even port from 1024 to 65000")
    }
    return port
  }

  private static func processors(_ text: String) throws -> CPUList {
    let cpus = text.split(separator: ",").map { Int($0) ?? -1 }
    guard !cpus.isEmpty, cpus.count <= 256, cpus.allSatisfy({ (0..<1_024).contains($0) }) else {
      throw ValidationError("'\(text)' is no list of CPU numbers, such as 1,2,3")
    }
    return CPUList(cpus: cpus)
  }

  private static func legs(_ text: String) throws -> Int {
    guard let legs = Int(text), (1...65_536).contains(legs) else {
      throw ValidationError("'\(text)' is no number from 1 to 65536")
    }
    return legs
  }

  private static func backend(_ text: String) throws -> String {
    guard MediaHostConfiguration.srtpChoices.contains(text) else {
      throw ValidationError("'\(text)' is none of \(MediaHostConfiguration.srtpChoices.joined(separator: ", "))")
    }
    return text
  }

  private static func level(_ text: String) throws -> Logger.Level {
    guard let level = Logger.Level(rawValue: text) else { throw ValidationError("'\(text)' is no log level") }
    return level
  }
}

struct MetricsAddress: Sendable {
  var address: Primitives.SocketAddress?
}

struct CPUList: Sendable {
  var cpus: [Int]
}

/// A line for whoever waits for this process: a supervisor, a test.
func say(_ line: String) {
  FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

/// What the operator has to mend: one line on standard error, and exit status 78 (EX_CONFIG of sysexits.h), so that a
/// supervisor does not start the process again and again.
struct Failure {
  var exit: ExitCode { ExitCode(78) }

  init(_ text: String) {
    FileHandle.standardError.write(Data("parley-media-host: \(text)\n".utf8))
  }
}
