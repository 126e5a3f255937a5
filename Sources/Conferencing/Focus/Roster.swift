//  Roster.swift: who is in a conference, with the order of changes that partial notifications are made from (RFC 4575).

/// One medium of an endpoint (RFC 4575 §5.8).
public struct RosterMedium: Hashable, Sendable {
  public enum Direction: String, Hashable, Sendable {
    case sendrecv, sendonly, recvonly, inactive
  }
  public var id: String
  /// `audio`, `video` …
  public var type: String
  public var label: String?
  /// The SSRC that the server hears.
  public var sourceID: UInt32?
  public var direction: Direction?

  public init(
    id: String, type: String, label: String? = nil, sourceID: UInt32? = nil, direction: Direction? = nil
  ) {
    self.id = id
    self.type = type
    self.label = label
    self.sourceID = sourceID
    self.direction = direction
  }
}

/// One device of a user (RFC 4575 §5.7).
public struct RosterEndpoint: Hashable, Sendable {
  public enum Status: String, Hashable, Sendable {
    case pending
    case dialingOut = "dialing-out"
    case dialingIn = "dialing-in"
    case alerting
    case onHold = "on-hold"
    case connected
    case mutedViaFocus = "muted-via-focus"
    case disconnecting
    case disconnected
  }
  public var entity: String
  public var participant: ParticipantID
  public var status: Status
  public var media: [RosterMedium]

  public init(
    entity: String, participant: ParticipantID, status: Status = .pending, media: [RosterMedium] = []
  ) {
    self.entity = entity
    self.participant = participant
    self.status = status
    self.media = media
  }
}

extension RosterEndpoint {
  mutating func merge(_ medium: RosterMedium) {
    if let index = media.firstIndex(where: { $0.id == medium.id }) {
      media[index] = medium
    } else if media.count < Limits.mediaPerEndpoint {
      media.append(medium)
    }
  }
}

/// One user with all endpoints (RFC 4575 §5.6).
public struct RosterUser: Hashable, Sendable {
  public var entity: String
  public var displayName: String?
  public var roles: [String]
  public var endpoints: [RosterEndpoint]

  public init(entity: String, displayName: String? = nil, roles: [String], endpoints: [RosterEndpoint]) {
    self.entity = entity
    self.displayName = displayName
    self.roles = roles
    self.endpoints = endpoints
  }
}

/// Users, endpoints and media of one conference, and when each last changed.
///
/// Every change takes the next `sequence`. A watcher who was told everything up to sequence *s* is owed the users that
/// changed after *s*, those who left after *s*, and the conference's state when it changed after *s*: `changes(since:)`.
public struct Roster: Sendable {
  /// What changed since a sequence number.
  public struct Changes: Hashable, Sendable {
    public var users: [RosterUser] = []
    public var deletedUsers: [String] = []
    /// `conference-state` is to be told again.
    public var state = false

    public var isEmpty: Bool { users.isEmpty && deletedUsers.isEmpty && !state }
  }

  private struct Entry: Sendable {
    var user: RosterUser
    var changed: UInt64
  }

  /// Number of the last change; 0 before the first.
  public private(set) var sequence: UInt64 = 0
  public private(set) var isLocked = false
  private var entries: [String: Entry] = [:]
  /// In order of arrival.
  private var order: [String] = []
  private var users: [ParticipantID: String] = [:]
  private var stateChanged: UInt64 = 0
  private var departed: [(sequence: UInt64, entity: String)] = []
  /// A watcher who knows less than this must be given everything: the departures before it are forgotten.
  private var forgotten: UInt64 = 0

  public init() {}

  public var userCount: Int { entries.count }
  public var endpointCount: Int { users.count }
  public var allUsers: [RosterUser] { order.compactMap { entries[$0]?.user } }

  public func user(of participant: ParticipantID) -> RosterUser? { users[participant].flatMap { entries[$0]?.user } }
  public func endpoint(of participant: ParticipantID) -> RosterEndpoint? {
    user(of: participant)?.endpoints.first { $0.participant == participant }
  }

  /// - Returns: `nil` when `sequence` is so old that departures since then are forgotten.
  public func changes(since sequence: UInt64) -> Changes? {
    guard sequence >= forgotten else { return nil }
    var changes = Changes()
    for entity in order {
      if let entry = entries[entity], entry.changed > sequence { changes.users.append(entry.user) }
    }
    for departure in departed where departure.sequence > sequence && entries[departure.entity] == nil {
      if !changes.deletedUsers.contains(departure.entity) { changes.deletedUsers.append(departure.entity) }
    }
    changes.state = stateChanged > sequence
    return changes
  }

  // MARK: Changes

  mutating func add(_ endpoint: RosterEndpoint, of joiner: Joiner, role: String) {
    sequence &+= 1
    users[endpoint.participant] = joiner.userEntity
    if var entry = entries[joiner.userEntity] {
      entry.user.endpoints.append(endpoint)
      if let name = joiner.displayName { entry.user.displayName = name }
      entry.changed = sequence
      entries[joiner.userEntity] = entry
    } else {
      let user = RosterUser(
        entity: joiner.userEntity, displayName: joiner.displayName, roles: [role], endpoints: [endpoint])
      entries[joiner.userEntity] = Entry(user: user, changed: sequence)
      order.append(joiner.userEntity)
      stateChanged = sequence
    }
  }

  /// - Returns: whether anything changed.
  mutating func modify(_ participant: ParticipantID, _ change: (inout RosterEndpoint) -> Void) -> Bool {
    guard let entity = users[participant], var entry = entries[entity],
      let index = entry.user.endpoints.firstIndex(where: { $0.participant == participant })
    else { return false }
    let before = entry.user.endpoints[index]
    change(&entry.user.endpoints[index])
    guard entry.user.endpoints[index] != before else { return false }
    sequence &+= 1
    entry.changed = sequence
    entries[entity] = entry
    return true
  }

  /// The user goes with the last endpoint.
  mutating func remove(_ participant: ParticipantID) {
    guard let entity = users.removeValue(forKey: participant), var entry = entries[entity] else { return }
    sequence &+= 1
    entry.user.endpoints.removeAll { $0.participant == participant }
    entry.changed = sequence
    guard entry.user.endpoints.isEmpty else {
      entries[entity] = entry
      return
    }
    entries[entity] = nil
    order.removeAll { $0 == entity }
    stateChanged = sequence
    departed.append((sequence, entity))
    if departed.count > Limits.rosterTombstones { forgotten = departed.removeFirst().sequence }
  }

  /// - Returns: whether anything changed.
  mutating func lock(_ locked: Bool) -> Bool {
    guard locked != isLocked else { return false }
    isLocked = locked
    sequence &+= 1
    stateChanged = sequence
    return true
  }
}
