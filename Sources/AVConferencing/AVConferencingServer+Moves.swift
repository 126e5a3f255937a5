//  AVConferencingServer+Moves.swift: meetings go from worker to worker: to empty one, to relieve one, to replace one that stands still.

import Media
import Primitives

/// A meeting, or a part of one, that is between two workers.
///
/// Everything that it is to be told waits for its arrival: the worker that it leaves does not know it any more, the one
/// that it goes to not yet. What either says of its legs counts.
struct MeetingMove: Sendable {
  let from: Int
  let to: Int
  let legs: Int
  var hasLeft = false
  var hasArrived = false
  var waiting: [MediaCommand] = []
}

extension AVConferencingServer {
  // MARK: What the operator asks

  /// Empties a worker: its meetings go to others, a few at a time, and it gets no new ones until `undrainWorker`.
  ///
  /// - Returns: how many meetings will leave; `nil` when there is no such worker, or no other that takes meetings.
  public mutating func drainWorker(
    _ worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) -> Int? {
    guard configuration.workers.indices.contains(worker), !failedWorkers.contains(worker),
      configuration.workers.indices.contains(where: { $0 != worker && takesMeetings($0) })
    else { return nil }
    drainedWorkers.insert(worker)
    let count = meetings.values.count { $0.workers.contains(worker) }
    outputs.append(.log(.workerDraining(worker: worker, meetings: count)))
    continueDrains(now: now, into: &outputs)
    return count
  }

  /// The worker gets meetings again; none comes back by itself.
  ///
  /// - Returns: `false` when it was not drained.
  public mutating func undrainWorker(_ worker: Int, into outputs: inout [AVConferencingOutput]) -> Bool {
    guard drainedWorkers.remove(worker) != nil else { return false }
    emptiedWorkers.remove(worker)
    outputs.append(.log(.workerUndrained(worker: worker)))
    return true
  }

  /// Workers that get no new meetings: the drained and the failed.
  public var closedWorkers: Set<Int> { drainedWorkers.union(failedWorkers) }

  func takesMeetings(_ worker: Int) -> Bool { !drainedWorkers.contains(worker) && !failedWorkers.contains(worker) }

  // MARK: Moves

  /// As many meetings leave drained workers as may be on their way at once.
  mutating func continueDrains(now: Instant, into outputs: inout [AVConferencingOutput]) {
    for worker in drainedWorkers.sorted() {
      let here = meetings.values.filter { $0.workers.contains(worker) }.map(\.id).sorted { $0.rawValue < $1.rawValue }
      let isEmpty = here.isEmpty && !moves.values.contains { $0.from == worker }
      if isEmpty, emptiedWorkers.insert(worker).inserted { outputs.append(.log(.workerDrained(worker: worker))) }
      for id in here where moves[id] == nil {
        guard moves.count < Limits.moves else { return }
        guard let target = target(for: id, from: worker) else { continue }
        move(id, from: worker, to: target, now: now, into: &outputs)
      }
    }
  }

  /// The least loaded worker that takes meetings and has room; one without a part of this meeting rather than one with.
  func target(for id: MeetingID, from worker: Int) -> Int? {
    guard let meeting = meetings[id] else { return nil }
    let legs = placement.legs(in: id, onWorker: worker)
    let candidates = configuration.workers.indices.filter { other in
      other != worker && takesMeetings(other) && placement.legs(onWorker: other) + legs <= configuration.maximumLegs
    }
    return candidates.min { left, right in
      let (a, b) = (meeting.workers.contains(left), meeting.workers.contains(right))
      if a != b { return !a }
      return placement.weight(onWorker: left) < placement.weight(onWorker: right)
    }
  }

  mutating func move(
    _ id: MeetingID, from: Int, to: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard moves[id] == nil, let meeting = meetings[id], meeting.workers.contains(from), from != to else { return }
    let members = meeting.legs.filter { legs[$0]?.worker == from }
    relocate(id, from: from, to: to)
    moves[id] = MeetingMove(from: from, to: to, legs: members.count)
    outputs.append(.media(worker: from, .moveMeeting(id, to: to)))
  }

