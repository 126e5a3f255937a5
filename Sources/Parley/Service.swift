//  Service.swift: one of Parley's processes as `parley run` starts, watches and ends it.

import ArgumentParser
import Foundation

/// A child whose standard output is watched for the line that says that it is ready. Its output and errors are passed on.
final class Service: @unchecked Sendable {
  // @unchecked: `isReady` and `hasEnded` are guarded by `condition`.
  let name: String
  private let process = Process()
  private let condition = NSCondition()
  private var isReady = false
  private var hasEnded = false
  private let readyMark: String

  init(
    _ name: String, arguments: [String], readyMark: String, onEnd: @escaping @Sendable () -> Void
  ) throws {
    self.name = name
    self.readyMark = readyMark
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    process.executableURL = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    process.terminationHandler = { [weak self] _ in
      self?.noteEnd()
      onEnd()
    }
    do {
      try process.run()
    } catch {
      StandardError.write("cannot start \(process.executableURL?.path ?? name): \(error.localizedDescription)")
      throw ExitStatus.unavailable
    }
    Thread.detachNewThread { [weak self] in self?.passOn(output.fileHandleForReading) }
  }

  var isRunning: Bool { process.isRunning }
  /// Of the ended process.
  var status: Int32 { process.isRunning ? 0 : process.terminationStatus }

  func waitUntilReady(seconds: Double) throws {
    let deadline = Date(timeIntervalSinceNow: seconds)
    let outcome = condition.withLock { () -> (ready: Bool, ended: Bool) in
      while !isReady, !hasEnded, condition.wait(until: deadline) {}
      return (isReady, hasEnded)
    }
    if outcome.ready { return }
    StandardError.write(
      outcome.ended
        ? "\(name) ended with status \(status) before it was ready" : "\(name) was not ready within \(seconds) s")
    throw outcome.ended && status != 0 ? ExitCode(status) : ExitStatus.unavailable
  }

  /// SIGTERM, and SIGKILL when that is not enough.
  func stop(seconds: Double) {
    guard process.isRunning else { return }
    process.terminate()
    let deadline = Date(timeIntervalSinceNow: seconds)
    condition.withLock {
      while !hasEnded, condition.wait(until: deadline) {}
    }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }

  private func noteEnd() {
    condition.withLock {
      hasEnded = true
      condition.broadcast()
    }
  }

  private func passOn(_ handle: FileHandle) {
    var rest = Data()
    while case let chunk = handle.availableData, !chunk.isEmpty {
      rest.append(chunk)
      while let end = rest.firstIndex(of: 10) {
        let line = String(decoding: rest[rest.startIndex..<end], as: UTF8.self)
        rest.removeSubrange(rest.startIndex...end)
        print(line)
        guard line.contains(readyMark) else { continue }
        condition.withLock {
          isReady = true
          condition.broadcast()
        }
      }
    }
  }
}

/// The signals that mean "stop", taken from their default effect.
final class SignalQueue: @unchecked Sendable {
  // @unchecked: `received` is set on `queue` and read after the semaphore that the handler signals.
  private let queue = DispatchQueue(label: "parley.signals")
  private let sources: [any DispatchSourceSignal]
  private(set) var received = false

  init(_ numbers: [Int32]) {
    let queue = queue
    sources = numbers.map { number in
      signal(number, SIG_IGN)
      return DispatchSource.makeSignalSource(signal: number, queue: queue)
    }
  }

  func onSignal(_ handler: @escaping @Sendable () -> Void) {
    for source in sources {
      source.setEventHandler { [weak self] in
        self?.received = true
        handler()
      }
      source.resume()
    }
  }
}
