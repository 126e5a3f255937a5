//  SPSCQueue.swift: the only crossing between threads: one producer, one consumer, bounded, wait-free.

import Synchronization

/// A bounded queue between exactly one producing and one consuming thread.
///
/// Head and tail lie 128 bytes apart and each side caches the other's index, so that a full or empty queue costs one
/// shared read and a busy one none. Elements are moved in and out: a command may own memory, a packet must not.
@safe public final class SPSCQueue<Element: Sendable>: @unchecked Sendable {
  // @unchecked: `push` is called by one thread and `pop` by one other; the acquire/release pair orders the slots.
  private struct Side: ~Copyable {
    let index = Atomic<UInt>(0)
    var cachedOther: UInt = 0
    let padding = InlineArray<14, UInt>(repeating: 0)
  }
  private let mask: UInt
  private let slots: UnsafeMutablePointer<Element>
  private let head: UnsafeMutablePointer<Side>
  private let tail: UnsafeMutablePointer<Side>

  /// - Parameter capacity: rounded up to a power of two.
  public init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << 24)
    var size = 1
    while size < capacity { size *= 2 }
    mask = UInt(size - 1)
    unsafe slots = UnsafeMutablePointer<Element>.allocate(capacity: size)
    unsafe head = UnsafeMutablePointer<Side>.allocate(capacity: 2)
    unsafe tail = head + 1
    unsafe head.initialize(to: Side())
    unsafe tail.initialize(to: Side())
  }

  deinit {
    while pop() != nil {}
    unsafe head.deinitialize(count: 2)
    unsafe head.deallocate()
    unsafe slots.deallocate()
  }

  public var capacity: Int { Int(mask) + 1 }

  /// For the consuming thread before it sleeps: what was pushed before this look is seen.
  public var isEmpty: Bool {
    unsafe head.pointee.index.load(ordering: .relaxed) == tail.pointee.index.load(ordering: .acquiring)
  }

  /// - Returns: `false` when the queue is full; `element` is then not taken.
  public func push(_ element: Element) -> Bool {
    let position = unsafe tail.pointee.index.load(ordering: .relaxed)
    if unsafe position &- tail.pointee.cachedOther > mask {
      unsafe tail.pointee.cachedOther = head.pointee.index.load(ordering: .acquiring)
      if unsafe position &- tail.pointee.cachedOther > mask { return false }
    }
    unsafe (slots + Int(truncatingIfNeeded: position & mask)).initialize(to: element)
    unsafe tail.pointee.index.store(position &+ 1, ordering: .releasing)
    return true
  }

  /// - Returns: `nil` when the queue is empty.
  public func pop() -> Element? {
    let position = unsafe head.pointee.index.load(ordering: .relaxed)
    if unsafe position == head.pointee.cachedOther {
      unsafe head.pointee.cachedOther = tail.pointee.index.load(ordering: .acquiring)
      if unsafe position == head.pointee.cachedOther { return nil }
    }
    let element = unsafe (slots + Int(truncatingIfNeeded: position & mask)).move()
    unsafe head.pointee.index.store(position &+ 1, ordering: .releasing)
    return element
  }
}
