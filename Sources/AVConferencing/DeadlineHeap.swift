//  DeadlineHeap.swift: what is due when, earliest first.

import Primitives

/// A binary heap of elements by deadline. Entries are not removed when they become pointless: whoever takes one out
/// checks whether it still means anything. Its owner bounds it by adding at most a few entries per object it holds.
struct DeadlineHeap<Element: Sendable>: Sendable {
  private var entries: [(deadline: Instant, element: Element)] = []

  var count: Int { entries.count }
  var nextDeadline: Instant { entries.first?.deadline ?? .never }

  mutating func insert(_ element: Element, at deadline: Instant) {
    entries.append((deadline, element))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].deadline < entries[parent].deadline else { break }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  /// The earliest element that is due, taken out.
  mutating func popFirst(dueAt now: Instant) -> Element? {
    guard let first = entries.first, first.deadline <= now else { return nil }
    let last = entries.removeLast()
    guard !entries.isEmpty else { return first.element }
    entries[0] = last
    var parent = 0
    while true {
      let left = 2 * parent + 1
      guard left < entries.count else { break }
      let right = left + 1
      let child = right < entries.count && entries[right].deadline < entries[left].deadline ? right : left
      guard entries[child].deadline < entries[parent].deadline else { break }
      entries.swapAt(child, parent)
      parent = child
    }
    return first.element
  }
}
