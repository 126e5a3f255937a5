//  SignalWaiter.swift: signals as something that the main thread waits for.

import Foundation
import Synchronization

/// Takes the given signals from their default action and hands them out one by one.
final class SignalWaiter: Sendable {
  private let arrived: Mutex<[Int32]>
  private let semaphore = DispatchSemaphore(value: 0)
  private let sources = Mutex<[any DispatchSourceSignal]>([])

  init(_ numbers: [Int32]) {
    arrived = Mutex([])
    let queue = DispatchQueue(label: "parley.signals")
    for number in numbers {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [self] in
        arrived.withLock { if $0.count < 16 { $0.append(number) } }
        semaphore.signal()
      }
      source.resume()
      nonisolated(unsafe) let kept = source
      sources.withLock { $0.append(kept) }
    }
  }

  func wait() -> Int32 {
    while true {
      semaphore.wait()
      if let number = arrived.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return number }
    }
  }
}
