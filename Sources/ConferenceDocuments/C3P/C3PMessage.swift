//  C3PMessage.swift: a C3P body of either kind.

/// What an `application/cccp+xml` body holds.
public enum C3PMessage: Hashable, Sendable {
  case request(C3PRequest)
  case response(C3PResponse)

  /// - Throws: whatever is wrong gets a SIP 400 without C3P; only an unknown command is none of these errors,
  ///   but `C3PCommand.unknown`.
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    let root = try XMLElement(parsing: bytes, limits: limits)
    switch root.name {
    case XMLName(XMLNamespace.cccp, "request"): self = .request(try C3PRequest(element: root))
    case XMLName(XMLNamespace.cccp, "response"): self = .response(try C3PResponse(element: root))
    default: throw .unexpectedRoot(root.name.local)
    }
  }
}

/// What request and response have in common.
struct C3PEnvelope {
  var requestID: UInt64
  var from: String
  var to: String
  /// The one child.
  var content: XMLElement

  init(_ element: XMLElement, name: String) throws(DocumentError) {
    guard element.name == XMLName(XMLNamespace.cccp, name) else { throw .unexpectedRoot(element.name.local) }
    guard let number = UInt64(decimal: try element.required("requestId")) else { throw .invalid("requestId") }
    requestID = number
    from = try element.required("from")
    to = try element.required("to")
    let candidates = element.children.filter { $0.name.namespace == XMLNamespace.cccp }
    guard let first = candidates.first ?? element.children.first else { throw .missing("command") }
    guard candidates.count <= 1 else { throw .invalid("command") }
    content = first
  }

  static func builder(_ name: String, requestID: UInt64, from: String, to: String) -> ElementBuilder {
    var builder = ElementBuilder(XMLNamespace.cccp, name)
    if name == "request" { builder.attribute("C3PVersion", "1") }
    builder.attribute("requestId", "\(requestID)")
    builder.attribute("from", from)
    builder.attribute("to", to)
    return builder
  }
}
