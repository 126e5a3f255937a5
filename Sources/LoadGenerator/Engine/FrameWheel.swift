//  FrameWheel.swift: which phones send at which moment of each 20 ms.

import Primitives

/// Phones are spread evenly over the slots of a frame, any first N of them too; each slot's phones leave as one batch.
package struct FrameWheel: Sendable {
  package static let slots = 50
  package static let slot = Interval.microseconds(400)

  /// Slots since the epoch whose phones have sent.
  package private(set) var turn = 0
  private var phones: [[Int]] = Array(repeating: [], count: slots)
  private let epoch: Instant

  package init(epoch: Instant) { self.epoch = epoch }

  /// Steps of the golden ratio: no prefix of the phones bunches.
  package static func slot(of phone: Int) -> Int {
    Int((UInt64(UInt32(truncatingIfNeeded: phone) &* 2_654_435_769) * UInt64(slots)) >> 32)
  }
  /// From a frame's start until a phone's packet of it is due.
  package static func offset(of phone: Int) -> Interval { slot * slot(of: phone) }

  package mutating func add(_ phone: Int) { phones[Self.slot(of: phone)].append(phone) }
  package mutating func remove(_ phone: Int) { phones[Self.slot(of: phone)].removeAll { $0 == phone } }

  package var due: Instant { epoch + Self.slot * turn }

  /// The next slot when its time has come: its frame, when it was due, and who sends.
  package mutating func next(now: Instant) -> (frame: Int, due: Instant, phones: [Int])? {
    guard due <= now else { return nil }
    defer { turn += 1 }
    return (turn / Self.slots, due, phones[turn % Self.slots])
  }
}
