//  SlotTable.swift: values that stay in one place of preallocated memory and are named by their slot.

/// A bounded table of values, copyable or not. A slot keeps its number until its value is removed; free slots are reused,
/// last in first out. Allocates in `init`, and when it grows: on insertion only, never on access.
@safe public struct SlotTable<Element: ~Copyable>: ~Copyable {
  /// Slots that may be used at once.
  public let limit: Int
  @usableFromInline var memory: UnsafeMutablePointer<Element>
  /// Next free slot after this one, `-1` at the end of the free list, `-2` when occupied.
  @usableFromInline var links: UnsafeMutablePointer<Int32>
  @usableFromInline var size: Int
  @usableFromInline var firstFree: Int32
  public private(set) var count = 0

  /// - Parameters:
  ///   - limit: 1…2³⁰ slots.
  ///   - reserved: slots to allocate now; more are allocated as needed, by doubling. All of them when `nil`.
  public init(limit: Int, reserved: Int? = nil) {
    precondition(limit > 0 && limit <= 1 << 30)
    self.limit = limit
    size = min(limit, max(1, reserved ?? limit))
    unsafe memory = UnsafeMutablePointer<Element>.allocate(capacity: size)
    unsafe links = UnsafeMutablePointer<Int32>.allocate(capacity: size)
    for slot in 0..<size { unsafe (links + slot).initialize(to: slot + 1 < size ? Int32(slot + 1) : -1) }
    firstFree = 0
  }

  deinit {
    for slot in 0..<size where unsafe links[slot] == -2 { unsafe (memory + slot).deinitialize(count: 1) }
    unsafe memory.deallocate()
    unsafe links.deallocate()
  }

  @inlinable public var isFull: Bool { count == limit }
  /// Slots are below this.
  @inlinable public var end: Int { size }

  @inlinable public func isOccupied(_ slot: Int) -> Bool {
    guard slot >= 0, slot < size else { return false }
    return unsafe links[slot] == -2
  }

  /// - Precondition: not full.
  public mutating func insert(_ element: consuming Element) -> Int {
    precondition(count < limit, "slot table is full")
    if firstFree < 0 { grow() }
    let slot = Int(firstFree)
    unsafe firstFree = links[slot]
    unsafe links[slot] = -2
    unsafe (memory + slot).initialize(to: element)
    count += 1
    return slot
  }

  /// - Precondition: the slot is occupied.
  public mutating func remove(_ slot: Int) -> Element {
    precondition(isOccupied(slot))
    unsafe links[slot] = firstFree
    firstFree = Int32(truncatingIfNeeded: slot)
    count -= 1
    return unsafe (memory + slot).move()
  }

  /// The value in an occupied slot, in place; an empty slot traps.
  @inlinable public subscript(_ slot: Int) -> Element {
    @inline(__always) unsafeAddress {
      precondition(isOccupied(slot))
      return unsafe UnsafePointer(memory + slot)
    }
    @inline(__always) unsafeMutableAddress {
      precondition(isOccupied(slot))
      return unsafe memory + slot
    }
  }

  /// Reads from each of the first cache lines of a slot's value, so that they are on their way while the next slots' are asked
  /// for: a walk over thousands of values then waits for memory once for many of them, not once for each.
  ///
  /// - Returns: something to keep, or the compiler leaves the reading out.
  @inlinable @inline(__always) public func touch(_ slot: Int, bytes: Int) -> UInt8 {
    guard isOccupied(slot) else { return 0 }
    let start = unsafe UnsafeRawPointer(memory + slot)
    var sum: UInt8 = 0
    var offset = 0
    while offset < min(bytes, MemoryLayout<Element>.size) {
      sum |= unsafe start.load(fromByteOffset: offset, as: UInt8.self)
      offset &+= 64
    }
    return sum
  }

  /// Two different slots at once: the first to change, the second to read.
  @inlinable public mutating func withPair<Result>(
    _ changed: Int, _ read: Int, _ body: (inout Element, borrowing Element) -> Result
  ) -> Result {
    precondition(changed != read && isOccupied(changed) && isOccupied(read))
    return unsafe body(&memory[changed], memory[read])
  }

  private mutating func grow() {
    let larger = min(limit, size * 2)
    let newMemory = UnsafeMutablePointer<Element>.allocate(capacity: larger)
    let newLinks = UnsafeMutablePointer<Int32>.allocate(capacity: larger)
    for slot in 0..<size {
      unsafe (newLinks + slot).initialize(to: links[slot])
      if unsafe links[slot] == -2 { unsafe (newMemory + slot).moveInitialize(from: memory + slot, count: 1) }
    }
    for slot in size..<larger { unsafe (newLinks + slot).initialize(to: slot + 1 < larger ? Int32(slot + 1) : -1) }
    unsafe memory.deallocate()
    unsafe links.deallocate()
    unsafe memory = newMemory
    unsafe links = newLinks
    firstFree = Int32(size)
    size = larger
  }
}
