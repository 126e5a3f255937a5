//  BoundedQueue.swift: first in, first out, within one thread, in memory allocated once.

@safe public struct BoundedQueue<Element>: ~Copyable {
  public let capacity: Int
  @usableFromInline let slots: UnsafeMutablePointer<Element>
  @usableFromInline var head = 0
  @usableFromInline var used = 0

  public init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << 30)
    self.capacity = capacity
    unsafe slots = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
  }

  deinit {
    for index in 0..<used { unsafe (slots + (head + index) % capacity).deinitialize(count: 1) }
    unsafe slots.deallocate()
  }

  @inlinable public var count: Int { used }
  @inlinable public var available: Int { capacity &- used }
  @inlinable public var isEmpty: Bool { used == 0 }

  /// The element that `pop` would return.
  @inlinable public var first: Element? { used > 0 ? unsafe slots[head] : nil }

  /// - Returns: `false` when the queue is full.
  @inlinable public mutating func push(_ element: Element) -> Bool {
    guard used < capacity else { return false }
    var position = head &+ used
    if position >= capacity { position &-= capacity }
    unsafe (slots + position).initialize(to: element)
    used &+= 1
    return true
  }

  @inlinable public mutating func pop() -> Element? {
    guard used > 0 else { return nil }
    let element = unsafe (slots + head).move()
    head &+= 1
    if head == capacity { head = 0 }
    used &-= 1
    return element
  }
}
