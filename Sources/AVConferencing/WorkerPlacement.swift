//  WorkerPlacement.swift: which workers get a meeting and its legs, and how many of them the host holds.

import Media

/// Counts legs and meetings per worker, and places meetings: one meeting on one worker, the least loaded, its home. When
/// that is strained, further legs of the meeting go to other workers, where it then has parts.
///
/// A meeting weighs what it has or what was announced for it, whichever is more, so that a burst of new meetings
/// spreads before the first leg has come.
public struct WorkerPlacement: Sendable {
  public enum Refusal: Error, Hashable, Sendable {
    case meetingFull
    case tooManyLegs
    case tooManyMeetings
    case unknownMeeting
  }

  /// What a meeting has on one worker.
  private struct Part: Sendable {
    var worker: Int
    var legs = 0
  }

  private struct Place: Sendable {
    /// The home first; others only while they have legs.
    var parts: [Part]
    var announced: Int
    var maximumLegs: Int
    /// Of its tick, on every worker.
    var phase: Int

    var legs: Int { parts.reduce(0) { $0 + $1.legs } }
    func weight(_ part: Int) -> Int { part == 0 ? max(parts[0].legs, announced) : parts[part].legs }
    func part(on worker: Int) -> Int? { parts.firstIndex { $0.worker == worker } }
  }

  private struct Load: Sendable {
    var legs = 0
    var meetings = 0
    var weight = 0
    /// Meetings, and parts of meetings, in each phase of the tick.
    var phases = Array(repeating: 0, count: WorkerPlacement.phases)
  }

  /// Of a worker's tick (`MediaCommand.openMeeting`).
  public static let phases = 32

  public let maximumLegs: Int
  public let maximumMeetings: Int
  public let maximumLegsPerMeeting: Int
  /// Legs of one meeting on one worker from which on further ones go to another.
  public let splitLegs: Int
  /// A meeting with fewer legs stays where it is, however strained its worker: a part costs as much as so many legs.
  public let smallestSplit: Int
  private var loads: [Load]
  private var places: [MeetingID: Place] = [:]
  public private(set) var legs = 0

  public init(
    workers: Int, maximumLegs: Int, maximumMeetings: Int, maximumLegsPerMeeting: Int, splitLegs: Int = .max,
    smallestSplit: Int = 50
  ) {
    precondition(workers > 0 && workers <= Limits.workers)
    self.maximumLegs = min(max(0, maximumLegs), Limits.legs)
    self.maximumMeetings = min(max(0, maximumMeetings), Limits.meetings)
    self.maximumLegsPerMeeting = min(max(0, maximumLegsPerMeeting), Limits.legs)
    self.splitLegs = max(1, splitLegs)
    self.smallestSplit = smallestSplit
    loads = Array(repeating: Load(), count: workers)
  }

  public var meetings: Int { places.count }
  public var legsAvailable: Int { max(0, maximumLegs - legs) }
  public var isEmpty: Bool { places.isEmpty && legs == 0 }
  public func legs(onWorker worker: Int) -> Int { loads.indices.contains(worker) ? loads[worker].legs : 0 }
  public func weight(onWorker worker: Int) -> Int { loads.indices.contains(worker) ? loads[worker].weight : 0 }
  public func legs(in meeting: MeetingID, onWorker worker: Int) -> Int {
    places[meeting]?.parts.first { $0.worker == worker }?.legs ?? 0
  }
  public func legs(in meeting: MeetingID) -> Int { places[meeting]?.legs ?? 0 }
  /// The home of a meeting.
  public func worker(of meeting: MeetingID) -> Int? { places[meeting]?.parts.first?.worker }
  /// The workers that have parts of a meeting, its home first.
  public func workers(of meeting: MeetingID) -> [Int] { places[meeting]?.parts.map(\.worker) ?? [] }
  /// The phase in which a meeting ticks on all of them.
  public func phase(of meeting: MeetingID) -> Int? { places[meeting]?.phase }

  /// Places a new meeting on the worker with the least weight; of equals, on the one with fewest meetings, then the
  /// lowest number; there in the emptiest phase.
  ///
  /// - Parameters:
  ///   - announced: how many legs the Focus expects; 1…`maximumLegsPerMeeting` after clamping.
  ///   - limit: the meeting's own size limit, if it has one.
  ///   - closed: workers that get no meetings, as long as there are others.
  /// - Returns: its home.
  public mutating func open(
    _ meeting: MeetingID, announced: Int = 1, limit: Int? = nil, closed: Set<Int> = []
  ) throws(Refusal) -> Int {
    guard places.count < maximumMeetings else { throw .tooManyMeetings }
    // More than `splitLegs` do not come here.
    let expected = min(max(1, announced), max(1, min(maximumLegsPerMeeting, splitLegs)))
    let own = min(max(0, limit ?? maximumLegsPerMeeting), maximumLegsPerMeeting)
    let open = loads.indices.filter { !closed.contains($0) }
    var chosen = open.first ?? 0
    for worker in open.dropFirst() {
      let (candidate, best) = (loads[worker], loads[chosen])
      if (candidate.weight, candidate.meetings) < (best.weight, best.meetings) { chosen = worker }
    }
    let phase = emptiestPhase(onWorker: chosen)
    let place = Place(parts: [Part(worker: chosen)], announced: expected, maximumLegs: own, phase: phase)
    places[meeting] = place
    loads[chosen].weight += place.weight(0)
    enter(chosen, phase)
    return chosen
  }

