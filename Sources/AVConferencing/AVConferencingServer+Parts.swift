//  AVConferencingServer+Parts.swift: meetings too large for one worker have parts on others.

import Media
import Primitives

extension AVConferencingServer {
  /// Workers that should not get more of a meeting that has another choice.
  var strainedWorkers: Set<Int> {
    guard configuration.workers.count > 1 else { return [] }
    return Set(
      configuration.workers.indices.filter {
        load.busy(ofWorker: $0) >= configuration.splitBusy || !load.takesLeg(worker: $0)
      })
  }

  var overloadedWorkers: Set<Int> {
    Set(configuration.workers.indices.filter { load.isOverloaded(worker: $0) })
  }

  /// Legs have come or gone: opens the parts that the meeting has now, closes those it has no more, and tells each whom it
  /// exchanges voices with.
  mutating func tellParts(of id: MeetingID, into outputs: inout [AVConferencingOutput]) {
    guard let told = meetings[id]?.workers else { return }
    let workers = placement.workers(of: id)
    guard workers != told, !workers.isEmpty else { return }
    meetings[id]?.workers = workers
    for worker in workers where !told.contains(worker) {
      tell(worker, of: id, .openMeeting(id, phase: placement.phase(of: id)), into: &outputs)
      outputs.append(.log(.partOpened(id, worker: worker, parts: workers.count)))
    }
    for worker in workers {
      let peers = workers.filter { $0 != worker }
      let parts = MeetingParts(peers: peers, reportsTalkers: worker == workers.first)
      tell(worker, of: id, .linkMeeting(id, parts), into: &outputs)
    }
    for worker in told where !workers.contains(worker) {
      tell(worker, of: id, .closeMeeting(id), into: &outputs)
      outputs.append(.log(.partClosed(id, worker: worker, parts: workers.count)))
    }
  }
}
