//  AVConferencingServer+Failure.swift: a worker stands still: who was on it is told, and it gets nobody any more.

import Media
import Primitives

extension AVConferencingServer {
  /// A worker has not turned for `WorkerWatchdog.limit`: its media is lost, whatever it does later.
  ///
  /// Meetings whose home it was end, with a reason that lets the Focus place them anew; of others the legs on it do.
  public mutating func workerStalled(
    _ worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard configuration.workers.indices.contains(worker), failedWorkers.insert(worker).inserted else { return }
    load.fail(worker: worker)
    let here = meetings.values.filter { $0.workers.contains(worker) || moves[$0.id]?.from == worker }
    outputs.append(.log(.workerFailed(worker: worker, meetings: here.count, legs: placement.legs(onWorker: worker))))
    for meeting in here.sorted(by: { $0.id.rawValue < $1.id.rawValue }) {
      // What was on its way from or to it is not known any more.
      let wasMoving = moves.removeValue(forKey: meeting.id) != nil
      if wasMoving || meeting.home == worker {
        closeMeeting(meeting.id, reason: Self.failure, cause: 503, now: now, into: &outputs)
      } else {
        for leg in meeting.legs.sorted(by: { $0.rawValue < $1.rawValue }) where legs[leg]?.worker == worker {
          hangUp(leg, reason: "SIP;cause=503;text=\"\(Self.failure)\"", now: now)
          close(leg, reason: Self.failure, method: .failed, isOnWorker: false, now: now, into: &outputs)
        }
      }
    }
    forgetLegs(on: worker, into: &outputs)
    tellLoad(now: now, into: &outputs)
    settle(now: now, into: &outputs)
  }

  static let failure = "media worker failed"

  /// Legs that were closed and wait for a word of a worker that says nothing any more.
  private mutating func forgetLegs(on worker: Int, into outputs: inout [AVConferencingOutput]) {
    for leg in legs.values.filter({ $0.worker == worker && $0.state == .closing }).map(\.id) {
      forget(leg, statistics: nil, into: &outputs)
    }
  }
}
