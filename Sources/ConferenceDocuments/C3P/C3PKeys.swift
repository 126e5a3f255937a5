//  C3PKeys.swift: what a C3P command acts on.

/// `conferenceKeys`.
public struct ConferenceKeys: Hashable, Sendable {
  /// The conference URI (`confEntity`).
  public var conference: String

  public init(conference: String) { self.conference = conference }
}

/// `userKeys`.
public struct UserKeys: Hashable, Sendable {
  public var conference: String
  /// The `entity` of the user (`userEntity`).
  public var user: String

  public init(conference: String, user: String) {
    self.conference = conference
    self.user = user
  }
}

/// `mediaKeys`.
public struct MediaKeys: Hashable, Sendable {
  public var conference: String
  public var user: String
  /// The `entity` of the endpoint (`endpointEntity`).
  public var endpoint: String
  /// The `id` of the medium (`mediaId`).
  public var media: String

  public init(conference: String, user: String, endpoint: String, media: String) {
    self.conference = conference
    self.user = user
    self.endpoint = endpoint
    self.media = media
  }
}
