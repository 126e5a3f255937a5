//  SDPError.swift: why bytes are not a session description.

/// A body that is refused before any negotiation; a SIP request that carries it gets 400.
public enum SDPError: Error, Hashable, Sendable {
  case tooLong
  case lineTooLong(line: Int)
  case tooManyMediaDescriptions
  case tooManyAttributes
  case tooManyFormats
  case tooManyLines
  /// Line numbers count from 1.
  case badLine(line: Int)
  /// `v=` other than 0, or absent.
  case badVersion
  /// A mandatory line is missing: its letter.
  case missing(Character)

  /// For a reason phrase or a log line.
  public var text: String {
    switch self {
    case .tooLong: "session description is too long"
    case .lineTooLong(let line): "line \(line) of the session description is too long"
    case .tooManyMediaDescriptions: "too many media descriptions"
    case .tooManyAttributes: "too many attributes"
    case .tooManyFormats: "too many formats in a media description"
    case .tooManyLines: "too many lines in the session description"
    case .badLine(let line): "line \(line) of the session description is malformed"
    case .badVersion: "session description version is not 0"
    case .missing(let letter): "session description lacks \(letter)="
    }
  }
}
