//  DeadlineHeap.swift: the next of many deadlines, each of which may be moved or taken back.

/// A binary heap of deadlines with the position of each key, so that a deadline that is moved leaves nothing behind:
/// the heap is never larger than the number of keys that wait.
public struct DeadlineHeap<Key: Hashable & Sendable>: Sendable {
  private struct Entry: Sendable {
    var deadline: Instant
    var key: Key
  }

  private var entries: [Entry] = []
  private var positions: [Key: Int] = [:]

  public init() {}

  public var count: Int { entries.count }
  public var nextDeadline: Instant { entries.first?.deadline ?? .never }

  public func deadline(of key: Key) -> Instant? { positions[key].map { entries[$0].deadline } }

  public mutating func set(_ key: Key, at deadline: Instant) {
    if let position = positions[key] {
      let earlier = deadline < entries[position].deadline
      entries[position].deadline = deadline
      if earlier { rise(from: position) } else { sink(from: position) }
    } else {
      entries.append(Entry(deadline: deadline, key: key))
      positions[key] = entries.count - 1
      rise(from: entries.count - 1)
    }
  }

  public mutating func remove(_ key: Key) {
    guard let position = positions.removeValue(forKey: key) else { return }
    let last = entries.removeLast()
    guard position < entries.count else { return }
    entries[position] = last
    positions[last.key] = position
    rise(from: position)
    sink(from: positions[last.key] ?? position)
  }

  /// Takes the earliest key that is due at `now`.
  public mutating func takeDue(at now: Instant) -> Key? {
    guard let first = entries.first, first.deadline <= now else { return nil }
    remove(first.key)
    return first.key
  }

  private mutating func rise(from start: Int) {
    var child = start
    let entry = entries[child]
    while child > 0 {
      let parent = (child - 1) / 2
      guard entry.deadline < entries[parent].deadline else { break }
      place(entries[parent], at: child)
      child = parent
    }
    place(entry, at: child)
  }

  private mutating func sink(from start: Int) {
    var parent = start
    let entry = entries[parent]
    while true {
      var child = 2 * parent + 1
      guard child < entries.count else { break }
      if child + 1 < entries.count, entries[child + 1].deadline < entries[child].deadline { child += 1 }
      guard entries[child].deadline < entry.deadline else { break }
      place(entries[child], at: parent)
      parent = child
    }
    place(entry, at: parent)
  }

  private mutating func place(_ entry: Entry, at position: Int) {
    entries[position] = entry
    positions[entry.key] = position
  }
}
