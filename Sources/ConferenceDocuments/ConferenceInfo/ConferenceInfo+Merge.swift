//  ConferenceInfo+Merge.swift: a watcher's view kept coherent (RFC 4575 §4.4–4.5).

extension ConferenceInfo {
  /// What became of a received document.
  public enum MergeOutcome: Hashable, Sendable {
    case merged
    /// Not newer than what is known; dropped.
    case stale
    /// One or more documents were missed, or it does not fit: ask for a full one. Nothing was changed.
    case refresh
    /// The conference is over.
    case ended
  }

  /// The view before the first document: anything full fits.
  public static func unknown(entity: String) -> ConferenceInfo { ConferenceInfo(entity: entity) }

  /// Takes a received document into this full view.
  public mutating func merge(_ document: ConferenceInfo) -> MergeOutcome {
    guard document.entity == entity else { return .refresh }
    if let version, let received = document.version, received <= version { return .stale }
    switch document.state {
    case .full:
      self = document
      return .merged
    case .deleted:
      self = document
      return .ended
    case .partial:
      guard let version, let received = document.version, version < .max, received == version + 1,
        let result = merging(document)
      else { return .refresh }
      self = result
      return .merged
    }
  }

  /// The outcome of a partial document whatever its version, or `nil` when it does not fit.
  public func merging(_ partial: ConferenceInfo) -> ConferenceInfo? {
    var result = self
    result.version = partial.version ?? version
    if let description = partial.description { result.description = description }
    if let host = partial.host { result.host = host }
    if let conferenceState = partial.conferenceState { result.conferenceState = conferenceState }
    if !partial.sidebars.isEmpty { result.sidebars = partial.sidebars }
    if !partial.views.isEmpty { result.views = partial.views }
    if !partial.extensions.isEmpty { result.extensions = partial.extensions }
    guard let users = partial.users else { return result }
    switch users.state {
    case .full: result.users = users
    case .deleted: result.users = Users()
    case .partial:
      guard let merged = Self.merge(users.users, into: result.users?.users ?? []) else { return nil }
      result.users = Users(merged)
    }
    return result
  }

  private static func merge(_ changes: [User], into known: [User]) -> [User]? {
    var places: [String: Int] = [:]
    for (index, user) in known.enumerated() { places[user.entity] = index }
    var result: [User?] = known
    for change in changes {
      switch (change.state, places[change.entity]) {
      case (.full, let index?): result[index] = change
      case (.full, nil): result.append(change)
      case (.deleted, let index?): result[index] = nil
      case (.deleted, nil): break
      case (.partial, let index?):
        guard let merged = result[index]?.merging(change) else { return nil }
        result[index] = merged
      case (.partial, nil): return nil
      }
    }
    return result.compactMap { $0 }
  }
}

extension ConferenceInfo.User {
  fileprivate func merging(_ partial: Self) -> Self? {
    var result = self
    if let displayText = partial.displayText { result.displayText = displayText }
    if !partial.associatedAORs.isEmpty { result.associatedAORs = partial.associatedAORs }
    if !partial.roles.isEmpty { result.roles = partial.roles }
    if let languages = partial.languages { result.languages = languages }
    if let cascadedFocus = partial.cascadedFocus { result.cascadedFocus = cascadedFocus }
    if !partial.extensions.isEmpty { result.extensions = partial.extensions }
    for change in partial.endpoints {
      let index = result.endpoints.firstIndex { $0.entity == change.entity }
      switch (change.state, index) {
      case (.full, let index?): result.endpoints[index] = change
      case (.full, nil): result.endpoints.append(change)
      case (.deleted, let index?): result.endpoints.remove(at: index)
      case (.deleted, nil): break
      case (.partial, let index?): result.endpoints[index].merge(change)
      case (.partial, nil): return nil
      }
    }
    return result
  }
}

extension ConferenceInfo.Endpoint {
  fileprivate mutating func merge(_ partial: Self) {
    sessionType = partial.sessionType ?? sessionType
    uri = partial.uri ?? uri
    displayText = partial.displayText ?? displayText
    referred = partial.referred ?? referred
    status = partial.status ?? status
    joiningMethod = partial.joiningMethod ?? joiningMethod
    joiningInfo = partial.joiningInfo ?? joiningInfo
    disconnectionMethod = partial.disconnectionMethod ?? disconnectionMethod
    disconnectionInfo = partial.disconnectionInfo ?? disconnectionInfo
    call = partial.call ?? call
    digits = partial.digits ?? digits
    if !partial.extensions.isEmpty { extensions = partial.extensions }
    for medium in partial.media {
      if let index = media.firstIndex(where: { $0.id == medium.id }) {
        media[index] = medium
      } else {
        media.append(medium)
      }
    }
  }
}
