//  SignalWaiter.swift: signals as something that the main thread waits for.

import Foundation
import Synchronization

/// Takes the given signals from their default action and hands them out one by one.
final class SignalWaiter {
  private final class Arrivals: Sendable {
    private let numbers = Mutex<[Int32]>([])
    private let semaphore = DispatchSemaphore(value: 0)

    func note(_ number: Int32) {
      numbers.withLock { if $0.count < 16 { $0.append(number) } }
      semaphore.signal()
    }

    func next() -> Int32? {
      semaphore.wait()
      return numbers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
  }

  private let arrivals = Arrivals()
  private let sources: [any DispatchSourceSignal]

  init(_ numbers: [Int32]) {
    let arrivals = arrivals
    let queue = DispatchQueue(label: "parley.signals")
    sources = numbers.map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { arrivals.note(number) }
      source.resume()
      return source
    }
  }

  func wait() -> Int32 {
    while true {
      if let number = arrivals.next() { return number }
    }
  }
}
