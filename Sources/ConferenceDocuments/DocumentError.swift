//  DocumentError.swift: why a body is not the document it should be.

/// The one error of this module. A SIP request with such a body gets `status`; nothing else follows from it.
public enum DocumentError: Error, Hashable, Sendable {
  /// Longer than the limit; refused before anything is read.
  case tooLong
  /// More elements, attributes, text, depth or parts than the limits allow.
  case tooComplex
  /// Neither UTF-8 nor its ASCII subset.
  case badEncoding
  /// A document type declaration: entities and external subsets are never wanted (RFC 3470 §4.7).
  case doctype
  /// Not well-formed XML, or not well-formed multipart.
  case malformed
  /// Well-formed, but with another root element.
  case unexpectedRoot(String)
  /// A mandatory element or attribute is not there.
  case missing(String)
  /// A value that its type does not allow, or a key that occurs twice.
  case invalid(String)

  /// The response to a SIP request that carries it.
  public var status: Int { self == .tooLong ? 413 : 400 }

  /// For a reason phrase or a log line: one line of ASCII that repeats nothing from the network but names.
  public var text: String {
    switch self {
    case .tooLong: "document is too long"
    case .tooComplex: "document is too complex"
    case .badEncoding: "document is not UTF-8"
    case .doctype: "document type declarations are refused"
    case .malformed: "document is malformed"
    case .unexpectedRoot: "document has an unexpected root element"
    case .missing(let what): "document lacks \(what)"
    case .invalid(let what): "document has an invalid \(what)"
    }
  }
}
