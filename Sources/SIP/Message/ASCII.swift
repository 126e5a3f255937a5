//  ASCII.swift: the character classes of SIP's grammar (RFC 3261 §25.1).
import Primitives

/// Character classes as bit sets, so that a test is one shift and one mask.
enum ASCII {
  struct Class: Sendable {
    /// One bit for each byte below 128; letters and digits are in every class here.
    let low: UInt64
    let high: UInt64

    @inline(__always) func contains(_ byte: UInt8) -> Bool {
      byte < 128 && (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 != 0
    }
  }

  // Literals, so that no test waits for a global's initialisation. Each is letters, digits and the characters named.
  /// ``-.!%*_+`'~``
  static var token: Class { Class(low: 0x03ff_6ca2_0000_0000, high: 0x47ff_ffff_87ff_fffe) }
  /// What a user part may hold unescaped; `%` introduces an escape.
  /// `-_.!~*'()&=+$,;?/`
  static var user: Class { Class(low: 0xabff_ffd2_0000_0000, high: 0x47ff_fffe_87ff_fffe) }
  /// `-_.!~*'()&=+$,`
  static var password: Class { Class(low: 0x23ff_7fd2_0000_0000, high: 0x47ff_fffe_87ff_fffe) }
  /// What a URI parameter may hold unescaped.
  /// `-_.!~*'()[]/:&+$`
  static var parameter: Class { Class(low: 0x07ff_efd2_0000_0000, high: 0x47ff_fffe_afff_fffe) }
  /// What a URI header may hold unescaped.
  /// `-_.!~*'()[]/?:+$`
  static var header: Class { Class(low: 0x87ff_ef92_0000_0000, high: 0x47ff_fffe_afff_fffe) }
  /// `-_.!~*'()`
  static var unreserved: Class { Class(low: 0x03ff_6782_0000_0000, high: 0x47ff_fffe_87ff_fffe) }
  /// `-.`
  static var host: Class { Class(low: 0x03ff_6000_0000_0000, high: 0x07ff_fffe_07ff_fffe) }
  /// What follows the scheme of a URI that is not SIP's own (RFC 3986 §2).
  /// `-_.!~*'()[]/?:@&=+$,;%#`
  static var uri: Class { Class(low: 0xafff_fffa_0000_0000, high: 0x47ff_fffe_afff_ffff) }

  @inline(__always) static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 65 < 26 ? byte | 0x20 : byte
  }
  @inline(__always) static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

  static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte &- 48
    case 65...70: byte &- 55
    case 97...102: byte &- 87
    default: nil
    }
  }

  static func equalIgnoringCase(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
    left.elementsEqual(right) { lowercased($0) == lowercased($1) }
  }
  static func equalIgnoringCase(_ left: String, _ right: String) -> Bool {
    equalIgnoringCase(left.utf8, right.utf8)
  }
  static func lowercased(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 &- 65 < 26 }) else { return text }
    return String(decoding: text.utf8.map(lowercased), as: UTF8.self)
  }

  /// The decimal number in `digits`, `nil` when it is empty, not only digits, or past `maximum`.
  static func number(_ digits: some Collection<UInt8>, maximum: UInt64 = UInt64(Int64.max)) -> UInt64? {
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard isDigit(byte) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- 48))
      guard !overflow, !carry, sum <= maximum else { return nil }
      value = sum
    }
    return value
  }

  /// The first byte below 32 at or after `start`, eight bytes at a time; the count when there is none.
  @inline(__always) static func firstControl(_ bytes: Span<UInt8>, from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let high: UInt64 = 0x8080_8080_8080_8080
    var position = start
    while let word = bytes.littleEndianUInt64(at: position) {
      // The highest bit is set for each byte below 32. Those after the first hit may be wrong, the first never is.
      let hits = (word &- ones &* 0x20) & ~word & high
      if hits != 0 { return position &+ hits.trailingZeroBitCount &>> 3 }
      position &+= 8
    }
    while let byte = bytes.uint8(at: position), byte >= 32 { position &+= 1 }
    return position
  }
}
