//  JitterBuffer+Forwarding.swift: a look at the packet whose turn it is, before it is decided who takes it.

import Primitives

extension JitterBuffer {
  /// The packet that `take`, or the beginning of a talk spurt, would hand out now.
  func due(now: Instant) -> AudioPacket? {
    guard started else { return nil }
    let time = Self.samples(now)
    for index in 0..<count {
      let slot = slot(index)
      if phase == .playing, slot.time &+ Int64(slot.samples) <= position { continue }
      return time &- slot.time &- arrivals.base >= Int64(arrivals.target) ? slot.packet : nil
    }
    return nil
  }
}
