//  FixedBlock.swift: a fixed number of trivial values at an address of their own.

/// `count` values in memory allocated once, in `init`.
///
/// For what a large value keeps inside: an `InlineArray` of some hundred bytes makes the compiler copy the whole of it, or
/// of the value around it, at many a read of one element (measured: 5 KB for each packet received).
@safe public struct FixedBlock<Element: BitwiseCopyable>: ~Copyable {
  public let count: Int
  @usableFromInline let memory: UnsafeMutablePointer<Element>

  public init(count: Int, repeating value: Element) {
    precondition(count > 0 && count <= 1 << 30)
    self.count = count
    unsafe memory = UnsafeMutablePointer<Element>.allocate(capacity: count)
    unsafe memory.initialize(repeating: value, count: count)
  }

  deinit { unsafe memory.deallocate() }

  /// - Precondition: `index` is in `0..<count`.
  @inlinable public subscript(_ index: Int) -> Element {
    @inline(__always) unsafeAddress {
      precondition(index >= 0 && index < count)
      return unsafe UnsafePointer(memory + index)
    }
    @inline(__always) unsafeMutableAddress {
      precondition(index >= 0 && index < count)
      return unsafe memory + index
    }
  }
}

extension FixedBlock where Element == UInt8 {
  /// Runs `body` on some of the bytes.
  @inlinable @inline(__always) public func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let bytes = unsafe UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count)
    return try unsafe body(bytes.bytes)
  }

  /// Runs `body` on some of the bytes, writable.
  @inlinable @inline(__always) public mutating func withMutableBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (inout MutableRawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let bytes = unsafe UnsafeMutableRawBufferPointer(start: memory + range.lowerBound, count: range.count)
    var span = unsafe bytes.mutableBytes
    return try body(&span)
  }
}
