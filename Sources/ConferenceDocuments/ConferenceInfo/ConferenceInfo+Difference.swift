//  ConferenceInfo+Difference.swift: partial documents, made (RFC 4575 §4.6).

extension ConferenceInfo {
  /// The smallest document that takes a watcher from `old` to `new`, both full.
  ///
  /// A partial document can add, replace and remove users, add and replace endpoints and media, and replace
  /// other elements; it cannot say that an element without a key is gone. Where that happened, the nearest
  /// element that can be sent whole is: the endpoint, the user, or the document. The order of users does not
  /// count. Its version is that of `new`.
  ///
  /// - Returns: `nil` when nothing but version and state differ.
  public static func difference(from old: ConferenceInfo, to new: ConferenceInfo) -> ConferenceInfo? {
    guard old.entity == new.entity, new.state == .full else { return new }
    let vanished =
      gone(old.description, new.description) || gone(old.host, new.host)
      || gone(old.conferenceState, new.conferenceState) || gone(old.users, new.users)
      || gone(old.sidebars, new.sidebars) || gone(old.views, new.views) || gone(old.extensions, new.extensions)
    if vanished { return new }
    var partial = ConferenceInfo(entity: new.entity)
    partial.state = .partial
    partial.version = new.version
    partial.description = changed(old.description, new.description)
    partial.host = changed(old.host, new.host)
    partial.conferenceState = changed(old.conferenceState, new.conferenceState)
    partial.sidebars = changed(old.sidebars, new.sidebars)
    partial.views = changed(old.views, new.views)
    partial.extensions = changed(old.extensions, new.extensions)
    if let before = old.users, let after = new.users {
      partial.users = difference(from: before.users, to: after.users)
    } else {
      partial.users = new.users
    }
    let isEmpty =
      partial.description == nil && partial.host == nil && partial.conferenceState == nil && partial.users == nil
      && partial.sidebars.isEmpty && partial.views.isEmpty && partial.extensions.isEmpty
    return isEmpty ? nil : partial
  }

  private static func difference(from old: [User], to new: [User]) -> Users? {
    var before: [String: User] = [:]
    for user in old { before[user.entity] = user }
    var changes: [User] = []
    for user in new {
      if let known = before.removeValue(forKey: user.entity) {
        if let change = User.difference(from: known, to: user) { changes.append(change) }
      } else {
        changes.append(user)
      }
    }
    for user in old where before[user.entity] != nil {
      var removed = User(entity: user.entity)
      removed.state = .deleted
      changes.append(removed)
    }
    return changes.isEmpty ? nil : Users(changes, state: .partial)
  }

  fileprivate static func gone<T>(_ old: T?, _ new: T?) -> Bool { old != nil && new == nil }
  fileprivate static func gone<T: Collection>(_ old: T, _ new: T) -> Bool { !old.isEmpty && new.isEmpty }
  fileprivate static func changed<T: Equatable>(_ old: T?, _ new: T?) -> T? { old == new ? nil : new }
  fileprivate static func changed<T: Equatable>(_ old: [T], _ new: [T]) -> [T] { old == new ? [] : new }
}

extension ConferenceInfo.User {
  fileprivate static func difference(from old: Self, to new: Self) -> Self? {
    if old == new { return nil }
    typealias Info = ConferenceInfo
    let vanished =
      Info.gone(old.displayText, new.displayText) || Info.gone(old.associatedAORs, new.associatedAORs)
      || Info.gone(old.roles, new.roles) || Info.gone(old.languages, new.languages)
      || Info.gone(old.cascadedFocus, new.cascadedFocus) || Info.gone(old.extensions, new.extensions)
    if vanished { return new }
    var partial = Self(entity: new.entity)
    partial.state = .partial
    partial.displayText = Info.changed(old.displayText, new.displayText)
    partial.associatedAORs = Info.changed(old.associatedAORs, new.associatedAORs)
    partial.roles = Info.changed(old.roles, new.roles)
    partial.languages = Info.changed(old.languages, new.languages)
    partial.cascadedFocus = Info.changed(old.cascadedFocus, new.cascadedFocus)
    partial.extensions = Info.changed(old.extensions, new.extensions)
    for endpoint in new.endpoints {
      guard let known = old.endpoints.first(where: { $0.entity == endpoint.entity }) else {
        partial.endpoints.append(endpoint)
        continue
      }
      if let change = ConferenceInfo.Endpoint.difference(from: known, to: endpoint) { partial.endpoints.append(change) }
    }
    for endpoint in old.endpoints where !new.endpoints.contains(where: { $0.entity == endpoint.entity }) {
      var removed = ConferenceInfo.Endpoint(entity: endpoint.entity)
      removed.state = .deleted
      partial.endpoints.append(removed)
    }
    return partial
  }
}

extension ConferenceInfo.Endpoint {
  fileprivate static func difference(from old: Self, to new: Self) -> Self? {
    if old == new { return nil }
    typealias Info = ConferenceInfo
    let vanished =
      Info.gone(old.sessionType, new.sessionType) || Info.gone(old.uri, new.uri)
      || Info.gone(old.displayText, new.displayText) || Info.gone(old.referred, new.referred)
      || Info.gone(old.status, new.status) || Info.gone(old.joiningMethod, new.joiningMethod)
      || Info.gone(old.joiningInfo, new.joiningInfo) || Info.gone(old.disconnectionMethod, new.disconnectionMethod)
      || Info.gone(old.disconnectionInfo, new.disconnectionInfo) || Info.gone(old.call, new.call)
      || Info.gone(old.digits, new.digits) || Info.gone(old.extensions, new.extensions)
      || old.media.contains { medium in !new.media.contains { $0.id == medium.id } }
    if vanished { return new }
    var partial = Self(entity: new.entity)
    partial.state = .partial
    // Attributes identify what kind of endpoint this is, so they always go along.
    partial.sessionType = new.sessionType
    partial.uri = new.uri
    partial.displayText = Info.changed(old.displayText, new.displayText)
    partial.referred = Info.changed(old.referred, new.referred)
    partial.status = Info.changed(old.status, new.status)
    partial.joiningMethod = Info.changed(old.joiningMethod, new.joiningMethod)
    partial.joiningInfo = Info.changed(old.joiningInfo, new.joiningInfo)
    partial.disconnectionMethod = Info.changed(old.disconnectionMethod, new.disconnectionMethod)
    partial.disconnectionInfo = Info.changed(old.disconnectionInfo, new.disconnectionInfo)
    partial.call = Info.changed(old.call, new.call)
    partial.digits = Info.changed(old.digits, new.digits)
    partial.extensions = Info.changed(old.extensions, new.extensions)
    partial.media = new.media.filter { medium in !old.media.contains(medium) }
    return partial
  }
}
