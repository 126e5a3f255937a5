//  SIPURI.swift: sip, sips and tel URIs, and others as opaque text (RFC 3261 §19.1, RFC 3966).

/// A URI as SIP uses it. Parts are held as written, escapes included; `user` is the unescaped view.
public struct SIPURI: Hashable, Sendable {
  public enum Scheme: Hashable, Sendable {
    case sip, sips, tel
    /// Lower case. Answer 416 where it is a Request-URI (RFC 3261 §8.2.2.1).
    case other(String)
  }

  public var scheme: Scheme
  /// As written: `I%20have%20spaces`. For `tel` the number.
  public var escapedUser: String?
  public var password: String?
  /// A name, an IPv4 address or an IPv6 address in brackets. Empty for `tel` and others.
  public var host: String
  public var port: UInt16?
  public var parameters: SIPParameters
  /// What follows `?`, names and values as written.
  public var headers: SIPParameters
  /// What follows the colon of a scheme that is not known here.
  public var opaque: String

  /// A sip or sips URI of which the user part may be any text.
  public init(
    scheme: Scheme = .sip, user: String? = nil, host: String, port: UInt16? = nil,
    parameters: SIPParameters = SIPParameters()
  ) {
    self.scheme = scheme
    self.escapedUser = user.map { Self.escaped($0, ASCII.user) }
    self.password = nil
    self.host = host
    self.port = port
    self.parameters = parameters
    self.headers = SIPParameters()
    self.opaque = ""
  }

  /// - Throws: `.malformedURI`.
  public init(_ text: some StringProtocol) throws(SIPParseError) {
    let bytes = Array(text.utf8)
    try self.init(bytes, 0..<bytes.count)
  }

  /// The user part without escapes; may hold any character, NUL too. Setting it escapes.
  public var user: String? {
    get { escapedUser.map(Self.unescaped) }
    set { escapedUser = newValue.map { Self.escaped($0, ASCII.user) } }
  }
  /// The `transport` parameter; `nil` when it is absent or unknown.
  public var transport: SIPTransport? { parameters["transport"].flatMap { SIPTransport($0) } }
  /// The `lr` parameter (RFC 3261 §16.12.1.1).
  public var isLooseRouter: Bool { parameters.contains("lr") }
  public var isSIP: Bool { scheme == .sip || scheme == .sips }

  public var text: String {
    var text = scheme.name + ":"
    if case .other = scheme { return text + opaque }
    if let escapedUser {
      text += escapedUser
      if let password { text += ":" + password }
      if scheme != .tel { text += "@" }
    }
    text += host
    if let port { text += ":\(port)" }
    for parameter in parameters.list {
      text += ";" + parameter.name
      if let value = parameter.value { text += "=" + value }
    }
    var separator = "?"
    for header in headers.list {
      text += separator + header.name + "=" + (header.value ?? "")
      separator = "&"
    }
    return text
  }
}

extension SIPURI: CustomStringConvertible {
  public var description: String { text }
}

extension SIPURI.Scheme {
  public var name: String {
    switch self {
    case .sip: "sip"
    case .sips: "sips"
    case .tel: "tel"
    case .other(let name): name
    }
  }
}

// MARK: Escapes

extension SIPURI {
  /// `text` without its `%HH`; a `%` that no two digits follow stays.
  public static func unescaped(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = ASCII.hexadecimal(bytes[index + 1]),
        let low = ASCII.hexadecimal(bytes[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  static func escaped(_ text: String, _ allowed: ASCII.Class) -> String {
    guard !text.utf8.allSatisfy(allowed.contains) else { return text }
    let digits = Array("0123456789ABCDEF".utf8)
    var result: [UInt8] = []
    for byte in text.utf8 {
      if allowed.contains(byte) {
        result.append(byte)
      } else {
        result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
