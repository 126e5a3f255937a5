//  FieldReader.swift: reads the inside of one header value or URI, in place (RFC 3261 §25.1).

/// A position in a value. Folded lines are white space here, so no value is copied to be unfolded.
///
/// Every read is bounded by `end`; nothing here can trap on hostile input.
struct FieldReader {
  let bytes: [UInt8]
  private(set) var position: Int
  let end: Int

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    end = min(max(range.upperBound, 0), bytes.count)
    position = min(max(range.lowerBound, 0), end)
  }
  init(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    self.init(bytes, 0..<bytes.count)
  }

  var isAtEnd: Bool { position >= end }
  var peek: UInt8? { position < end ? bytes[position] : nil }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 || byte == 10 }

  mutating func skipSpace() {
    while position < end, Self.isSpace(bytes[position]) { position += 1 }
  }
  /// Skips white space, then `byte` if it is there.
  mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    position += 1
    return true
  }
  mutating func takeWhile(_ accept: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    let start = position
    while position < end, accept(bytes[position]) { position += 1 }
    return bytes[start..<position]
  }
  /// A token after white space; empty when there is none.
  mutating func token() -> ArraySlice<UInt8> {
    skipSpace()
    return takeWhile(ASCII.token.contains)
  }
  mutating func advance() {
    if position < end { position += 1 }
  }

  /// A quoted string, at whose opening quote the reader stands; the text without quotes and escapes.
  /// - Returns: `nil` when the closing quote is missing.
  mutating func quotedString() -> String? {
    guard peek == UInt8(ascii: "\"") else { return nil }
    position += 1
    var text: [UInt8] = []
    while position < end {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard position < end else { return nil }
        text.append(bytes[position])
        position += 1
      case 13, 10:
        skipSpace()
        if text.last != 32 { text.append(32) }
      default: text.append(byte)
      }
    }
    return nil
  }

  /// The index of the first byte from here on that `isWanted`, not inside a quoted string; `end` when there is none.
  func firstUnquoted(_ isWanted: (UInt8) -> Bool) -> Int {
    var index = position
    var isQuoted = false
    while index < end {
      let byte = bytes[index]
      if isQuoted {
        if byte == UInt8(ascii: "\\") { index += 1 } else if byte == UInt8(ascii: "\"") { isQuoted = false }
      } else if isWanted(byte) {
        return index
      } else if byte == UInt8(ascii: "\"") {
        isQuoted = true
      }
      index += 1
    }
    return end
  }

  /// Moves to `index`, which lies between here and the end.
  mutating func move(to index: Int) { position = min(max(index, position), end) }

  /// The text of a range with its white space at both ends removed and each fold made one space.
  static func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
    var reader = FieldReader(bytes, range)
    reader.skipSpace()
    var last = reader.end
    while last > reader.position, isSpace(bytes[last - 1]) { last -= 1 }
    let slice = bytes[reader.position..<last]
    guard slice.contains(where: { $0 == 13 || $0 == 10 }) else { return String(decoding: slice, as: UTF8.self) }
    var text: [UInt8] = []
    text.reserveCapacity(slice.count)
    var isFold = false
    for byte in slice {
      if byte == 13 || byte == 10 {
        isFold = true
      } else if isFold, isSpace(byte) {
        continue
      } else {
        if isFold, text.last != 32 { text.append(32) }
        isFold = false
        text.append(byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
