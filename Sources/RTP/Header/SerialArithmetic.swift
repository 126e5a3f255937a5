//  SerialArithmetic.swift: comparing sequence numbers and timestamps that wrap (RFC 1982 §3.2).

extension UInt16 {
  /// The signed distance from `other` to this sequence number: −32,768…32,767, positive when this one is newer.
  @inlinable @inline(__always) public func serialDistance(from other: UInt16) -> Int {
    Int(Int16(bitPattern: self &- other))
  }
  /// This sequence number comes after `other`, fewer than 2¹⁵ steps away.
  @inlinable @inline(__always) public func isSeriallyAfter(_ other: UInt16) -> Bool { serialDistance(from: other) > 0 }
}

extension UInt32 {
  /// The signed distance from `other` to this timestamp: positive when this one is newer.
  @inlinable @inline(__always) public func serialDistance(from other: UInt32) -> Int {
    Int(Int32(bitPattern: self &- other))
  }
  /// This timestamp comes after `other`, fewer than 2³¹ units away.
  @inlinable @inline(__always) public func isSeriallyAfter(_ other: UInt32) -> Bool { serialDistance(from: other) > 0 }
}
