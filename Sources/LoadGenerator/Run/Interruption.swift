//  Interruption.swift: Ctrl-C and SIGTERM as something that waits look at, so that everything started is stopped.

import ArgumentParser
import Dispatch
import Foundation
import Synchronization

/// Made once, early; from then on the process ends only by its own hand.
final class Interruption: @unchecked Sendable {
  // @unchecked: `sources` is never touched again; it keeps the handlers alive.
  private final class Flag: Sendable { let isRaised = Atomic<Bool>(false) }
  private let flag = Flag()
  private let sources: [any DispatchSourceSignal]

  init() {
    let flag = flag
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { flag.isRaised.store(true, ordering: .releasing) }
      source.resume()
      return source
    }
  }

  var isRaised: Bool { flag.isRaised.load(ordering: .acquiring) }

  /// - Throws: the exit status of an interrupted command.
  func check() throws {
    if isRaised { throw LoadExit.interrupted }
  }

  /// Waits until `isDone`, but not longer than `seconds`.
  /// - Returns: whether it came to be done.
  @discardableResult
  func wait(seconds: Double, until isDone: () -> Bool) throws -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !isDone() {
      try check()
      let left = deadline.timeIntervalSinceNow
      if left <= 0 { return false }
      Thread.sleep(forTimeInterval: min(0.05, left))
    }
    return true
  }
}
