//  WorkerLinks.swift: the queues between the workers of one host, one for each ordered pair, and how a peer is woken.

import LinuxIO
import Media
import Primitives

/// Made before the workers' threads; then each queue is pushed to by one worker and popped by another.
public final class WorkerLinks: Sendable {
  /// Of one queue: 20 ms of 50 meetings that are split between two workers, each with four talkers. 0.5 MiB, used only
  /// where meetings are split.
  static let capacity = 256
  /// On a host of more than eight workers, so that thousands of queues do not ask for gigabytes.
  static let capacityOfMany = 64

  public let workers: Int
  /// [receiver · workers + sender]; `nil` on the diagonal.
  private let queues: [SPSCQueue<LinkMessage>?]
  /// What wakes each worker: from here for urgent messages, from the control thread for commands.
  let wakeUps: [WakeUp]

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
