//  ChildProcess.swift: a real program started by a test: its output by line, its end, and nothing left behind.

import Foundation
import Synchronization

struct HarnessError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// What one program printed, and whether it has ended. Kept alive by the threads that read, so that the process itself is not.
private final class ProcessOutput: @unchecked Sendable {
  // @unchecked: everything is guarded by `condition`.
  let condition = NSCondition()
  var lines: [String] = []
  private var openStreams = 2
  private var exited = false

  /// Call with `condition` locked.
  var isOver: Bool { exited && openStreams == 0 }

  func collect(_ handle: FileHandle) {
    var rest = Data()
    while case let chunk = handle.availableData, !chunk.isEmpty {
      rest.append(chunk)
      while let end = rest.firstIndex(of: 10) {
        let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
        rest.removeSubrange(rest.startIndex...end)
        change { lines.append(line) }
      }
    }
    change {
      if !rest.isEmpty { lines.append(String(decoding: rest, as: UTF8.self)) }
      openStreams -= 1
    }
  }

  func noteExit() { change { exited = true } }

  private func change(_ body: () -> Void) {
    condition.withLock {
      body()
      condition.broadcast()
    }
  }
}

/// One program under test or one real client. Killed when the test lets go of it.
final class ChildProcess {
  private let process = Process()
  private let input = Pipe()
  private let printed = ProcessOutput()
  let name: String

  init(
    _ name: String, _ executable: String, _ arguments: [String], environment: [String: String] = [:],
    directory: URL? = nil
  ) throws {
    self.name = name
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = directory }
    process.standardInput = input
    let printed = printed
    for stream in [\Process.standardOutput, \Process.standardError] {
      let pipe = Pipe()
      process[keyPath: stream] = pipe
      Thread.detachNewThread { printed.collect(pipe.fileHandleForReading) }
    }
    process.terminationHandler = { _ in printed.noteExit() }
    try process.run()
  }

  deinit { kill(signal: SIGKILL) }

  var identifier: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  /// Everything printed so far.
  var output: String { printed.condition.withLock { printed.lines.joined(separator: "\n") } }

  /// Waits until a line that contains `text` was printed, also before the call.
  @discardableResult
  func waitForLine(containing text: String, seconds: Double = 20) throws -> String {
    let deadline = Date(timeIntervalSinceNow: seconds)
    return try printed.condition.withLock {
      var read = 0
      while true {
        while read < printed.lines.count {
          if printed.lines[read].contains(text) { return printed.lines[read] }
          read += 1
        }
        if printed.isOver || !printed.condition.wait(until: deadline) {
          throw HarnessError("\(name) never printed «\(text)»; it printed:\n\(lastLines)")
        }
      }
    }
  }

  /// Waits for the end and returns the exit status (negative: the signal that ended it).
  func waitForExit(seconds: Double = 30) throws -> Int32 {
    let deadline = Date(timeIntervalSinceNow: seconds)
    try printed.condition.withLock {
      while !printed.isOver {
        guard printed.condition.wait(until: deadline) else {
          throw HarnessError("\(name) did not end within \(seconds) s; it printed:\n\(lastLines)")
        }
      }
    }
    return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
  }

  private var lastLines: String { printed.lines.suffix(60).joined(separator: "\n") }

  /// Sends a signal to this process only.
  func kill(signal: Int32 = SIGTERM) {
    if process.isRunning { Foundation.kill(process.processIdentifier, signal) }
  }
}

/// A directory of its own for one test, removed at the end.
final class ScratchDirectory {
  let url: URL
  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("parley-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(at: url) }
  func path(_ name: String) -> String { url.appendingPathComponent(name).path }
  func write(_ name: String, _ text: String) throws -> String {
    try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    return path(name)
  }
}

/// Ports that nothing listened on a moment ago, even ones with their odd neighbour free too.
enum FreePort {
  private static let next = Mutex<UInt16>(UInt16(20_000 + (getpid() % 200) * 100))

  static func pair() -> UInt16 {
    next.withLock { candidate in
      while true {
        candidate = candidate >= 60_000 ? 20_000 : candidate + 2
        if [candidate, candidate + 1].allSatisfy({ isFree($0, SOCK_DGRAM) && isFree($0, SOCK_STREAM) }) {
          return candidate
        }
      }
    }
  }

  private static func isFree(_ port: UInt16, _ kind: __socket_type) -> Bool {
    let descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    } == 0
  }
}
