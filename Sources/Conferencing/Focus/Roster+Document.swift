//  Roster+Document.swift: a roster, or its changes, as a conference-info document (RFC 4575 §5).

import ConferenceDocuments

extension Roster {
  /// Everything.
  ///
  /// - Parameter conference: the conference URI.
  public func document(of conference: String, serverURI: String, version: UInt32) -> ConferenceInfo {
    var document = ConferenceInfo(entity: conference)
    document.version = version
    var description = ConferenceInfo.Description()
    description.conferenceURIs = [
      ConferenceInfo.URIEntry(uri: serverURI, purpose: ConferencingServerType.audioVideo.rawValue)
    ]
    document.description = description
    document.conferenceState = conferenceState
    document.users = ConferenceInfo.Users(allUsers.map(ConferenceInfo.User.init))
    var view = ConferenceInfo.EntityState()
    view.locked = isLocked
    view.media = [ConferenceInfo.MediaEntry(label: "main-audio", type: "audio")]
    document.views = [ConferenceInfo.EntityView(entity: serverURI, entityState: view)]
    return document
  }

  /// What is in `changes`, as a partial document: changed users whole, departed ones `deleted`.
  public func document(
    of conference: String, serverURI: String, changes: Changes, version: UInt32
  ) -> ConferenceInfo {
    var document = ConferenceInfo(entity: conference)
    document.state = .partial
    document.version = version
    if changes.state { document.conferenceState = conferenceState }
    let deleted = changes.deletedUsers.map { entity in
      var user = ConferenceInfo.User(entity: entity)
      user.state = .deleted
      return user
    }
    let users = changes.users.map(ConferenceInfo.User.init) + deleted
    if !users.isEmpty { document.users = ConferenceInfo.Users(users, state: .partial) }
    if changes.state {
      var view = ConferenceInfo.EntityState()
      view.locked = isLocked
      view.media = [ConferenceInfo.MediaEntry(label: "main-audio", type: "audio")]
      document.views = [ConferenceInfo.EntityView(entity: serverURI, entityState: view)]
    }
    return document
  }

  private var conferenceState: ConferenceInfo.ConferenceState {
    ConferenceInfo.ConferenceState(userCount: UInt32(clamping: userCount), active: true, locked: isLocked)
  }
}

extension ConferenceInfo.User {
  init(_ user: RosterUser) {
    self.init(
      entity: user.entity, displayText: user.displayName, roles: user.roles,
      endpoints: user.endpoints.map(ConferenceInfo.Endpoint.init))
  }
}

extension ConferenceInfo.Endpoint {
  init(_ endpoint: RosterEndpoint) {
    self.init(
      entity: endpoint.entity, sessionType: ConferencingServerType.audioVideo.rawValue,
      status: ConferenceInfo.Status(rawValue: endpoint.status.rawValue),
      media: endpoint.media.map(ConferenceInfo.Media.init))
    joiningMethod = .dialedIn
  }
}

extension ConferenceInfo.Media {
  init(_ medium: RosterMedium) {
    self.init(
      id: medium.id, type: medium.type, label: medium.label, sourceID: medium.sourceID,
      status: medium.direction.flatMap { ConferenceInfo.MediaStatus(rawValue: $0.rawValue) })
  }
}
