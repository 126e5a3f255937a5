//  WorkerLink.swift: what the workers of one host send each other: values of fixed size, one queue for each ordered pair.
//  Walk: MediaWorker (sender) → LinkOutbox → WorkerLoop ⇢ SPSCQueue ⇢ WorkerLoop → MediaWorker.receive(_:from:now:)

import Primitives

/// One message from one worker to another. Every field's meaning is its kind's; what a kind does not use stays zero.
@frozen public struct LinkMessage: Sendable, BitwiseCopyable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable {
    /// Who of a part of a meeting may be heard, and who is, in one tick.
    case candidates
    /// One talker's 20 ms as they are in the sender's mix: 960 samples.
    case voice
    /// A meeting that moves: `word` names its parcel.
    case meeting
    /// A datagram that came to a worker which its leg has left.
    case datagram
    /// What becomes of legs that have moved.
    case notices
  }

  /// Of `block`: a datagram fits, and a frame of 960 samples.
  public static let blockBytes = PacketPool.bufferSize

  public var kind: Kind
  public var flags: UInt8 = 0
  /// −127…0 dBov.
  public var level: Int8 = 0
  /// The `Datagram.socket` that a packet came in by.
  public var socket: UInt8 = 0
  /// Bytes of `block` that are used; values, for kinds whose block holds values.
  public var count: UInt16 = 0
  public var meeting: UInt32 = 0
  public var leg: UInt32 = 0
  /// The sender's tick: the same number and moment on every worker of a host.
  public var tick: Int64 = 0
  public var arrival = Instant.zero
  /// A handle that only sender and receiver understand.
  public var word: UInt64 = 0
  public var peer = SocketAddress(ipv4: 0, port: 0)
  public var block: InlineArray<1024, Int16> = InlineArray(repeating: 0)

  public init(_ kind: Kind) { self.kind = kind }

  /// The receiver is woken for it; otherwise it is taken when the receiver next wakes by itself, at its next tick at the
  /// latest.
  public var isUrgent: Bool {
    switch kind {
    case .candidates, .voice: false
    case .meeting, .datagram, .notices: true
    }
  }

  /// It must not be lost, and must not overtake another one: a full queue is waited for.
  public var isOrdered: Bool {
    switch kind {
    case .candidates, .voice: false
    case .meeting, .datagram, .notices: true
    }
  }
}

/// Messages that wait for the shell, oldest first. Emptied in every turn, so it always begins at the same warm memory.
struct LinkOutbox: ~Copyable {
  struct Entry: BitwiseCopyable {
    var worker: Int
    var message: LinkMessage
  }

  private var entries: BoundedList<Entry>
  private var taken = 0

  init(capacity: Int) { entries = BoundedList(capacity: capacity) }

  var isFull: Bool { entries.isFull }

  /// - Returns: `false` when it is full.
  mutating func push(_ message: LinkMessage, to worker: Int) -> Bool {
    entries.append(Entry(worker: worker, message: message))
  }

  mutating func pop() -> (worker: Int, message: LinkMessage)? {
    guard taken < entries.count else { return nil }
    let entry = entries[taken]
    taken &+= 1
    if taken == entries.count {
      entries.removeAll()
      taken = 0
    }
    return (entry.worker, entry.message)
  }
}

extension MediaWorker {
  /// The oldest message for another worker that the shell has not taken. The shell takes all of them in every turn, and
  /// tells by `linkFailed` which it could not deliver.
  public mutating func takeLinkMessage() -> (worker: Int, message: LinkMessage)? { outbox.pop() }

  /// The queue to that worker was full, or there is no such worker.
  public mutating func linkFailed(_ message: LinkMessage, to worker: Int) {
    counters.linkOverflow &+= 1
    if message.isOrdered { relocationFailed(message) }
  }

  /// Takes a message of another worker of this host. Call before `advance` in the turn in which it was found.
  public mutating func receive(_ message: LinkMessage, from worker: Int, now: Instant) {
    switch message.kind {
    case .candidates, .voice: receivePart(message, from: worker)
    case .meeting, .datagram, .notices: receiveRelocation(message, from: worker, now: now)
    }
  }

  /// Puts a message into the outbox.
  ///
  /// - Returns: `false` when that is full; the message is then lost, and counted.
  @discardableResult mutating func sendLink(_ message: LinkMessage, to worker: Int) -> Bool {
    if outbox.push(message, to: worker) { return true }
    counters.linkOverflow &+= 1
    return false
  }
}
