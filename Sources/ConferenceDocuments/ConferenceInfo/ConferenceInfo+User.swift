//  ConferenceInfo+User.swift: participants, their endpoints and media (RFC 4575 §5.6–5.8).

extension ConferenceInfo {
  /// `user`, known by its `entity`.
  public struct User: Hashable, Sendable {
    public var entity: String
    public var state: ElementState = .full
    public var displayText: String?
    public var associatedAORs: [URIEntry] = []
    /// `organizer`, `presenter`, `attendee`; any text.
    public var roles: [String] = []
    public var languages: String?
    public var cascadedFocus: String?
    public var endpoints: [Endpoint] = []
    public var extensions: [XMLElement] = []

    public init(entity: String, displayText: String? = nil, roles: [String] = [], endpoints: [Endpoint] = []) {
      self.entity = entity
      self.displayText = displayText
      self.roles = roles
      self.endpoints = endpoints
    }
  }

  /// `endpoint`, known by its `entity` within the user.
  public struct Endpoint: Hashable, Sendable {
    public var entity: String
    public var state: ElementState = .full
    /// `session-type` (read plain or as `msci:`): `audio-video`, `chat` …
    public var sessionType: String?
    /// `endpoint-uri` (read plain or as `msci:`): whom to dial.
    public var uri: String?
    public var displayText: String?
    public var referred: ExecutionInfo?
    public var status: Status?
    public var joiningMethod: JoiningMethod?
    public var joiningInfo: ExecutionInfo?
    public var disconnectionMethod: DisconnectionMethod?
    public var disconnectionInfo: ExecutionInfo?
    public var media: [Media] = []
    public var call: CallInfo?
    /// Telephone events that the endpoint sent since the last document (our extension): `0`–`9`, `*`, `#`, `A`–`D`.
    public var digits: String?
    public var extensions: [XMLElement] = []

    public init(entity: String, sessionType: String? = nil, status: Status? = nil, media: [Media] = []) {
      self.entity = entity
      self.sessionType = sessionType
      self.status = status
      self.media = media
    }
  }

  /// `media`, known by its `id` within the endpoint.
  public struct Media: Hashable, Sendable {
    public var id: String
    public var displayText: String?
    /// `audio`, `video` …
    public var type: String?
    /// `a=label` of the stream (RFC 4574).
    public var label: String?
    /// `src-id`: the SSRC that the participant sends with.
    public var sourceID: UInt32?
    public var status: MediaStatus?
    /// Whether the server lets in what the endpoint sends (`msci:media-ingress-filter`).
    public var ingressFilter: MediaFilter?
    /// Whether the server sends to the endpoint (`msci:media-egress-filter`).
    public var egressFilter: MediaFilter?
    public var extensions: [XMLElement] = []

    public init(
      id: String, type: String? = nil, label: String? = nil, sourceID: UInt32? = nil, status: MediaStatus? = nil
    ) {
      self.id = id
      self.type = type
      self.label = label
      self.sourceID = sourceID
      self.status = status
    }
  }

  /// The `status` of an endpoint.
  public enum Status: String, CaseIterable, Hashable, Sendable {
    case pending, alerting, connected, disconnecting, disconnected
    case dialingOut = "dialing-out"
    case dialingIn = "dialing-in"
    case onHold = "on-hold"
    case mutedViaFocus = "muted-via-focus"
  }

  public enum JoiningMethod: String, CaseIterable, Hashable, Sendable {
    case dialedIn = "dialed-in"
    case dialedOut = "dialed-out"
    case focusOwner = "focus-owner"
  }

  public enum DisconnectionMethod: String, CaseIterable, Hashable, Sendable {
    case departed, booted, failed, busy
  }

  /// The `status` of a medium, seen from the endpoint.
  public enum MediaStatus: String, CaseIterable, Hashable, Sendable {
    case sendrecv, sendonly, recvonly, inactive
  }

  public enum MediaFilter: String, CaseIterable, Hashable, Sendable {
    case block, unblock
  }

  /// When, why and by whom something was done: `referred`, `joining-info`, `disconnection-info`.
  public struct ExecutionInfo: Hashable, Sendable {
    /// RFC 3339 text.
    public var when: String?
    public var reason: String?
    public var by: String?

    public init(when: String? = nil, reason: String? = nil, by: String? = nil) {
      self.when = when
      self.reason = reason
      self.by = by
    }
  }

  /// `call-info/sip`: the dialog of the endpoint.
  public struct CallInfo: Hashable, Sendable {
    public var displayText: String?
    public var callID: String
    public var fromTag: String
    public var toTag: String

    public init(callID: String, fromTag: String, toTag: String) {
      self.callID = callID
      self.fromTag = fromTag
      self.toTag = toTag
    }
  }
}
