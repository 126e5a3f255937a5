//  NumberText.swift: decimal numbers from the network, which must not trap nor be read leniently.

extension UInt8 {
  var isDecimalDigit: Bool { self >= 48 && self <= 57 }
}

extension FixedWidthInteger {
  /// - Returns: `nil` unless the text is 1–20 decimal digits that fit; no sign, no space.
  init?(digits text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.count <= 20, text.utf8.allSatisfy(\.isDecimalDigit), let value = Self(text) else {
      return nil
    }
    self = value
  }
}
