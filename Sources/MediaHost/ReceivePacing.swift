//  ReceivePacing.swift: when a worker lets datagrams gather before it looks at its sockets again.
//  Walk: WorkerLoop → ReceivePacing → DatagramSocket.receive

import Primitives

/// Going to sleep and being woken costs a thread several times what it costs to receive the datagram that woke it. So
/// while datagrams come densely, a worker sleeps by the clock and then takes all that came, many in one system call.
///
/// Nothing is heard later for it: before a tick the worker looks at its sockets in any case. Arrival times are up to
/// `gathering` late, which the jitter buffer takes for that much jitter.
package struct ReceivePacing: Sendable {
  /// For how long datagrams gather.
  package static let gathering = Interval.milliseconds(1)
  /// Datagrams are counted for so long.
  package static let window = Interval.milliseconds(10)
  /// In a window: from here on they come densely. A thousand sleeps a second by the clock cost as much here as 3,200 by
  /// packets: a timer's end is dearer than a packet's coming.
  package static let denseCount = 40
  /// In a window: below this each is waited for again.
  package static let sparseCount = 30

  /// Whether to sleep by the clock.
  package private(set) var gathers = false
  private var counted = 0
  private var windowEnd: Instant

  package init(now: Instant) { windowEnd = now + Self.window }

  /// Counts what one look at the sockets found.
  package mutating func received(_ count: Int, now: Instant) {
    counted += count
    guard now >= windowEnd else { return }
    // A window that went on for longer, as the worker slept, says that little came.
    let late = now - windowEnd > Self.window
    gathers = !late && counted >= (gathers ? Self.sparseCount : Self.denseCount)
    counted = 0
    windowEnd = now + Self.window
  }
}
