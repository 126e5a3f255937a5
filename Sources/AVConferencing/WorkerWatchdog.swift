//  WorkerWatchdog.swift: which worker stands still, told from a process or a machine that stood still.

import Primitives

/// Judges workers by how many turns of their loops they have made: a worker turns several times a second even when idle.
///
/// The control thread looks every `period`. When it comes much too late itself, then the process was stopped, or the
/// machine had no time: nothing is said about workers, and all of them get their time anew.
public struct WorkerWatchdog: Sendable {
  public static let period = Interval.milliseconds(100)
  /// Looks that are so far apart say nothing of workers.
  public static let gap = Interval.milliseconds(300)
  /// So long without a turn: the worker stands still.
  public static let limit = Interval.seconds(1)

  public enum Finding: Hashable, Sendable {
    case stalled(Int)
    /// It turns again. One that had been given up must not be used any more.
    case resumed(Int)
    /// Nobody looked for so long, at least `limit`.
    case stoodStill(Interval)
  }

  private struct Worker: Sendable {
    var turns: UInt64 = 0
    var movedAt = Instant.zero
    var isStalled = false
  }

  private var workers: [Worker]
  private var lookedAt: Instant?

  public init(workers: Int) { self.workers = Array(repeating: Worker(), count: max(0, workers)) }

  public func isStalled(_ worker: Int) -> Bool { workers.indices.contains(worker) && workers[worker].isStalled }
  public var stalled: Int { workers.count { $0.isStalled } }

  /// - Parameter turns: of each worker, ever.
  public mutating func look(at turns: [UInt64], now: Instant) -> [Finding] {
    var findings: [Finding] = []
    let since = lookedAt.map { now - $0 }
    lookedAt = now
    let isBlind = since.map { $0 > Self.gap } ?? true
    if let since, since >= Self.limit { findings.append(.stoodStill(since)) }
    for index in workers.indices where index < turns.count {
      if turns[index] != workers[index].turns {
        workers[index].turns = turns[index]
        workers[index].movedAt = now
        if workers[index].isStalled {
          workers[index].isStalled = false
          findings.append(.resumed(index))
        }
      } else if isBlind {
        workers[index].movedAt = now
      } else if !workers[index].isStalled, now - workers[index].movedAt >= Self.limit {
        workers[index].isStalled = true
        findings.append(.stalled(index))
      }
    }
    return findings
  }
}
