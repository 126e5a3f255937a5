//  Impairment.swift: what is done to the packets that phones send: loss and jitter, decided by a seed.

import Primitives

/// The faults of the phones' side of the network.
package struct Impairment: Sendable {
  /// Lost, in thousandths.
  package var loss = 0
  /// Each packet is held back by 0 to this many milliseconds, so that later ones may overtake it.
  package var jitterMilliseconds = 0
  private var random: RandomSource

  package init(loss: Int, jitterMilliseconds: Int, seed: UInt64) {
    self.loss = loss
    self.jitterMilliseconds = jitterMilliseconds
    random = RandomSource(seed: seed)
  }

  package var isNone: Bool { loss == 0 && jitterMilliseconds == 0 }

  /// - Returns: how long the next packet is held back; `nil` when it is lost.
  package mutating func fate() -> Interval? {
    if loss > 0, below(1_000) < loss { return nil }
    return jitterMilliseconds > 0 ? .microseconds(below(jitterMilliseconds * 1_000)) : .zero
  }

  private mutating func below(_ bound: Int) -> Int { Int((UInt64(random.nextWord()) * UInt64(bound)) >> 32) }
}

/// Packets that are held back, by millisecond.
package struct DelayLine {
  package struct Packet {
    package var local: UInt32
    package var peer: SocketAddress
    package var bytes: [UInt8]
    package init(local: UInt32, peer: SocketAddress, bytes: [UInt8]) {
      self.local = local
      self.peer = peer
      self.bytes = bytes
    }
  }
  /// Packets held at once; what is over it is lost.
  package static let maximumCount = 1 << 20
  private var slots: [Int64: [Packet]] = [:]
  private var earliest = Int64.max
  package private(set) var count = 0

  package init() {}

  package mutating func hold(_ packet: Packet, until due: Instant) {
    guard count < Self.maximumCount else { return }
    let slot = due.nanoseconds / 1_000_000
    slots[slot, default: []].append(packet)
    earliest = min(earliest, slot)
    count += 1
  }

  /// Those whose time has come, in the order of their times.
  package mutating func release(now: Instant) -> [Packet] {
    let last = now.nanoseconds / 1_000_000
    guard earliest <= last else { return [] }
    var released: [Packet] = []
    for slot in slots.keys.filter({ $0 <= last }).sorted() { released += slots.removeValue(forKey: slot) ?? [] }
    earliest = slots.keys.min() ?? .max
    count -= released.count
    return released
  }
}
