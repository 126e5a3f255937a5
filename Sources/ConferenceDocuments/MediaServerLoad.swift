//  MediaServerLoad.swift: what a media host reports about itself (RFC 6917 §5, our load extension).

/// An `mrbpublish` with one `mrbnotification`.
public struct MediaServerLoad: Hashable, Sendable {
  /// `seqnum`: rises by one with each report of a process.
  public var sequence: UInt32
  /// The subscription or report this belongs to.
  public var id: String
  public var serverID: String
  public var activeRTP: [CodecSessions] = []
  public var activeMixes: [ActiveMix] = []
  public var availableMixes: [AvailableMix] = []
  public var status: Status
  public var label: String?
  /// Where to send conferences: a SIP URI.
  public var address: String?
  /// Whether the host does SRTP.
  public var encrypts: Bool = true
  public var load = Load()

  /// `rtp-codec`: running decoders and encoders.
  public struct CodecSessions: Hashable, Sendable {
    /// `audio/opus`.
    public var name: String
    public var decoding: UInt32
    public var encoding: UInt32

    public init(name: String, decoding: UInt32, encoding: UInt32) {
      self.name = name
      self.decoding = decoding
      self.encoding = encoding
    }
  }

  public struct ActiveMix: Hashable, Sendable {
    public var conferenceID: String
    public var codecs: [CodecSessions]

    public init(conferenceID: String, codecs: [CodecSessions]) {
      self.conferenceID = conferenceID
      self.codecs = codecs
    }
  }

  public struct AvailableMix: Hashable, Sendable {
    /// How many more meetings there is room for.
    public var available: UInt32
    public var codecs: [CodecSessions]

    public init(available: UInt32, codecs: [CodecSessions]) {
      self.available = available
      self.codecs = codecs
    }
  }

  public enum Status: String, CaseIterable, Hashable, Sendable {
    case active, deactivated, unavailable
  }

  /// `x:load`.
  public struct Load: Hashable, Sendable {
    /// Of all cores for media: 0 idle, 1 full.
    public var cpu: Double = 0
    public var packetsInPerSecond: UInt32 = 0
    public var packetsOutPerSecond: UInt32 = 0
    /// Since the last report.
    public var lateTicks: UInt32 = 0
    public var draining = false

    public init() {}
  }

  public init(sequence: UInt32, id: String, serverID: String, status: Status = .active) {
    self.sequence = sequence
    self.id = id
    self.serverID = serverID
    self.status = status
  }

  /// The MIME type of what `encoded()` writes.
  public static let contentType = "application/mrb-publish+xml"
}
