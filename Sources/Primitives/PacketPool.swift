//  PacketPool.swift: a fixed number of packet buffers in memory that its owner provides; no allocation after init.

/// Names one buffer of a `PacketPool`.
@frozen public struct PacketBuffer: Hashable, Sendable, BitwiseCopyable {
  public let index: UInt32
  @inlinable public init(index: UInt32) { self.index = index }
}

/// Buffers of `bufferSize` bytes each, handed out and taken back in last-in-first-out order, so that a warm one is used next.
/// Owned by one worker: not thread-safe. `available + taken == capacity` always.
@safe public struct PacketPool: ~Copyable {
  /// Fits an Ethernet MTU with room for an SRTP tag and alignment.
  public static let bufferSize = 2048
  /// From one buffer's start to the next: a cache line more, so that the headers of thousands of packets, which is all that
  /// is touched of most, do not share the few cache sets that a power of two leads to.
  public static let stride = bufferSize + 64

  /// Memory that `capacity` buffers take.
  public static func byteCount(capacity: Int) -> Int { capacity * stride }

  public let capacity: Int
  @usableFromInline let memory: UnsafeMutableRawPointer
  @usableFromInline let free: UnsafeMutablePointer<UInt32>
  @usableFromInline let taken: UnsafeMutablePointer<Bool>
  @usableFromInline var freeCount: Int
  private let ownsMemory: Bool

  /// - Parameters:
  ///   - capacity: number of buffers, at least 1.
  ///   - memory: `byteCount(capacity:)` bytes, 64-byte aligned, that outlive the pool (NUMA-local memory of the shell);
  ///     `nil` to allocate ordinary memory.
  public init(capacity: Int, memory: UnsafeMutableRawPointer? = nil) {
    precondition(capacity > 0 && capacity <= Int(UInt32.max))
    self.capacity = capacity
    unsafe ownsMemory = memory == nil
    unsafe self.memory =
      memory
      ?? UnsafeMutableRawPointer.allocate(byteCount: Self.byteCount(capacity: capacity), alignment: 64)
    unsafe free = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
    unsafe taken = UnsafeMutablePointer<Bool>.allocate(capacity: capacity)
    for index in 0..<capacity {
      unsafe free[index] = UInt32(capacity - 1 - index)
      unsafe taken[index] = false
    }
    freeCount = capacity
  }

  deinit {
    if ownsMemory { unsafe memory.deallocate() }
    unsafe free.deallocate()
    unsafe taken.deallocate()
  }

  @inlinable public var available: Int { freeCount }

  /// - Returns: `nil` when every buffer is taken: the caller drops its packet, counts `poolExhausted` and goes on.
  @inlinable public mutating func take() -> PacketBuffer? {
    guard freeCount > 0 else { return nil }
    freeCount &-= 1
    let index = unsafe free[freeCount]
    unsafe taken[Int(index)] = true
    return PacketBuffer(index: index)
  }

  /// - Precondition: `buffer` is taken: giving back twice is our own bug and traps.
  @inlinable public mutating func give(_ buffer: PacketBuffer) {
    precondition(Int(buffer.index) < capacity)
    unsafe precondition(taken[Int(buffer.index)], "packet buffer given back twice")
    unsafe taken[Int(buffer.index)] = false
    unsafe free[freeCount] = buffer.index
    freeCount &+= 1
  }

  /// The buffer's `bufferSize` bytes. Valid while the buffer is taken.
  @inlinable @inline(__always) public func pointer(to buffer: PacketBuffer) -> UnsafeMutableRawPointer {
    precondition(Int(buffer.index) < capacity)
    return unsafe memory + Int(buffer.index) &* Self.stride
  }

  /// Runs `body` on the first `count` bytes of a buffer.
  @inlinable @inline(__always) public func withBytes<Result, Failure: Error>(
    of buffer: PacketBuffer, count: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(count >= 0 && count <= Self.bufferSize)
    let bytes = unsafe UnsafeRawBufferPointer(start: pointer(to: buffer), count: count)
    return try unsafe body(bytes.bytes)
  }

  /// Runs `body` on a buffer's first `count` bytes, writable.
  @inlinable @inline(__always) public func withMutableBytes<Result, Failure: Error>(
    of buffer: PacketBuffer, count: Int = bufferSize, _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(count >= 0 && count <= Self.bufferSize)
    let bytes = unsafe UnsafeMutableRawBufferPointer(start: pointer(to: buffer), count: count)
    var span = unsafe bytes.mutableBytes
    return try body(&span)
  }
}
