//  HostFigures.swift: the host's newest figures, where the control thread leaves them and a scrape finds them.

import AVConferencing
import Media
import Primitives
import Synchronization

/// One worker as last seen.
package struct WorkerFigures: Sendable {
  package var report = WorkerReport()
  package var isStuck = false
  package var heardAt = Instant.zero
  package init() {}
}

package struct HostFigures: Sendable {
  package var workers: [WorkerFigures]
  package var counts = AVConferencingServer.Counts()
  package var isRegistered = false
  package var isOverloaded = false
  package var evidenceLegs = 0
  package var evidenceChunks = 0
  /// From an INVITE to its leg's first authentic packet.
  package var firstMedia = DurationHistogram.joining
  package var startedAt: Double = 0

  package init(workers: Int) { self.workers = Array(repeating: WorkerFigures(), count: workers) }
}

/// Shared between the control thread, which writes, and the server of figures, which reads: a scrape never waits for the
/// control thread, nor it for a scrape longer than a copy takes.
final class FiguresBoard: Sendable {
  private let figures: Mutex<HostFigures>

  init(workers: Int) { figures = Mutex(HostFigures(workers: workers)) }

  func read() -> HostFigures { figures.withLock { $0 } }
  func update(_ change: (inout HostFigures) -> Void) { figures.withLock { change(&$0) } }
}
