//  NetworkBytes.swift: bounded reads and writes in network byte order, for every binary protocol here.

/// Checked reads: `nil` when the value does not lie wholly inside the span; nothing here can trap on hostile input.
extension RawSpan {
  @inlinable @inline(__always) public func uint8(at offset: Int) -> UInt8? {
    guard offset >= 0, offset < byteCount else { return nil }
    return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
  }
  @inlinable @inline(__always) public func uint16(at offset: Int) -> UInt16? {
    guard offset >= 0, offset <= byteCount &- 2 else { return nil }
    return unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
  }
  @inlinable @inline(__always) public func uint32(at offset: Int) -> UInt32? {
    guard offset >= 0, offset <= byteCount &- 4 else { return nil }
    return unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
  }
  @inlinable @inline(__always) public func uint64(at offset: Int) -> UInt64? {
    guard offset >= 0, offset <= byteCount &- 8 else { return nil }
    return unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
  }
}

/// Checked writes: `false`, and nothing is written, when the value does not fit.
extension MutableRawSpan {
  @inlinable @inline(__always) @discardableResult
  public mutating func store(_ value: some FixedWidthInteger & BitwiseCopyable, at offset: Int) -> Bool {
    let size = value.bitWidth / 8
    guard offset >= 0, offset <= byteCount &- size else { return false }
    unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: type(of: value))
    return true
  }
}

/// The same checked reads for a span of bytes, for text protocols that scan eight bytes at a time.
extension Span<UInt8> {
  @inlinable @inline(__always) public func uint8(at offset: Int) -> UInt8? {
    guard offset >= 0, offset < count else { return nil }
    return unsafe self[unchecked: offset]
  }
  /// Eight bytes with the first one in the lowest bits, whatever the machine: a scan finds its first hit by
  /// `trailingZeroBitCount`.
  @inlinable @inline(__always) public func littleEndianUInt64(at offset: Int) -> UInt64? {
    guard offset >= 0, offset &+ 8 <= count else { return nil }
    return unsafe UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
  }
}
