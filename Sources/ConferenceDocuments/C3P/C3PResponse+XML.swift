//  C3PResponse+XML.swift: answers to C3P commands, read and written.

private let cccp = XMLNamespace.cccp

extension C3PResponse {
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    try self.init(element: try XMLElement(parsing: bytes, limits: limits))
  }

  init(element: XMLElement) throws(DocumentError) {
    let envelope = try C3PEnvelope(element, name: "response")
    guard let code = Code(rawValue: try element.required("code")) else { throw .invalid("code") }
    let content = envelope.content
    // R2 servers put the reason on the command's element, others on the response.
    let reason = element.attribute("reason") ?? content.attribute("reason")
    self.init(
      requestID: envelope.requestID, from: envelope.from, to: envelope.to, code: code,
      reason: reason.map { C3PReason(rawValue: $0) }, command: content.name.local, result: try Result(element: content))
  }

  public func encoded() -> [UInt8] {
    var builder = C3PEnvelope.builder("response", requestID: requestID, from: from, to: to)
    builder.attribute("code", code.rawValue)
    builder.attribute("reason", reason?.rawValue)
    builder.child(result.element(command))
    return builder.element.encoded()
  }
}

extension C3PResponse.Result {
  init(element: XMLElement) throws(DocumentError) {
    self.init()
    if let keys = element.anyChild("conferenceKeys") {
      self.keys = ConferenceKeys(conference: try keys.required("confEntity"))
    }
    if let conference = element.anyChild("conference-info") {
      self.conference = try ConferenceInfo(element: conference)
    }
    if let user = element.anyChild("user") { self.user = try ConferenceInfo.User(element: user) }
    for entry in element.anyChild("connection-info")?.anyChildren("entry") ?? [] {
      guard let key = entry.anyChild("key")?.trimmedText else { throw .missing("key") }
      connection.append(.init(key: key, value: entry.anyChild("value")?.text ?? ""))
    }
  }

  func element(_ command: String) -> XMLElement {
    var builder = ElementBuilder(cccp, command)
    builder.child(keys?.element)
    builder.child(conference?.element)
    builder.child(user?.element)
    if !connection.isEmpty {
      builder.child(
        XMLElement(
          XMLName(cccp, "connection-info"),
          children: connection.map { entry in
            var line = ElementBuilder(cccp, "entry")
            line.child("key", entry.key)
            line.child("value", entry.value)
            return line.element
          }))
    }
    return builder.element
  }
}
