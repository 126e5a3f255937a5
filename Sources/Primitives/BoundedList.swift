//  BoundedList.swift: a list of trivial values in memory allocated once.

/// An unordered or ordered list of at most `capacity` values. Never allocates after `init` unless `reserve` is called.
@safe public struct BoundedList<Element: BitwiseCopyable>: ~Copyable {
  @usableFromInline var storage: UnsafeMutablePointer<Element>
  @usableFromInline var room: Int
  @usableFromInline var used = 0

  public init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << 30)
    room = capacity
    unsafe storage = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
  }

  deinit { unsafe storage.deallocate() }

  @inlinable public var count: Int { used }
  @inlinable public var isEmpty: Bool { used == 0 }
  @inlinable public var isFull: Bool { used == room }
  @inlinable public var capacity: Int { room }

  /// Makes room for `capacity` values. Allocates: for set-up only.
  public mutating func reserve(_ capacity: Int) {
    guard capacity > room else { return }
    let larger = max(capacity, room * 2)
    let moved = UnsafeMutablePointer<Element>.allocate(capacity: larger)
    unsafe moved.moveInitialize(from: storage, count: used)
    unsafe storage.deallocate()
    unsafe storage = moved
    room = larger
  }

  /// - Returns: `false` when the list is full.
  @inlinable @discardableResult public mutating func append(_ element: Element) -> Bool {
    guard used < room else { return false }
    unsafe (storage + used).initialize(to: element)
    used &+= 1
    return true
  }

  @inlinable public subscript(_ index: Int) -> Element {
    get {
      precondition(index >= 0 && index < used)
      return unsafe storage[index]
    }
    set {
      precondition(index >= 0 && index < used)
      unsafe storage[index] = newValue
    }
  }

  @inlinable public mutating func popLast() -> Element? {
    guard used > 0 else { return nil }
    used &-= 1
    return unsafe storage[used]
  }

  /// Takes out one value; the last one takes its place.
  @inlinable public mutating func swapRemove(at index: Int) {
    precondition(index >= 0 && index < used)
    used &-= 1
    unsafe storage[index] = storage[used]
  }

  @inlinable public mutating func removeAll() { used = 0 }
}
