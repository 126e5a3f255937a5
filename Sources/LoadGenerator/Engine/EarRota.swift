//  EarRota.swift: who listens when, when there are more listeners than this core can decode for.

import Primitives

/// Each of a number of ears stays with a listener for a second and a half, then goes to the next one in turn; as many ears
/// as listeners stay where they are. Listeners of different meetings come one after another, so that each meeting is heard
/// early.
package struct EarRota: Sendable {
  package static let dwell = Interval.milliseconds(1_500)
  /// One whole window that began before the ear came may hold another decoder's beginning.
  package static let settling = Interval.milliseconds(420)

  private var listeners: [Int] = []
  private var orders: [Int] = []
  private let ears: Int
  private var next = 0
  private var changeAt = Instant.zero
  package private(set) var listening: [Int] = []

  /// - Parameter ears: how many listen at once.
  package init(ears: Int) { self.ears = max(0, ears) }

  /// Whether ears move at all.
  package var rotates: Bool { listeners.count > ears }

  /// - Parameter order: lower ones listen first.
  package mutating func add(_ phone: Int, order: Int = 0) {
    let place = orders.firstIndex { $0 > order } ?? orders.count
    listeners.insert(phone, at: place)
    orders.insert(order, at: place)
  }
  package mutating func remove(_ phone: Int) {
    guard let place = listeners.firstIndex(of: phone) else { return }
    listeners.remove(at: place)
    orders.remove(at: place)
  }

  /// Whom the ears leave and where they go; empty while nothing changes.
  package mutating func advance(to now: Instant) -> (leaving: [Int], coming: [Int]) {
    if !rotates {
      guard listening.count != listeners.count else { return ([], []) }
      let coming = listeners.filter { !listening.contains($0) }
      let leaving = listening.filter { !listeners.contains($0) }
      listening = listeners
      return (leaving, coming)
    }
    guard now >= changeAt, ears > 0 else { return ([], []) }
    changeAt = now + Self.dwell
    let before = Set(listening)
    var after: [Int] = []
    for _ in 0..<ears {
      if next >= listeners.count { next = 0 }
      after.append(listeners[next])
      next += 1
    }
    let staying = Set(after)
    listening = after
    return (before.subtracting(staying).sorted(), after.filter { !before.contains($0) })
  }
}
