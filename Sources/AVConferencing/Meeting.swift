//  Meeting.swift: one conference on this host: its control dialog, its legs, its watchers (control protocol P4, P6).

import ConferenceDocuments
import Media
import Primitives
import SIP

/// One meeting, on one worker or on several.
struct Meeting: Sendable {
  /// One watcher's place in the history of this meeting: versions are its own (RFC 4575 §5.2).
  struct Watcher: Sendable {
    var version: UInt32 = 0
    /// Users to tell of, in the order in which they changed.
    var changed: [String] = []
    var changedSet: Set<String> = []
    var talkersChanged = false

    var hasNews: Bool { !changed.isEmpty || talkersChanged }

    mutating func note(_ user: String) {
      if changedSet.insert(user).inserted { changed.append(user) }
    }
    mutating func take(_ count: Int) -> [String] {
      let taken = Array(changed.prefix(count))
      changed.removeFirst(taken.count)
      changedSet.subtract(taken)
      return taken
    }
  }

  /// An endpoint that has left, shown `disconnected` for a moment before it disappears.
  struct Departed: Sendable {
    var endpoint: ConferenceInfo.Endpoint
    var until: Instant
  }

  let id: MeetingID
  /// The workers that have been told of it, its home first.
  var workers: [Int]
  /// The Focus's URI: the document's `entity`.
  let entity: String
  /// User part of the meeting's own URI on this host.
  let contactUser: String
  /// `nil`: a stand-alone meeting, which ends with its last leg.
  let control: CallHandle?
  /// Which worker tells who is heard in it.
  var home: Int? { workers.first }
  /// Session id of the control dialog's SDP.
  let sessionID: UInt64

  var legs: Set<LegID> = []
  var legOfEndpoint: [EndpointKey: LegID] = [:]
  var endpointsOfUser: [String: Set<String>] = [:]
  var departed: [EndpointKey: Departed] = [:]
  var initialFilters: [ConferenceInfo.InitialFilter] = []
  var talkers: [LegID] = []
  var talkersToldAt: Instant?
  var watchers: [SubscriptionHandle: Watcher] = [:]
  var flushedAt: Instant?
  /// When the next document is due; `.never`: nothing to tell.
  var flushDeadline = Instant.never

  mutating func note(_ user: String) {
    for watcher in watchers.keys { watchers[watcher]?.note(user) }
  }

  mutating func noteTalkers() {
    for watcher in watchers.keys { watchers[watcher]?.talkersChanged = true }
  }

  mutating func show(_ leg: LegID, as key: EndpointKey) {
    departed[key] = nil
    legOfEndpoint[key] = leg
    endpointsOfUser[key.user, default: []].insert(key.endpoint)
    note(key.user)
  }

  /// Takes the leg out of the roster, leaving its endpoint `disconnected` until `until`; not when another leg has taken
  /// the endpoint over.
  mutating func hide(_ leg: LegID, as key: EndpointKey, last endpoint: ConferenceInfo.Endpoint, until: Instant) {
    guard legOfEndpoint[key] == leg else { return }
    legOfEndpoint[key] = nil
    if !watchers.isEmpty {
      departed[key] = Departed(endpoint: endpoint, until: until)
    } else {
      forget(key)
    }
    note(key.user)
  }

  /// - Returns: when the next of the departed is to disappear.
  mutating func forgetDeparted(at now: Instant) -> Instant {
    var next = Instant.never
    for (key, gone) in departed {
      if gone.until <= now {
        departed[key] = nil
        forget(key)
        note(key.user)
      } else {
        next = min(next, gone.until)
      }
    }
    return next
  }

  private mutating func forget(_ key: EndpointKey) {
    endpointsOfUser[key.user]?.remove(key.endpoint)
    if endpointsOfUser[key.user]?.isEmpty == true { endpointsOfUser[key.user] = nil }
  }

  /// The filters a newcomer of these roles starts with; the first rule that names one of them counts.
  func initialFilter(roles: [String]) -> ConferenceInfo.InitialFilter? {
    initialFilters.first { rule in roles.contains { $0 == rule.role } }
  }
}
