//  ArrivalDensity.swift: whether packets arrive so densely that waiting for each of them costs more than it tells.

import Primitives

/// From ten thousand packets a second on, the media thread reads what has come whenever a slot is due, at most 400 µs late,
/// and the media host's sending does not have to wake it.
package struct ArrivalDensity: Sendable {
  package static let dense = 10_000
  /// Comes down later than it goes up, so that it does not flap.
  package static let sparse = 7_000
  private static let period = Interval.milliseconds(100)

  package private(set) var isDense = false
  private var count = 0
  private var began = Instant.zero

  package init() {}

  package mutating func note(_ packets: Int, now: Instant) {
    count += packets
    let elapsed = now - began
    guard elapsed >= Self.period else { return }
    let perSecond = elapsed > .seconds(1) ? 0 : Int(Double(count) / elapsed.seconds)
    isDense = perSecond >= (isDense ? Self.sparse : Self.dense)
    count = 0
    began = now
  }
}
