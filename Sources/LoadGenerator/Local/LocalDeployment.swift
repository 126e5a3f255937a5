//  LocalDeployment.swift: a front end and a media host of our own, on free loopback ports, in a folder that goes with them.

import Foundation
import Glibc
import LinuxIO
import Primitives

/// Both are stopped, and the folder is removed, by `stop`.
final class LocalDeployment: HostUnderTest {
  let target: LoadTarget
  let reportPath: String?
  private let folder: URL
  private var services: [LocalService] = []

  private static let readySeconds = 20.0
  private static let endSeconds = 2.0

  /// - Parameters:
  ///   - programs: the folder of both programs; this program's own when `nil`.
  ///   - srtp: the media host's `srtp` key; its default when `nil`.
  /// - Throws: an exit status after a message; nothing is left behind then.
  init(
    programs: String?, workerCPU: Int, maximumLegs: Int, srtp: String?, plainRTP: Bool, interruption: Interruption
  ) throws {
    let (sip, host, media) = (try FreePorts.pair(), try FreePorts.pair(), try FreePorts.pair())
    let name = "parley-load-\(getpid())-\(sip)"
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    let report = folder.appendingPathComponent("report").path
    reportPath = report
    target = LoadTarget(server: SocketAddress(ipv4: 0x7f00_0001, port: sip), meeting: "load", domain: nil)
    let configuration = folder.appendingPathComponent("parley.yaml")
    do {
      try FileManager.default.createDirectory(
        at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
      let text = """
        front-end:
          listen: 127.0.0.1:\(sip)
          domains: [127.0.0.1]
          store: memory
          maximum-participants: 100000
        media-host:
          listen: 127.0.0.1:\(host)
          front-end: 127.0.0.1:\(sip)
          media-port: \(media)
          workers: [\(workerCPU)]
          maximum-legs: \(maximumLegs)
          plain-rtp: \(plainRTP)
        \(srtp.map { "  srtp: \($0)" } ?? "")
        """
      try Data(text.utf8).write(to: configuration)
    } catch {
      throw ProgressLine.fail("cannot write to \(folder.path): \(error.localizedDescription)")
    }
    do {
      let place = try programs ?? Self.ownFolder()
      try start("parley-front-end", in: place, ["--config", configuration.path, "--log-level", "error"], interruption)
      try start(
        "parley-media-host", in: place,
        ["--config", configuration.path, "--report", report, "--log-level", "error"], interruption)
    } catch {
      stop()
      throw error
    }
  }

  deinit { stop() }

  private static func ownFolder() throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: own).deletingLastPathComponent().path
  }

  private func start(
    _ name: String, in folder: String, _ arguments: [String], _ interruption: Interruption
  ) throws {
    let program = URL(fileURLWithPath: folder).appendingPathComponent(name)
    guard FileManager.default.isExecutableFile(atPath: program.path) else {
      throw ProgressLine.fail("there is no \(name) in \(folder)")
    }
    let service: LocalService
    do {
      service = try LocalService(program, arguments)
    } catch {
      throw ProgressLine.fail("cannot start \(program.path): \(error.localizedDescription)")
    }
    services.append(service)
    let isReady = try interruption.wait(seconds: Self.readySeconds) { service.isReady || !service.isRunning }
    guard isReady, service.isReady else {
      throw ProgressLine.fail("\(name) did not become ready:\n\(service.complaints)")
    }
  }

  func stop() {
    for service in services { service.terminate() }
    let deadline = Date(timeIntervalSinceNow: Self.endSeconds)
    while services.contains(where: \.isRunning), Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
    for service in services { service.kill() }
    services = []
    try? FileManager.default.removeItem(at: folder)
  }
}

/// One child process, its output read for the line that says that it is ready.
private final class LocalService: @unchecked Sendable {
  // @unchecked: what readers collect is guarded by `lock`.
  private let process = Process()
  private let lock = NSLock()
  private var output = ""
  private var errors = ""
  private static let kept = 4_000

  init(_ program: URL, _ arguments: [String]) throws {
    process.executableURL = program
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let (out, error) = (Pipe(), Pipe())
    process.standardOutput = out
    process.standardError = error
    try process.run()
    collect(out.fileHandleForReading) { [weak self] in self?.note(output: $0) }
    collect(error.fileHandleForReading) { [weak self] in self?.note(errors: $0) }
  }

  var isRunning: Bool { process.isRunning }
  var isReady: Bool { lock.withLock { output.contains(" ready") } }
  /// The last it said.
  var complaints: String { lock.withLock { errors } }

  func terminate() {
    if process.isRunning { process.terminate() }
  }
  func kill() {
    if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  private func note(output text: String) { lock.withLock { output = String((output + text).suffix(Self.kept)) } }
  private func note(errors text: String) { lock.withLock { errors = String((errors + text).suffix(Self.kept)) } }

  private func collect(_ handle: FileHandle, _ note: @escaping @Sendable (String) -> Void) {
    Thread.detachNewThread {
      while case let chunk = handle.availableData, !chunk.isEmpty { note(String(decoding: chunk, as: UTF8.self)) }
    }
  }
}
