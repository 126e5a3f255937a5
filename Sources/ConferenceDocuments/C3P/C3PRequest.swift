//  C3PRequest.swift: one command to a Focus or a conferencing server.

/// `<request>` with its one child.
public struct C3PRequest: Hashable, Sendable {
  /// Unique per sender.
  public var requestID: UInt64
  public var from: String
  /// Must equal the SIP To URI.
  public var to: String
  /// `mscp:mcuUri`: the conferencing server the command is for; `nil`: the Focus handles it itself.
  public var serverURI: String?
  public var command: C3PCommand

  public init(requestID: UInt64, from: String, to: String, serverURI: String? = nil, command: C3PCommand) {
    self.requestID = requestID
    self.from = from
    self.to = to
    self.serverURI = serverURI
    self.command = command
  }

  /// The MIME type of requests and responses.
  public static let contentType = "application/cccp+xml"
}

/// The commands, with what they carry.
public enum C3PCommand: Hashable, Sendable {
  case addConference(ConferenceInfo)
  case deleteConference(ConferenceKeys)
  case getConference(ConferenceKeys)
  /// The conference as far as it changes: the description, or entity-states of servers.
  case modifyConference(ConferenceInfo)
  case modifyConferenceLock(ConferenceKeys, locked: Bool, admissionPolicy: String?)
  /// The user with (as a rule) one endpoint.
  case addUser(ConferenceKeys, ConferenceInfo.User)
  case deleteUser(UserKeys)
  case modifyUserRoles(UserKeys, roles: [String])
  /// The medium's `id` is that of the keys.
  case modifyEndpointMedia(MediaKeys, ConferenceInfo.Media)
  /// A command that is not known here: to be answered with `notSupported`, SIP 501 (INFO: 603).
  case unknown(XMLName)

  /// The local name of the element.
  public var name: String {
    switch self {
    case .addConference: "addConference"
    case .deleteConference: "deleteConference"
    case .getConference: "getConference"
    case .modifyConference: "modifyConference"
    case .modifyConferenceLock: "modifyConferenceLock"
    case .addUser: "addUser"
    case .deleteUser: "deleteUser"
    case .modifyUserRoles: "modifyUserRoles"
    case .modifyEndpointMedia: "modifyEndpointMedia"
    case .unknown(let name): name.local
    }
  }
}
