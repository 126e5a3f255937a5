//  ConferenceInfo+XML.swift: conference-info, read and written (RFC 4575 §5, its schema's order).

private let ci = XMLNamespace.conferenceInfo
private let msci = XMLNamespace.conferenceInfoExtensions

extension ConferenceInfo {
  /// Reads a document.
  ///
  /// - Parameter limits: `.roster` for one of our own servers' documents, which grow with the meeting.
  /// - Throws: also `.invalid` when a key occurs twice, since merging would be ambiguous.
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    try self.init(element: try XMLElement(parsing: bytes, limits: limits))
  }

  /// Reads the element, which may stand inside a C3P request.
  public init(element: XMLElement) throws(DocumentError) {
    guard element.name == XMLName(ci, "conference-info") else { throw .unexpectedRoot(element.name.local) }
    self.init(entity: try element.required("entity"))
    state = try ElementState(of: element)
    if let text = element.attribute("version") {
      guard let number = UInt32(decimal: text) else { throw .invalid("version") }
      version = number
    }
    for child in element.children {
      switch (child.name.namespace, child.name.local) {
      case (ci, "conference-description"): description = try Description(element: child)
      case (ci, "host-info"): host = child
      case (ci, "conference-state"): conferenceState = try ConferenceState(element: child)
      case (ci, "users"): users = try Users(element: child)
      case (ci, "sidebars-by-ref"), (ci, "sidebars-by-val"): sidebars.append(child)
      case (msci, "conference-view"):
        for view in child.children where view.name == XMLName(msci, "entity-view") {
          views.append(try EntityView(element: view))
        }
      default: extensions.append(child)
      }
    }
  }

  public func encoded() -> [UInt8] { element.encoded() }

  public var element: XMLElement {
    var builder = ElementBuilder(ci, "conference-info")
    builder.attribute("entity", entity)
    if !entity.isEmpty || version != nil || state != .full { builder.attribute("state", state.rawValue) }
    builder.attribute("version", version.map { "\($0)" })
    builder.child(description?.element)
    builder.child(host)
    builder.child(conferenceState?.element)
    builder.child(users?.element)
    builder.children(sidebars)
    if !views.isEmpty { builder.child(XMLElement(XMLName(msci, "conference-view"), children: views.map(\.element))) }
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.ElementState {
  init(of element: XMLElement) throws(DocumentError) {
    guard let text = element.attribute("state") ?? element.attribute(XMLName(ci, "state")) else {
      self = .full
      return
    }
    guard let state = Self(rawValue: text) else { throw .invalid("state") }
    self = state
  }
}

extension ConferenceInfo.Description {
  init(element: XMLElement) throws(DocumentError) {
    for child in element.children {
      switch (child.name.namespace, child.name.local) {
      case (ci, "display-text"): displayText = child.text
      case (ci, "subject"): subject = child.text
      case (ci, "free-text"): freeText = child.text
      case (ci, "keywords"): keywords = child.text
      case (ci, "conf-uris"): conferenceURIs = try ConferenceInfo.URIEntry.list(child)
      case (ci, "service-uris"): serviceURIs = try ConferenceInfo.URIEntry.list(child)
      case (ci, "maximum-user-count"): maximumUserCount = try child.unsigned()
      case (ci, "available-media"): availableMedia = child
      case (msci, "conference-id"): conferenceID = child.trimmedText
      case (msci, "expiry-time"): expiryTime = child.trimmedText
      case (msci, "admission-policy"): admissionPolicy = child.trimmedText
      case (msci, "join-url"): joinURL = child.trimmedText
      default: extensions.append(child)
      }
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(ci, "conference-description")
    builder.child("display-text", displayText)
    builder.child("subject", subject)
    builder.child("free-text", freeText)
    builder.child("keywords", keywords)
    builder.child(ConferenceInfo.URIEntry.element("conf-uris", conferenceURIs))
    builder.child(ConferenceInfo.URIEntry.element("service-uris", serviceURIs))
    builder.child("maximum-user-count", maximumUserCount.map { "\($0)" })
    builder.child(availableMedia)
    builder.child("conference-id", conferenceID, namespace: msci)
    builder.child("expiry-time", expiryTime, namespace: msci)
    builder.child("admission-policy", admissionPolicy, namespace: msci)
    builder.child("join-url", joinURL, namespace: msci)
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.URIEntry {
  static func list(_ element: XMLElement) throws(DocumentError) -> [Self] {
    var entries: [Self] = []
    for entry in element.children(XMLName(ci, "entry")) {
      guard let uri = entry.child("uri")?.trimmedText else { throw .missing("uri") }
      entries.append(
        Self(uri: uri, displayText: entry.child("display-text")?.text, purpose: entry.child("purpose")?.trimmedText))
    }
    return entries
  }

  static func element(_ local: String, _ entries: [Self]) -> XMLElement? {
    if entries.isEmpty { return nil }
    return XMLElement(
      XMLName(ci, local),
      children: entries.map { entry in
        var builder = ElementBuilder(ci, "entry")
        builder.child("uri", entry.uri)
        builder.child("display-text", entry.displayText)
        builder.child("purpose", entry.purpose)
        return builder.element
      })
  }
}

extension ConferenceInfo.ConferenceState {
  init(element: XMLElement) throws(DocumentError) {
    for child in element.children {
      switch (child.name.namespace, child.name.local) {
      case (ci, "user-count"): userCount = try child.unsigned()
      case (ci, "active"): active = try child.boolean()
      case (ci, "locked"): locked = try child.boolean()
      default: extensions.append(child)
      }
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(ci, "conference-state")
    builder.child("user-count", userCount.map { "\($0)" })
    builder.child("active", active.map { "\($0)" })
    builder.child("locked", locked.map { "\($0)" })
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.Users {
  init(element: XMLElement) throws(DocumentError) {
    state = try ConferenceInfo.ElementState(of: element)
    users = []
    var seen = Set<String>()
    for child in element.children(XMLName(ci, "user")) {
      let user = try ConferenceInfo.User(element: child)
      guard seen.insert(user.entity).inserted else { throw .invalid("user") }
      users.append(user)
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(ci, "users")
    builder.attribute("state", state.rawValue)
    builder.children(users.map(\.element))
    return builder.element
  }
}
