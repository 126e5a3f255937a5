//  SIPParseError.swift: what can be wrong with a SIP message, and the status that says so to its sender.

/// Why a message, a URI or a field was refused.
public enum SIPParseError: Error, Hashable, Sendable {
  // The message cannot be indexed, so it cannot be answered: `SIPMessage.init` throws these.
  /// Nothing but line ends or zeros: a keep-alive.
  case empty
  /// The start line is neither a request's nor a response's.
  case malformedStartLine
  /// The bytes end before the empty line after the header fields.
  case truncated
  /// Over `SIPLimits.messageBytes`.
  case messageTooLarge
  /// Over `SIPLimits.lineBytes`.
  case lineTooLong
  /// Over `SIPLimits.headerFields`.
  case tooManyHeaders

  // The message is indexed and can be answered: `validate` and the fields throw these.
  /// Not SIP/2.0.
  case unsupportedVersion
  /// A header field without a colon, with an illegal name, or with a bare CR or LF.
  case malformedHeaderLine
  /// The Request-URI, or a URI given as text.
  case malformedURI
  case missing(SIPHeaderName)
  /// A header of which there can be only one.
  case duplicate(SIPHeaderName)
  case malformed(SIPHeaderName)
  /// Over `SIPLimits.listEntries`.
  case tooManyValues(SIPHeaderName)
  /// Several Content-Length fields that do not agree.
  case conflictingContentLength
  /// Content-Length is larger than what follows the header fields.
  case bodyTooShort
  /// Content-Length makes the message larger than `SIPLimits.messageBytes`.
  case bodyTooLarge
  /// The request line's method is not the one of CSeq.
  case methodMismatch
}

extension SIPParseError {
  /// The response that a request with this fault gets (RFC 3261 §21.4.1, §21.5.6).
  public var status: Int {
    switch self {
    case .unsupportedVersion: 505
    case .messageTooLarge, .lineTooLong, .tooManyHeaders: 513
    case .bodyTooLarge: 413
    default: 400
    }
  }

  /// A reason phrase that names the fault and quotes nothing of the message.
  public var reason: String {
    switch self {
    case .empty: "Empty Message"
    case .malformedStartLine: "Bad Start Line"
    case .truncated: "Message Cut Short"
    case .messageTooLarge: "Message Too Large"
    case .lineTooLong: "Header Line Too Long"
    case .tooManyHeaders: "Too Many Headers"
    case .unsupportedVersion: "Version Not Supported"
    case .malformedHeaderLine: "Bad Header Line"
    case .malformedURI: "Bad Request-URI"
    case .missing(let name): "Missing \(name.name) Header"
    case .duplicate(let name): "More Than One \(name.name) Header"
    case .malformed(let name): "Bad \(name.name) Header"
    case .tooManyValues(let name): "Too Many \(name.name) Values"
    case .conflictingContentLength: "Conflicting Content-Length Headers"
    case .bodyTooShort: "Body Shorter Than Content-Length"
    case .bodyTooLarge: "Request Entity Too Large"
    case .methodMismatch: "CSeq Names Another Method"
    }
  }
}