  /// In our own books the meeting's part is at its new place from now on.
  private mutating func relocate(_ id: MeetingID, from: Int, to: Int) {
    guard let meeting = meetings[id] else { return }
    placement.movePart(of: id, from: from, to: to)
    for leg in meeting.legs where legs[leg]?.worker == from {
      let home = legs[leg]?.home ?? from
      legs[leg]?.worker = to
      legs[leg]?.home = home
    }
    meetings[id]?.workers = placement.workers(of: id)
  }

  /// Tells a worker, or keeps it until the meeting has arrived.
  mutating func tell(
    _ worker: Int, of meeting: MeetingID, _ command: MediaCommand, into outputs: inout [AVConferencingOutput]
  ) {
    if failedWorkers.contains(worker) { return }
    if let move = moves[meeting], worker == move.to || worker == move.from {
      moves[meeting]?.waiting.append(command)
    } else {
      outputs.append(.media(worker: worker, command))
    }
  }

  /// Whether that worker may speak of the leg: it has it, or is just giving it away.
  func speaks(_ worker: Int, of leg: ParticipantLeg) -> Bool {
    leg.worker == worker || moves[leg.meeting]?.from == worker
  }

  // MARK: What workers report

  mutating func handleMove(
    _ event: MediaEvent, worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    switch event {
    case .meetingLeft(let id, _):
      guard let move = moves[id], move.from == worker else { return }
      moves[id]?.hasLeft = true
      if move.hasArrived { arrived(id, now: now, into: &outputs) }
    case .meetingArrived(let id, _):
      guard let move = moves[id] else { return }
      if worker == move.from {
        returned(id, reason: "the link to the other worker failed", now: now, into: &outputs)
      } else if worker == move.to {
        moves[id]?.hasArrived = true
        if move.hasLeft { arrived(id, now: now, into: &outputs) }
      }
    case .meetingStayed(let id):
      guard let move = moves[id], move.from == worker, !move.hasLeft else { return }
      returned(id, reason: "the worker could not let go of it", now: now, into: &outputs)
    case .meetingLost(let id):
      // Its legs' ends come as events of their own.
      guard let move = moves[id], move.to == worker else { return }
      moves[id]?.hasArrived = true
      outputs.append(.media(worker: worker, .openMeeting(id, phase: placement.phase(of: id))))
      if move.hasLeft { arrived(id, now: now, into: &outputs) }
    default: break
    }
  }

  private mutating func arrived(_ id: MeetingID, now: Instant, into outputs: inout [AVConferencingOutput]) {
    guard let move = moves.removeValue(forKey: id) else { return }
    outputs.append(.log(.meetingMoved(id, from: move.from, to: move.to, legs: move.legs)))
    relink(id, into: &outputs)
    for command in move.waiting { outputs.append(.media(worker: move.to, command)) }
    continueDrains(now: now, into: &outputs)
  }

  private mutating func returned(
    _ id: MeetingID, reason: String, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard let move = moves.removeValue(forKey: id) else { return }
    relocate(id, from: move.to, to: move.from)
    outputs.append(.log(.meetingNotMoved(id, from: move.from, to: move.to, reason: reason)))
    relink(id, into: &outputs)
    for command in move.waiting { outputs.append(.media(worker: move.from, command)) }
  }

  /// The parts of a meeting learn anew whom they exchange voices with.
  func relink(_ id: MeetingID, into outputs: inout [AVConferencingOutput]) {
    guard let workers = meetings[id]?.workers, workers.count > 1 else { return }
    for worker in workers {
      let peers = workers.filter { $0 != worker }
      outputs.append(
        .media(
          worker: worker, .linkMeeting(id, MeetingParts(peers: peers, reportsTalkers: worker == workers.first))))
    }
  }
}
