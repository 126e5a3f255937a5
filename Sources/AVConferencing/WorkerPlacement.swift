//  WorkerPlacement.swift: which worker gets a meeting, and how many legs and meetings the host holds.

import Media

/// Counts legs and meetings per worker, and places meetings: one meeting on one worker, the least loaded.
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

  private struct Place: Sendable {
    var worker: Int
    var legs = 0
    var announced: Int
    var maximumLegs: Int

    var weight: Int { max(legs, announced) }
  }

  private struct Load: Sendable {
    var legs = 0
    var meetings = 0
    var weight = 0
  }

  public let maximumLegs: Int
  public let maximumMeetings: Int
  public let maximumLegsPerMeeting: Int
  private var loads: [Load]
  private var places: [MeetingID: Place] = [:]
  public private(set) var legs = 0

  public init(workers: Int, maximumLegs: Int, maximumMeetings: Int, maximumLegsPerMeeting: Int) {
    precondition(workers > 0 && workers <= Limits.workers)
    self.maximumLegs = min(max(0, maximumLegs), Limits.legs)
    self.maximumMeetings = min(max(0, maximumMeetings), Limits.meetings)
    self.maximumLegsPerMeeting = min(max(0, maximumLegsPerMeeting), Limits.legs)
    loads = Array(repeating: Load(), count: workers)
  }

  public var meetings: Int { places.count }
  public var legsAvailable: Int { max(0, maximumLegs - legs) }
  public var isEmpty: Bool { places.isEmpty && legs == 0 }
  public func legs(onWorker worker: Int) -> Int { loads.indices.contains(worker) ? loads[worker].legs : 0 }
  public func legs(in meeting: MeetingID) -> Int { places[meeting]?.legs ?? 0 }
  public func worker(of meeting: MeetingID) -> Int? { places[meeting]?.worker }

  /// Places a new meeting on the worker with the least weight; of equals, on the one with fewest meetings, then the
  /// lowest number.
  ///
  /// - Parameters:
  ///   - announced: how many legs the Focus expects; 1…`maximumLegsPerMeeting` after clamping.
  ///   - limit: the meeting's own size limit, if it has one.
  public mutating func open(
    _ meeting: MeetingID, announced: Int = 1, limit: Int? = nil
  ) throws(Refusal) -> Int {
    guard places.count < maximumMeetings else { throw .tooManyMeetings }
    let expected = min(max(1, announced), max(1, maximumLegsPerMeeting))
    let own = min(max(0, limit ?? maximumLegsPerMeeting), maximumLegsPerMeeting)
    var chosen = 0
    for worker in loads.indices.dropFirst() {
      let (candidate, best) = (loads[worker], loads[chosen])
      if (candidate.weight, candidate.meetings) < (best.weight, best.meetings) { chosen = worker }
    }
    let place = Place(worker: chosen, announced: expected, maximumLegs: own)
    places[meeting] = place
    loads[chosen].meetings += 1
    loads[chosen].weight += place.weight
    return chosen
  }

  /// Forgets the meeting and the legs that were still counted in it.
  public mutating func close(_ meeting: MeetingID) {
    guard let place = places.removeValue(forKey: meeting) else { return }
    loads[place.worker].meetings -= 1
    loads[place.worker].weight -= place.weight
    loads[place.worker].legs -= place.legs
    legs -= place.legs
  }

  /// - Returns: the worker that the leg belongs to.
  public mutating func addLeg(to meeting: MeetingID) throws(Refusal) -> Int {
    guard var place = places[meeting] else { throw .unknownMeeting }
    guard place.legs < place.maximumLegs else { throw .meetingFull }
    guard legs < maximumLegs else { throw .tooManyLegs }
    let before = place.weight
    place.legs += 1
    places[meeting] = place
    loads[place.worker].legs += 1
    loads[place.worker].weight += place.weight - before
    legs += 1
    return place.worker
  }

  public mutating func removeLeg(from meeting: MeetingID) {
    guard var place = places[meeting], place.legs > 0 else { return }
    let before = place.weight
    place.legs -= 1
    places[meeting] = place
    loads[place.worker].legs -= 1
    loads[place.worker].weight += place.weight - before
    legs -= 1
  }
}
