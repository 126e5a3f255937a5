//  SIPURI+Parsing.swift: reads a URI from a range of bytes (RFC 3261 §25.1, RFC 3966 §3).

extension SIPURI {
  /// - Throws: `.malformedURI` unless the whole range is one URI.
  init(_ bytes: [UInt8], _ range: Range<Int>) throws(SIPParseError) {
    var reader = FieldReader(bytes, range)
    guard let parsed = Self.parsed(&reader), reader.isAtEnd else { throw .malformedURI }
    self = parsed
  }

  private static func parsed(_ reader: inout FieldReader) -> SIPURI? {
    let scheme = reader.takeWhile { ASCII.token.contains($0) }
    guard let first = scheme.first, !ASCII.isDigit(first), reader.peek == UInt8(ascii: ":") else { return nil }
    reader.advance()
    var uri = SIPURI(host: "")
    switch ASCII.lowercased(String(decoding: scheme, as: UTF8.self)) {
    case "sip": uri.scheme = .sip
    case "sips": uri.scheme = .sips
    case "tel": uri.scheme = .tel
    case let name: uri.scheme = .other(name)
    }
    switch uri.scheme {
    case .sip, .sips:
      guard uri.readUserInfo(&reader), uri.readHostAndPort(&reader) else { return nil }
    case .tel:
      let number = reader.takeWhile { ASCII.isDigit($0) || ASCII.hexadecimal($0) != nil || "+-.()*#".utf8.contains($0) }
      guard !number.isEmpty else { return nil }
      uri.escapedUser = String(decoding: number, as: UTF8.self)
    case .other:
      let rest = reader.takeWhile(ASCII.uri.contains)
      guard !rest.isEmpty else { return nil }
      uri.opaque = String(decoding: rest, as: UTF8.self)
      return uri
    }
    guard let parameters = readParameters(&reader) else { return nil }
    uri.parameters = parameters
    guard uri.scheme != .tel, reader.peek == UInt8(ascii: "?") else { return uri }
    guard let headers = readHeaders(&reader) else { return nil }
    uri.headers = headers
    return uri
  }

  /// The part before `@`, which neither a host nor anything after it may hold unescaped.
  private mutating func readUserInfo(_ reader: inout FieldReader) -> Bool {
    var ahead = reader
    _ = ahead.takeWhile { $0 != UInt8(ascii: "@") }
    guard !ahead.isAtEnd else { return true }
    guard let user = Self.readEscaped(&reader, ASCII.user), !user.isEmpty else { return false }
    escapedUser = user
    if reader.peek == UInt8(ascii: ":") {
      reader.advance()
      guard let password = Self.readEscaped(&reader, ASCII.password) else { return false }
      self.password = password
    }
    guard reader.peek == UInt8(ascii: "@") else { return false }
    reader.advance()
    return true
  }

  private mutating func readHostAndPort(_ reader: inout FieldReader) -> Bool {
    guard let host = Self.readHost(&reader) else { return false }
    self.host = host
    guard reader.peek == UInt8(ascii: ":") else { return true }
    reader.advance()
    guard let port = ASCII.number(reader.takeWhile(ASCII.isDigit), maximum: 65_535) else { return false }
    self.port = UInt16(port)
    return true
  }

  /// A name, an IPv4 address, or an IPv6 address in its brackets.
  static func readHost(_ reader: inout FieldReader) -> String? {
    guard reader.peek == UInt8(ascii: "[") else {
      let name = reader.takeWhile { ASCII.host.contains($0) || $0 == UInt8(ascii: "_") }
      return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }
    reader.advance()
    let address = reader.takeWhile {
      ASCII.hexadecimal($0) != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
    }
    guard !address.isEmpty, reader.peek == UInt8(ascii: "]") else { return nil }
    reader.advance()
    return "[" + String(decoding: address, as: UTF8.self) + "]"
  }

  private static func readParameters(_ reader: inout FieldReader) -> SIPParameters? {
    var list: [SIPParameters.Parameter] = []
    while reader.peek == UInt8(ascii: ";") {
      reader.advance()
      guard let name = readEscaped(&reader, ASCII.parameter), !name.isEmpty, list.count < SIPLimits.parameters else {
        return nil
      }
      var parameter = SIPParameters.Parameter(name)
      if reader.peek == UInt8(ascii: "=") {
        reader.advance()
        guard let value = readEscaped(&reader, ASCII.parameter), !value.isEmpty else { return nil }
        parameter.value = value
      }
      list.append(parameter)
    }
    return SIPParameters(list)
  }

  private static func readHeaders(_ reader: inout FieldReader) -> SIPParameters? {
    var list: [SIPParameters.Parameter] = []
    repeat {
      reader.advance()
      guard let name = readEscaped(&reader, ASCII.header), !name.isEmpty, reader.peek == UInt8(ascii: "="),
        list.count < SIPLimits.parameters
      else { return nil }
      reader.advance()
      guard let value = readEscaped(&reader, ASCII.header) else { return nil }
      list.append(SIPParameters.Parameter(name, value))
    } while reader.peek == UInt8(ascii: "&")
    return SIPParameters(list)
  }

  /// The longest run of allowed characters and `%HH`, as written; `nil` for a `%` without its two digits.
  private static func readEscaped(_ reader: inout FieldReader, _ allowed: ASCII.Class) -> String? {
    let start = reader.position
    while let byte = reader.peek {
      if allowed.contains(byte) {
        reader.advance()
      } else if byte == UInt8(ascii: "%") {
        reader.advance()
        for _ in 0..<2 {
          guard let digit = reader.peek, ASCII.hexadecimal(digit) != nil else { return nil }
          reader.advance()
        }
      } else {
        break
      }
    }
    return String(decoding: reader.bytes[start..<reader.position], as: UTF8.self)
  }
}