  /// Forgets the meeting and the legs that were still counted in it.
  public mutating func close(_ meeting: MeetingID) {
    guard let place = places.removeValue(forKey: meeting) else { return }
    for (index, part) in place.parts.enumerated() {
      loads[part.worker].weight -= place.weight(index)
      loads[part.worker].legs -= part.legs
      leave(part.worker, place.phase)
    }
    legs -= place.legs
  }

  /// Chooses the worker for a further leg: the home while that has room, then the least loaded of the meeting's other
  /// parts that has, then the least loaded other worker that has; when none has room, the least loaded of all.
  ///
  /// - Parameters:
  ///   - strained: workers that measure a load at which they should not get more of a large meeting.
  ///   - closed: workers that get no further parts.
  /// - Returns: the worker that the leg belongs to.
  public mutating func addLeg(
    to meeting: MeetingID, strained: Set<Int> = [], closed: Set<Int> = []
  ) throws(Refusal) -> Int {
    guard let place = places[meeting] else { throw .unknownMeeting }
    guard place.legs < place.maximumLegs else { throw .meetingFull }
    guard legs < maximumLegs else { throw .tooManyLegs }
    let home = place.parts[0].worker
    func hasRoom(_ worker: Int) -> Bool {
      let legs = place.part(on: worker).map { place.parts[$0].legs } ?? 0
      return legs < splitLegs && (place.legs < smallestSplit || !strained.contains(worker))
    }
    var chosen = home
    if loads.count > 1, !hasRoom(home) {
      func rank(_ worker: Int) -> (Int, Int, Int) {
        let room = hasRoom(worker)
        return (room && place.part(on: worker) != nil ? 0 : room ? 1 : 2, loads[worker].weight, loads[worker].meetings)
      }
      let isFull = place.parts.count > MediaWorkerLimits.linkedPeers
      for worker in loads.indices where !closed.contains(worker) && rank(worker) < rank(chosen) {
        if !isFull || place.part(on: worker) != nil { chosen = worker }
      }
    }
    count(legs: 1, of: meeting, on: chosen)
    return chosen
  }

  /// - Parameter worker: the one that the leg belongs to.
  public mutating func removeLeg(from meeting: MeetingID, worker: Int) {
    guard let place = places[meeting], let part = place.part(on: worker), place.parts[part].legs > 0 else { return }
    count(legs: -1, of: meeting, on: worker)
  }

  /// A leg goes to another worker, where the meeting gets a part if it has none.
  public mutating func moveLeg(of meeting: MeetingID, from old: Int, to new: Int) {
    guard loads.indices.contains(new), old != new, let place = places[meeting], let part = place.part(on: old),
      place.parts[part].legs > 0
    else { return }
    count(legs: -1, of: meeting, on: old)
    count(legs: 1, of: meeting, on: new)
  }

  /// What the meeting has on one worker goes to another, where it joins what the meeting may have there.
  public mutating func movePart(of meeting: MeetingID, from old: Int, to new: Int) {
    guard loads.indices.contains(new), old != new, var place = places[meeting], let part = place.part(on: old)
    else { return }
    for (index, part) in place.parts.enumerated() {
      loads[part.worker].weight -= place.weight(index)
      loads[part.worker].legs -= part.legs
      leave(part.worker, place.phase)
    }
    if let other = place.part(on: new) {
      place.parts[other].legs += place.parts[part].legs
      place.parts.remove(at: part)
    } else {
      place.parts[part].worker = new
    }
    for (index, part) in place.parts.enumerated() {
      loads[part.worker].weight += place.weight(index)
      loads[part.worker].legs += part.legs
      enter(part.worker, place.phase)
    }
    places[meeting] = place
  }

  private mutating func count(legs change: Int, of meeting: MeetingID, on worker: Int) {
    guard var place = places[meeting] else { return }
    if place.part(on: worker) == nil {
      place.parts.append(Part(worker: worker))
      enter(worker, place.phase)
    }
    guard let part = place.part(on: worker) else { return }
    let before = place.weight(part)
    place.parts[part].legs += change
    loads[worker].legs += change
    loads[worker].weight += place.weight(part) - before
    legs += change
    if part > 0, place.parts[part].legs == 0 {
      place.parts.remove(at: part)
      leave(worker, place.phase)
    }
    places[meeting] = place
  }

  // MARK: Phases

  private mutating func enter(_ worker: Int, _ phase: Int) {
    loads[worker].meetings += 1
    loads[worker].phases[phase] += 1
  }

  private mutating func leave(_ worker: Int, _ phase: Int) {
    loads[worker].meetings -= 1
    loads[worker].phases[phase] -= 1
  }

  /// The phase with the fewest meetings; among equals the one farthest from the others, by reversing the bits of a count.
  private func emptiestPhase(onWorker worker: Int) -> Int {
    var best = 0
    for index in 0..<Self.phases {
      let candidate = (index & 1) << 4 | (index & 2) << 2 | (index & 4) | (index & 8) >> 2 | (index & 16) >> 4
      if loads[worker].phases[candidate] < loads[worker].phases[best] { best = candidate }
    }
    return best
  }
}
