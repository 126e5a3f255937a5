//  ConferenceName.swift: the user part of a conference URI, checked (RFC 3261 §25.1).

/// What tells one conference of this system from another: the user part of `sip:NAME@DOMAIN`, 1 to 64 characters of
/// `unreserved` (letters, digits, `-_.!~*'()`), compared byte for byte.
public struct ConferenceName: Hashable, Sendable, CustomStringConvertible {
  public let text: String

  public var description: String { text }

  /// - Parameter user: as written in the URI; `%HH` is resolved (RFC 3261 §19.1.4: an escaped character equals itself).
  /// - Returns: `nil` unless 1 to `Limits.conferenceNameLength` unreserved characters remain.
  public init?(user: some StringProtocol) {
    guard user.utf8.count <= 3 * Limits.conferenceNameLength else { return nil }
    var characters: [UInt8] = []
    var rest = Array(user.utf8)[...]
    while let character = rest.popFirst() {
      guard character == UInt8(ascii: "%") else {
        characters.append(character)
        continue
      }
      guard let high = rest.popFirst().flatMap(Self.hexadecimal), let low = rest.popFirst().flatMap(Self.hexadecimal)
      else { return nil }
      characters.append(high << 4 | low)
    }
    guard (1...Limits.conferenceNameLength).contains(characters.count), characters.allSatisfy(Self.isUnreserved)
    else { return nil }
    text = String(decoding: characters, as: UTF8.self)
  }

  private static func hexadecimal(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// `unreserved` of RFC 3261 §25.1.
  static func isUnreserved(_ character: UInt8) -> Bool {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "~"),
      UInt8(ascii: "*"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"):
      true
    default: false
    }
  }
}
