//  CommandMemory.swift: answers to recent commands, so that a repeated one is answered, not done twice (control protocol P5).

import Primitives
import SIP

/// Remembers the answer to each (dialog, requestId) for 32 s; bounded in number and in bytes, the oldest is lost first.
public struct CommandMemory: Sendable {
  public struct Key: Hashable, Sendable {
    public var dialog: CallHandle
    public var requestID: UInt64
    public init(dialog: CallHandle, requestID: UInt64) {
      self.dialog = dialog
      self.requestID = requestID
    }
  }

  /// What was answered: the SIP status and the C3P response.
  public struct Answer: Hashable, Sendable {
    public var status: Int
    public var body: [UInt8]
    public init(status: Int, body: [UInt8]) {
      self.status = status
      self.body = body
    }
  }

  private struct Entry: Sendable {
    var key: Key
    var expires: Instant
    var bytes: Int
  }

  private let capacity: Int
  private let byteCapacity: Int
  private let lifetime: Interval
  private var answers: [Key: Answer] = [:]
  /// In the order of expiry, which is the order of insertion; `first` is the oldest that is not yet forgotten.
  private var order: [Entry] = []
  private var first = 0
  private var bytes = 0

  public init(
    capacity: Int = Limits.rememberedCommands, byteCapacity: Int = Limits.rememberedBytes,
    lifetime: Interval = Limits.commandMemory
  ) {
    self.capacity = max(1, capacity)
    self.byteCapacity = max(1, byteCapacity)
    self.lifetime = lifetime
  }

  public var count: Int { answers.count }
  public var nextDeadline: Instant { first < order.count ? order[first].expires : .never }

  public mutating func answer(to key: Key, now: Instant) -> Answer? {
    forget(before: now)
    return answers[key]
  }

  public mutating func remember(_ answer: Answer, to key: Key, now: Instant) {
    forget(before: now)
    guard answers[key] == nil else { return }
    while first < order.count, answers.count >= capacity || bytes + answer.body.count > byteCapacity { dropOldest() }
    answers[key] = answer
    order.append(Entry(key: key, expires: now + lifetime, bytes: answer.body.count))
    bytes += answer.body.count
  }

  /// Forgets everything of a dialog that has ended: its ids cannot be repeated.
  public mutating func forget(dialog: CallHandle) {
    order = order[first...].filter { entry in
      guard entry.key.dialog == dialog else { return true }
      answers[entry.key] = nil
      bytes -= entry.bytes
      return false
    }
    first = 0
  }

  public mutating func forget(before now: Instant) {
    while first < order.count, order[first].expires <= now { dropOldest() }
  }

  private mutating func dropOldest() {
    let entry = order[first]
    answers[entry.key] = nil
    bytes -= entry.bytes
    first += 1
    if first > 64, first * 2 > order.count {
      order.removeFirst(first)
      first = 0
    }
  }
}
