//  ConferenceInfo+EntityView.swift: the state of one conferencing server (msci:conference-view).

extension ConferenceInfo {
  /// `msci:entity-view`: a conferencing server of the conference, or the Focus itself.
  public struct EntityView: Hashable, Sendable {
    /// A URI in notifications; a server type (`audio-video`) in requests.
    public var entity: String
    public var state: ElementState = .full
    /// `nil`: the request names the server and leaves its state to it.
    public var entityState: EntityState?
    public var extensions: [XMLElement] = []

    public init(entity: String, entityState: EntityState? = nil) {
      self.entity = entity
      self.entityState = entityState
    }
  }

  /// `msci:entity-state`. In a `modifyConference`, what is `nil` is left as it is.
  public struct EntityState: Hashable, Sendable {
    public var locked: Bool?
    /// An RFC 6505 layout name, or `sfu`.
    public var videoLayout: String?
    /// Expected number of participants (our extension).
    public var size: UInt32?
    /// The `entity` of each endpoint that is heard now, loudest first; empty: nobody (our extension).
    public var activeSpeakers: [String]?
    /// The first of them; an empty string: nobody.
    public var activeSpeaker: String? {
      get { activeSpeakers.map { $0.first ?? "" } }
      set { activeSpeakers = newValue.map { $0.isEmpty ? [] : [$0] } }
    }
    public var media: [MediaEntry] = []
    public var filterRules: FilterRules?
    public var extensions: [XMLElement] = []

    public init() {}
  }

  /// `msci:media/entry`: a mixed stream that the server offers.
  public struct MediaEntry: Hashable, Sendable {
    public var label: String
    public var type: String?

    public init(label: String, type: String?) {
      self.label = label
      self.type = type
    }
  }

  /// `mediaFiltersRules`: how newcomers start, and whether they may change it themselves.
  public struct FilterRules: Hashable, Sendable {
    public var mayModifyOwnFilters: [RoleRule] = []
    public var initialFilters: [InitialFilter] = []

    public init() {}
  }

  public struct RoleRule: Hashable, Sendable {
    public var role: String
    public var allowed: Bool

    public init(role: String, allowed: Bool) {
      self.role = role
      self.allowed = allowed
    }
  }

  public struct InitialFilter: Hashable, Sendable {
    public var role: String
    public var ingress: MediaFilter?
    public var egress: MediaFilter?

    public init(role: String, ingress: MediaFilter? = nil, egress: MediaFilter? = nil) {
      self.role = role
      self.ingress = ingress
      self.egress = egress
    }
  }
}
