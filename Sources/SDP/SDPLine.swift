//  SDPLine.swift: one line that is kept but not interpreted.

/// A line `letter=value` other than those with a property of their own (`i=`, `b=`, `k=`, `u=`, `r=` …).
public struct SDPLine: Hashable, Sendable {
  public var letter: Character
  public var value: String

  public init(_ letter: Character, _ value: String) {
    self.letter = letter
    self.value = value
  }
}
