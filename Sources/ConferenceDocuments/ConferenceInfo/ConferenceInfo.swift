//  ConferenceInfo.swift: the conference event document as a value (RFC 4575 §5).

/// A conference-info document: full, partial or deleted. Elements that Parley does not know are kept, in
/// `extensions`, so that they pass through a Focus unharmed.
public struct ConferenceInfo: Hashable, Sendable {
  /// The conference URI; empty in a request to create a conference.
  public var entity: String
  public var state: ElementState = .full
  public var version: UInt32?
  public var description: Description?
  public var host: XMLElement?
  public var conferenceState: ConferenceState?
  /// `nil`: no `users` element, which a full document must have (RFC 4575 §5.2).
  public var users: Users?
  public var sidebars: [XMLElement] = []
  /// The servers of the conference and their state (`msci:conference-view`).
  public var views: [EntityView] = []
  public var extensions: [XMLElement] = []

  public init(entity: String) { self.entity = entity }

  /// The MIME type of what `encoded()` writes.
  public static let contentType = "application/conference-info+xml"

  /// The `state` attribute (RFC 4575 §4.4).
  public enum ElementState: String, Hashable, Sendable {
    case full, partial, deleted
  }

  /// `conference-description` (RFC 4575 §5.3).
  public struct Description: Hashable, Sendable {
    public var displayText: String?
    public var subject: String?
    public var freeText: String?
    public var keywords: String?
    public var conferenceURIs: [URIEntry] = []
    public var serviceURIs: [URIEntry] = []
    public var maximumUserCount: UInt32?
    public var availableMedia: XMLElement?
    /// `msci:conference-id`.
    public var conferenceID: String?
    /// `msci:expiry-time`, as text (RFC 3339).
    public var expiryTime: String?
    /// `msci:admission-policy`: `closedAuthenticated`, `openAuthenticated`, `anonymous`.
    public var admissionPolicy: String?
    /// `msci:join-url`.
    public var joinURL: String?
    public var extensions: [XMLElement] = []

    public init() {}
  }

  /// One `entry` of `conf-uris` or `service-uris`.
  public struct URIEntry: Hashable, Sendable {
    public var uri: String
    public var displayText: String?
    public var purpose: String?

    public init(uri: String, displayText: String? = nil, purpose: String? = nil) {
      self.uri = uri
      self.displayText = displayText
      self.purpose = purpose
    }
  }

  /// `conference-state` (RFC 4575 §5.5).
  public struct ConferenceState: Hashable, Sendable {
    public var userCount: UInt32?
    public var active: Bool?
    public var locked: Bool?
    public var extensions: [XMLElement] = []

    public init(userCount: UInt32? = nil, active: Bool? = nil, locked: Bool? = nil) {
      self.userCount = userCount
      self.active = active
      self.locked = locked
    }
  }

  /// `users` (RFC 4575 §5.6).
  public struct Users: Hashable, Sendable {
    public var state: ElementState
    public var users: [User]

    public init(_ users: [User] = [], state: ElementState = .full) {
      self.users = users
      self.state = state
    }
  }
}
