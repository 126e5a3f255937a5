//  EventQueue.swift: everything that is going to happen in a simulation, in one order.

import Primitives

/// A heap ordered by (instant, sequence): what happens at the same time happens in the order in which it was planned.
struct EventQueue<Event> {
  private struct Entry {
    var at: Instant
    var sequence: UInt64
    var event: Event

    func isBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : sequence < other.sequence }
  }

  private var entries: [Entry] = []
  private var sequence: UInt64 = 0

  var count: Int { entries.count }
  var next: Instant { entries.first?.at ?? .never }

  mutating func plan(_ event: Event, at: Instant) {
    entries.append(Entry(at: at, sequence: sequence, event: event))
    sequence += 1
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].isBefore(entries[parent]) else { break }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  mutating func take() -> (at: Instant, event: Event)? {
    guard let first = entries.first else { return nil }
    let last = entries.removeLast()
    if !entries.isEmpty {
      entries[0] = last
      sink()
    }
    return (first.at, first.event)
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < entries.count else { return }
      if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) { child += 1 }
      guard entries[child].isBefore(entries[parent]) else { return }
      entries.swapAt(child, parent)
      parent = child
    }
  }
}
