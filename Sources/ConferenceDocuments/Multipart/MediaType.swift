//  MediaType.swift: a Content-Type with its parameters (RFC 2045 §5.1, RFC 3261 §25.1).

/// `type/subtype; name=value`. Type, subtype and parameter names are in lower case.
public struct MediaType: Hashable, Sendable {
  public var type: String
  public var subtype: String
  public var parameters: [String: String] = [:]

  public var essence: String { "\(type)/\(subtype)" }

  /// - Returns: `nil` unless there is a type and a subtype; garbage among the parameters ends them.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8.prefix(1_024))
    let end = bytes.firstIndex(of: UInt8(ascii: ";")) ?? bytes.endIndex
    let names = bytes[..<end].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .map { Self.trimmed($0).lowercased() }
    guard names.count == 2, !names[0].isEmpty, !names[1].isEmpty else { return nil }
    type = names[0]
    subtype = names[1]
    var rest = bytes[end...]
    while rest.first == UInt8(ascii: ";"), parameters.count < 16 {
      rest = rest.dropFirst()
      guard let equals = rest.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ";") }),
        rest[equals] == UInt8(ascii: "=")
      else { break }
      let name = Self.trimmed(rest[..<equals]).lowercased()
      let value = Self.value(&rest, from: equals + 1)
      if parameters[name] == nil { parameters[name] = value }
    }
  }

  /// A token or a quoted string; leaves `rest` at the next semicolon or the end.
  private static func value(_ rest: inout ArraySlice<UInt8>, from start: Int) -> String {
    rest = rest[start...].drop { $0 == 32 || $0 == 9 }
    guard rest.first == UInt8(ascii: "\"") else {
      let token = rest.prefix { $0 != UInt8(ascii: ";") }
      rest = rest[token.endIndex...]
      return trimmed(token)
    }
    rest = rest.dropFirst()
    var value: [UInt8] = []
    while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
      if byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
        value.append(escaped)
      } else {
        value.append(byte)
      }
    }
    rest = rest.drop { $0 != UInt8(ascii: ";") }
    return String(decoding: value, as: UTF8.self)
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
    var bytes = bytes
    while let first = bytes.first, first.isXMLSpace { bytes.removeFirst() }
    while let last = bytes.last, last.isXMLSpace { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
