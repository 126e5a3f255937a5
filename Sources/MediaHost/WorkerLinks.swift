//  WorkerLinks.swift: the queues between the workers of one host, one for each ordered pair, and how a peer is woken.

import LinuxIO
import Media
import Primitives
import Synchronization

/// Made before the workers' threads; then each queue is pushed to by one worker and popped by another.
public final class WorkerLinks: Sendable {
  /// Of one queue: 20 ms of 50 meetings that are split between two workers, each with four talkers. 0.5 MiB, used only
  /// where meetings are split or have moved; what must not be lost waits in `LinkBacklog` when one is full.
  static let capacity = 256
  /// On a host of more than eight workers, so that thousands of queues do not ask for gigabytes.
  static let capacityOfMany = 64

  public let workers: Int
  /// [receiver · workers + sender]; `nil` on the diagonal.
  private let queues: [SPSCQueue<LinkMessage>?]
  /// What wakes each worker: from here for urgent messages, from the control thread for commands.
  let wakeUps: [WakeUp]
  /// Every worker's sockets, to be sent from by whoever has a leg whose peer knows that address.
  let sockets = HostSockets()
  /// Bit n: worker n was given up, and takes nothing any more.
  private let retiredLow = Atomic<UInt64>(0)
  private let retiredHigh = Atomic<UInt64>(0)

  public init(workers: Int) throws(LinuxError) {
    self.workers = workers
    let capacity = workers <= 8 ? Self.capacity : Self.capacityOfMany
    var queues: [SPSCQueue<LinkMessage>?] = []
    var wakeUps: [WakeUp] = []
    for receiver in 0..<workers {
      for sender in 0..<workers { queues.append(sender == receiver ? nil : SPSCQueue(capacity: capacity)) }
      wakeUps.append(try WakeUp())
    }
    self.queues = queues
    self.wakeUps = wakeUps
  }

  func isRetired(_ worker: Int) -> Bool {
    let word = worker < 64 ? retiredLow.load(ordering: .relaxed) : retiredHigh.load(ordering: .relaxed)
    return word >> UInt64(worker & 63) & 1 != 0
  }

  func retire(_ worker: Int) {
    let bit: UInt64 = 1 << UInt64(worker & 63)
    if worker < 64 {
      retiredLow.bitwiseOr(bit, ordering: .relaxed)
    } else {
      retiredHigh.bitwiseOr(bit, ordering: .relaxed)
    }
  }

  private func queue(from sender: Int, to receiver: Int) -> SPSCQueue<LinkMessage>? {
    guard sender >= 0, sender < workers, receiver >= 0, receiver < workers else { return nil }
    return queues[receiver * workers + sender]
  }

  /// On the thread of `sender`.
  ///
  /// - Returns: `false` when there is no such worker, or its queue is full.
  func send(_ message: LinkMessage, from sender: Int, to receiver: Int) -> Bool {
    guard let queue = queue(from: sender, to: receiver), queue.push(message) else { return false }
    if message.isUrgent { wakeUps[receiver].wake() }
    return true
  }

  /// On the thread of `receiver`.
  func take(from sender: Int, to receiver: Int) -> LinkMessage? { queue(from: sender, to: receiver)?.pop() }

  /// On the thread of `receiver`, before it sleeps.
  func isEmpty(to receiver: Int) -> Bool {
    for sender in 0..<workers {
      if let queue = queue(from: sender, to: receiver), !queue.isEmpty { return false }
    }
    return true
  }
}
