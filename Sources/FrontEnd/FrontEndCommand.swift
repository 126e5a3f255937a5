//  FrontEndCommand.swift: `parley-front-end`: the control plane's process, from its configuration to its end.

import ArgumentParser
import ConferenceStore
import Deployment
import Foundation
import Logging
import NIOPosix
import Primitives
import SIPEdge

@main
struct FrontEndCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley-front-end",
    abstract: "Parley's control plane: SIP, the Focus of each conference, the Conferencing Server Factory.")

  @Option(name: .customLong("config"), help: "The configuration file; its section front-end is used.")
  var file: String?
  @Option(help: "trace, debug, info, notice, warning or error.", transform: Self.level)
  var logLevel: Logger.Level?

  func run() throws {
    if let complaint = ProcessorCheck.complaint() {
      Self.complain(complaint)
      throw ExitCode(SystemExit.configuration)
    }
    let level = logLevel ?? .info
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = level
      return handler
    }
    let log = Logger(label: "parley.front-end")
    let settings = try load()
    let stop = StopSignal()
    let recorder = try openStore(settings, log)

    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let edge: SIPEdge
    do {
      edge = try SIPEdge.start(
        SIPEdgeConfiguration(listeners: [.init(.udp, settings.listen), .init(.tcp, settings.listen)]), on: group.next()
      ) { ConferenceRuntime(settings: settings, edge: $0, recorder: recorder, log: log) }.wait()
    } catch let error as SIPEdgeError {
      Self.complain(error.description)
      throw ExitCode(error.exitStatus)
    }
    let places = edge.addresses.map { "\($0.transport) \($0.address)" }.joined(separator: ", ")
    print("parley-front-end ready: SIP on \(places); domains \(settings.domains.joined(separator: ", "))")
    fflush(nil)

    stop.wait()
    log.info("stopping: conferences are ended")
    let emptied = DispatchSemaphore(value: 0)
    edge.execute { handler, now in
      (handler as? ConferenceRuntime)?.endAll(now: now) { emptied.signal() }
    }
    if emptied.wait(timeout: .now() + .seconds(3)) == .timedOut { log.warning("some calls did not end in time") }
    try edge.stop().wait()
    recorder.flush()
    if recorder.lost > 0 { log.error("records lost", metadata: ["count": "\(recorder.lost)"]) }
    try group.syncShutdownGracefully()
  }

  private func load() throws -> FrontEndConfiguration {
    do {
      let yaml = try file.map { try String(contentsOfFile: $0, encoding: .utf8) }
      return try DeploymentConfiguration(yaml: yaml, environment: ProcessInfo.processInfo.environment).frontEnd
    } catch let error as ConfigurationError {
      Self.complain("\(file ?? "configuration"):\n\(error.description)")
    } catch {
      Self.complain("cannot read \(file ?? "the configuration"): \(error.localizedDescription)")
    }
    throw ExitCode(SystemExit.configuration)
  }

  private func openStore(_ settings: FrontEndConfiguration, _ log: Logger) throws -> ConferenceRecorder {
    do {
      let store = try SQLiteConferenceStore(path: try settings.storePath())
      let abandoned = try store.closeAbandoned(at: WallClock.microseconds)
      if abandoned > 0 {
        log.warning("conferences of an earlier run had not ended", metadata: ["count": "\(abandoned)"])
      }
      return ConferenceRecorder(store: store) { error in
        log.error("the store failed; records wait", metadata: ["error": "\(error)"])
      }
    } catch {
      Self.complain(
        "cannot open the store \(settings.store): \(error); configure front-end.store as a writable file or memory")
      throw ExitCode(SystemExit.configuration)
    }
  }

  private static func level(_ text: String) throws -> Logger.Level {
    guard let level = Logger.Level(rawValue: text) else { throw ValidationError("'\(text)' is no log level") }
    return level
  }

  private static func complain(_ text: String) {
    FileHandle.standardError.write(Data("parley-front-end: \(text)\n".utf8))
  }
}

/// Exit statuses of BSD's sysexits, which init systems and scripts know.
enum SystemExit {
  static let configuration: Int32 = 78
}

enum WallClock {
  static var microseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1e6) }
}

/// SIGINT and SIGTERM as something to wait for.
final class StopSignal {
  private let semaphore = DispatchSemaphore(value: 0)
  private let sources: [any DispatchSourceSignal]

  init() {
    let semaphore = semaphore
    let queue = DispatchQueue(label: "parley.signals")
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { semaphore.signal() }
      source.resume()
      return source
    }
  }

  func wait() { semaphore.wait() }
}
