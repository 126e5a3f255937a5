//  FormatParameters.swift: the parameters of one format (`a=fmtp`, RFC 8866 §6.15).

/// `name=value` pairs; garbage among them is skipped, since only known names are ever asked for.
public struct FormatParameters: Hashable, Sendable {
  /// All after the format, as it came.
  public var text: String

  public init(text: String) { self.text = text }

  /// The value of a parameter, its name compared without case; the first one counts.
  public func value(_ name: String) -> Substring? {
    for part in text.split(separator: ";", maxSplits: 63) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2, Self.trim(pair[0]).lowercased() == name else { continue }
      return Self.trim(pair[1])
    }
    return nil
  }

  /// A number clamped into a range; `nil` when absent or not a number.
  public func number(_ name: String, in range: ClosedRange<UInt32>) -> UInt32? {
    value(name).flatMap { UInt64(digits: $0) }.map {
      UInt32(min(max($0, UInt64(range.lowerBound)), UInt64(range.upperBound)))
    }
  }

  /// `name=1`.
  public func flag(_ name: String) -> Bool { value(name) == "1" }

  private static func trim(_ text: Substring) -> Substring {
    var text = text
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
  }
}
