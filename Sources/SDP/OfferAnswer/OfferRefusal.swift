//  OfferRefusal.swift: why a description cannot be accepted, in SIP's terms (RFC 3261 §20.43, §21.4.26).

/// A refusal: the status of the response, and what its Warning header says.
public struct OfferRefusal: Error, Hashable, Sendable {
  /// 400 for a description that cannot be read, 488 for one that is not acceptable here.
  public var status: Int
  public var code: WarningCode
  /// One line of plain ASCII, without quotation marks or backslashes.
  public var text: String

  /// The warn-codes of RFC 3261 §20.43 that are of use here.
  public enum WarningCode: Int, Sendable {
    case incompatibleNetworkProtocol = 300
    case incompatibleNetworkAddressFormat = 301
    case incompatibleTransportProtocol = 302
    case mediaTypeNotAvailable = 304
    case incompatibleMediaFormat = 305
    case attributeNotUnderstood = 306
    case sessionParameterNotUnderstood = 307
    case multicastNotAvailable = 330
    case miscellaneous = 399
  }

  public init(status: Int = 488, _ code: WarningCode, _ text: String) {
    self.status = status
    self.code = code
    self.text = text
  }

  public init(_ error: SDPError) {
    self.init(status: 400, .miscellaneous, error.text)
  }

  /// The value of a Warning header field.
  ///
  /// - Parameter agent: our host name or address, as `warn-agent`.
  public func warning(agent: String) -> String { "\(code.rawValue) \(agent) \"\(text)\"" }

  /// 400 Bad Request or 488 Not Acceptable Here.
  public var reasonPhrase: String { status == 400 ? "Bad Session Description" : "Not Acceptable Here" }
}
