//  ConferenceInfo+UserXML.swift: user, endpoint and media, read and written (RFC 4575 §5.6–5.8).

private let ci = XMLNamespace.conferenceInfo
private let msci = XMLNamespace.conferenceInfoExtensions

extension ConferenceInfo.User {
  /// Reads a `user`, which may stand inside a C3P request.
  public init(element: XMLElement) throws(DocumentError) {
    self.init(entity: try element.required("entity"))
    state = try ConferenceInfo.ElementState(of: element)
    var seen = Set<String>()
    for child in element.children {
      switch (child.name.namespace, child.name.local) {
      case (ci, "display-text"): displayText = child.text
      case (ci, "associated-aors"): associatedAORs = try ConferenceInfo.URIEntry.list(child)
      case (ci, "roles"): roles = child.children(XMLName(ci, "entry")).compactMap(\.trimmedText)
      case (ci, "languages"): languages = child.trimmedText
      case (ci, "cascaded-focus"): cascadedFocus = child.trimmedText
      case (ci, "endpoint"):
        let endpoint = try ConferenceInfo.Endpoint(element: child)
        guard seen.insert(endpoint.entity).inserted else { throw .invalid("endpoint") }
        endpoints.append(endpoint)
      default: extensions.append(child)
      }
    }
  }

  public var element: XMLElement {
    var builder = ElementBuilder(ci, "user")
    builder.attribute("entity", entity)
    builder.attribute("state", state.rawValue)
    builder.child("display-text", displayText)
    builder.child(ConferenceInfo.URIEntry.element("associated-aors", associatedAORs))
    if !roles.isEmpty {
      builder.child(XMLElement(XMLName(ci, "roles"), children: roles.map { XMLElement(ci, "entry", text: $0) }))
    }
    builder.child("languages", languages)
    builder.child("cascaded-focus", cascadedFocus)
    builder.children(endpoints.map(\.element))
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.Endpoint {
  init(element: XMLElement) throws(DocumentError) {
    self.init(entity: try element.required("entity"))
    state = try ConferenceInfo.ElementState(of: element)
    sessionType = element.anyAttribute("session-type")
    uri = element.anyAttribute("endpoint-uri")
    var seen = Set<String>()
    for child in element.children {
      switch (child.name.namespace, child.name.local) {
      case (ci, "display-text"): displayText = child.text
      case (ci, "referred"): referred = ConferenceInfo.ExecutionInfo(element: child)
      case (ci, "status"): status = child.trimmedText.flatMap { .init(rawValue: $0) }
      case (ci, "joining-method"): joiningMethod = child.trimmedText.flatMap { .init(rawValue: $0) }
      case (ci, "joining-info"): joiningInfo = ConferenceInfo.ExecutionInfo(element: child)
      case (ci, "disconnection-method"): disconnectionMethod = child.trimmedText.flatMap { .init(rawValue: $0) }
      case (ci, "disconnection-info"): disconnectionInfo = ConferenceInfo.ExecutionInfo(element: child)
      case (ci, "media"):
        let medium = try ConferenceInfo.Media(element: child)
        guard seen.insert(medium.id).inserted else { throw .invalid("media") }
        media.append(medium)
      case (ci, "call-info"): call = ConferenceInfo.CallInfo(element: child)
      case (XMLNamespace.parley, "digits"): digits = child.text
      default: extensions.append(child)
      }
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(ci, "endpoint")
    builder.attribute("entity", entity)
    builder.attribute("state", state.rawValue)
    builder.attribute("session-type", sessionType, namespace: msci)
    builder.attribute("endpoint-uri", uri, namespace: msci)
    builder.child("display-text", displayText)
    builder.child(referred?.element("referred"))
    builder.child("status", status?.rawValue)
    builder.child("joining-method", joiningMethod?.rawValue)
    builder.child(joiningInfo?.element("joining-info"))
    builder.child("disconnection-method", disconnectionMethod?.rawValue)
    builder.child(disconnectionInfo?.element("disconnection-info"))
    builder.children(media.map(\.element))
    builder.child(call?.element)
    builder.child("digits", digits, namespace: XMLNamespace.parley)
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.Media {
  init(element: XMLElement) throws(DocumentError) {
    self.init(id: try element.required("id"))
    for child in element.children {
      switch (child.name.namespace, child.name.local) {
      case (ci, "display-text"): displayText = child.text
      case (ci, "type"): type = child.trimmedText
      case (ci, "label"): label = child.trimmedText
      case (ci, "src-id"): sourceID = child.trimmedText.flatMap { UInt32(decimal: $0) }
      case (ci, "status"): status = child.trimmedText.flatMap { .init(rawValue: $0) }
      case (msci, "media-ingress-filter"): ingressFilter = try Self.filter(child)
      case (msci, "media-egress-filter"): egressFilter = try Self.filter(child)
      default: extensions.append(child)
      }
    }
  }

  /// A filter is a command as well as a state, so an unknown word must not pass as "no filter".
  private static func filter(_ element: XMLElement) throws(DocumentError) -> ConferenceInfo.MediaFilter {
    guard let filter = element.trimmedText.flatMap({ ConferenceInfo.MediaFilter(rawValue: $0) }) else {
      throw .invalid(element.name.local)
    }
    return filter
  }

  var element: XMLElement {
    var builder = ElementBuilder(ci, "media")
    builder.attribute("id", id)
    builder.child("display-text", displayText)
    builder.child("type", type)
    builder.child("label", label)
    builder.child("src-id", sourceID.map { "\($0)" })
    builder.child("status", status?.rawValue)
    builder.child("media-ingress-filter", ingressFilter?.rawValue, namespace: msci)
    builder.child("media-egress-filter", egressFilter?.rawValue, namespace: msci)
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.ExecutionInfo {
  init(element: XMLElement) {
    when = element.child("when")?.trimmedText
    reason = element.child("reason")?.text
    by = element.child("by")?.trimmedText
  }

  func element(_ local: String) -> XMLElement {
    var builder = ElementBuilder(ci, local)
    builder.child("when", when)
    builder.child("reason", reason)
    builder.child("by", by)
    return builder.element
  }
}

extension ConferenceInfo.CallInfo {
  /// - Returns: `nil` unless it is a complete SIP dialog.
  init?(element: XMLElement) {
    guard let sip = element.child("sip"), let callID = sip.child("call-id")?.trimmedText,
      let fromTag = sip.child("from-tag")?.trimmedText, let toTag = sip.child("to-tag")?.trimmedText
    else { return nil }
    self.init(callID: callID, fromTag: fromTag, toTag: toTag)
    displayText = sip.child("display-text")?.text
  }

  var element: XMLElement {
    var builder = ElementBuilder(ci, "sip")
    builder.child("display-text", displayText)
    builder.child("call-id", callID)
    builder.child("from-tag", fromTag)
    builder.child("to-tag", toTag)
    return XMLElement(XMLName(ci, "call-info"), children: [builder.element])
  }
}
