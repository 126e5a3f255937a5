//  FlatTable.swift: a hash table from small keys to slots, in one block of memory, that attackers cannot degrade.

import Primitives

/// A key that hashes to a well-mixed word under a secret seed.
package protocol FlatKey: Equatable, BitwiseCopyable {
  func hash(seed: UInt64) -> UInt64
}

/// The mixing step of all keys: both halves of a 128-bit product.
@inline(__always) func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
  let product = a.multipliedFullWidth(by: b)
  return product.high ^ product.low
}

struct FlatEntry<Key: FlatKey>: BitwiseCopyable {
  var key: Key
  var value: Int32
}

/// Open addressing with linear probing, at most half full, deletion by shifting back. Allocates in `init` only.
package struct FlatTable<Key: FlatKey>: ~Copyable {
  /// Entries that may be in it at once.
  package let limit: Int
  private let mask: Int
  private let seed: UInt64
  package private(set) var count = 0
  /// `nil` for an empty place.
  private var entries: BoundedList<FlatEntry<Key>?>

  package init(limit: Int, seed: UInt64) {
    precondition(limit > 0 && limit <= 1 << 28)
    self.limit = limit
    self.seed = seed
    var size = 16
    while size < limit * 2 { size *= 2 }
    mask = size - 1
    entries = BoundedList(capacity: size)
    for _ in 0..<size { entries.append(nil) }
  }

  private func home(_ key: Key) -> Int { Int(truncatingIfNeeded: key.hash(seed: seed)) & mask }

  package subscript(_ key: Key) -> Int? {
    var place = home(key)
    while let entry = entries[place] {
      if entry.key == key { return Int(entry.value) }
      place = (place &+ 1) & mask
    }
    return nil
  }

  /// Adds or replaces.
  /// - Returns: `false` when the table is at its limit.
  @discardableResult package mutating func set(_ key: Key, _ value: Int) -> Bool {
    var place = home(key)
    while let entry = entries[place] {
      if entry.key == key {
        entries[place] = FlatEntry(key: key, value: Int32(truncatingIfNeeded: value))
        return true
      }
      place = (place &+ 1) & mask
    }
    guard count < limit else { return false }
    entries[place] = FlatEntry(key: key, value: Int32(truncatingIfNeeded: value))
    count &+= 1
    return true
  }

  package mutating func remove(_ key: Key) {
    var hole = home(key)
    while true {
      guard let entry = entries[hole] else { return }
      if entry.key == key { break }
      hole = (hole &+ 1) & mask
    }
    count &-= 1
    var place = hole
    while true {
      place = (place &+ 1) & mask
      guard let entry = entries[place] else { break }
      // Moves back whatever the hole would cut off from its home.
      if (place &- home(entry.key)) & mask >= (place &- hole) & mask {
        entries[hole] = entry
        hole = place
      }
    }
    entries[hole] = nil
  }
}

/// Where a datagram came from and on which of the workers' sockets (`Datagram.socket`).
package struct Flow: FlatKey {
  package var address: SocketAddress
  package var socket: UInt8

  package init(address: SocketAddress, socket: UInt8) {
    self.address = address
    self.socket = socket
  }

  var isMedia: Bool { socket & 1 == 0 }
  /// Whose socket it is.
  var worker: Int { Int(socket >> 1) }

  package func hash(seed: UInt64) -> UInt64 {
    let low = mixed(address.low ^ seed, 0x9e37_79b9_7f4a_7c15)
    return mixed(low ^ address.high, seed ^ (UInt64(address.port) << 8 | UInt64(socket)) &* 0xd6e8_feb8_6659_fd93)
  }
}

extension UInt32: FlatKey {
  package func hash(seed: UInt64) -> UInt64 { mixed(UInt64(self) ^ seed, 0x9e37_79b9_7f4a_7c15 ^ seed >> 7) }
}
