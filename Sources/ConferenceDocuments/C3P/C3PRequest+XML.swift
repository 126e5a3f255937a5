//  C3PRequest+XML.swift: C3P commands, read and written.

private let cccp = XMLNamespace.cccp
private let ci = XMLNamespace.conferenceInfo

extension C3PRequest {
  /// - Throws: for a body that is to be answered with 400; an unknown command is `C3PCommand.unknown`.
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    try self.init(element: try XMLElement(parsing: bytes, limits: limits))
  }

  init(element: XMLElement) throws(DocumentError) {
    let envelope = try C3PEnvelope(element, name: "request")
    self.init(
      requestID: envelope.requestID, from: envelope.from, to: envelope.to,
      serverURI: envelope.content.anyAttribute("mcuUri"), command: try C3PCommand(element: envelope.content))
  }

  public func encoded() -> [UInt8] {
    var builder = C3PEnvelope.builder("request", requestID: requestID, from: from, to: to)
    builder.child(command.element(serverURI: serverURI))
    return builder.element.encoded()
  }
}

extension C3PCommand {
  init(element: XMLElement) throws(DocumentError) {
    guard element.name.namespace == cccp else {
      self = .unknown(element.name)
      return
    }
    switch element.name.local {
    case "addConference": self = .addConference(try Self.conference(element))
    case "modifyConference": self = .modifyConference(try Self.conference(element))
    case "deleteConference": self = .deleteConference(try ConferenceKeys(in: element))
    case "getConference": self = .getConference(try ConferenceKeys(in: element))
    case "modifyConferenceLock":
      self = .modifyConferenceLock(
        try ConferenceKeys(in: element), locked: try element.requiredChild("locked").boolean(),
        admissionPolicy: element.anyChild("admission-policy")?.trimmedText)
    case "addUser":
      let user = try ConferenceInfo.User(element: try element.requiredChild("user"))
      self = .addUser(try ConferenceKeys(in: element), user)
    case "deleteUser": self = .deleteUser(try UserKeys(in: element))
    case "modifyUserRoles":
      let roles = try element.requiredChild("user-roles").anyChildren("entry").compactMap(\.trimmedText)
      if roles.isEmpty { throw .missing("entry") }
      self = .modifyUserRoles(try UserKeys(in: element), roles: roles)
    case "modifyEndpointMedia":
      let keys = try MediaKeys(in: element)
      let media = try ConferenceInfo.Media(element: try element.requiredChild("media"))
      // The keys say which medium; a second opinion inside the medium is a mistake of the sender.
      guard media.id == keys.media else { throw .invalid("media@id") }
      self = .modifyEndpointMedia(keys, media)
    default: self = .unknown(element.name)
    }
  }

  private static func conference(_ element: XMLElement) throws(DocumentError) -> ConferenceInfo {
    try ConferenceInfo(element: try element.requiredChild("conference-info"))
  }

  func element(serverURI: String?) -> XMLElement {
    var builder = ElementBuilder(cccp, name)
    if case .unknown(let name) = self { builder = ElementBuilder(name.namespace, name.local) }
    builder.attribute("mcuUri", serverURI, namespace: XMLNamespace.cccpExtensions)
    switch self {
    case .addConference(let conference), .modifyConference(let conference):
      builder.child(conference.element)
    case .deleteConference(let keys), .getConference(let keys):
      builder.child(keys.element)
    case .modifyConferenceLock(let keys, let locked, let admissionPolicy):
      builder.child(keys.element)
      builder.child("locked", "\(locked)")
      builder.child("admission-policy", admissionPolicy)
    case .addUser(let keys, let user):
      builder.child(keys.element)
      builder.child(user.element)
    case .deleteUser(let keys):
      builder.child(keys.element)
    case .modifyUserRoles(let keys, let roles):
      builder.child(keys.element)
      builder.child(
        XMLElement(XMLName(ci, "user-roles"), children: roles.map { XMLElement(ci, "entry", text: $0) }))
    case .modifyEndpointMedia(let keys, let media):
      builder.child(keys.element)
      builder.child(media.element)
    case .unknown:
      break
    }
    return builder.element
  }
}
