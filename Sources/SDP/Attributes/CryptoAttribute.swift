//  CryptoAttribute.swift: keys in signalling (`a=crypto`, RFC 4568 §9).

/// One `a=crypto` line: a tag, a suite by name, keys, session parameters.
public struct CryptoAttribute: Hashable, Sendable {
  /// 1–9 digits (RFC 4568 §4.1).
  public var tag: UInt32
  /// As written; `suite` when it is one of ours.
  public var suiteName: String
  public var keys: [Key]
  /// `KDR=1`, `WSH=64`, `UNENCRYPTED_SRTP` …, as written.
  public var sessionParameters: [String]

  /// One `inline:` key.
  public struct Key: Hashable, Sendable {
    /// Master key ‖ master salt, decoded; its length is not yet compared with the suite's.
    public var keyAndSalt: [UInt8]
    /// Packets; `nil`: the suite's default.
    public var lifetime: UInt64?
    /// The identifier as it appears in packets; empty: none. At most 128 bytes.
    public var mki: [UInt8]

    public init(keyAndSalt: [UInt8], lifetime: UInt64? = nil, mki: [UInt8] = []) {
      self.keyAndSalt = keyAndSalt
      self.lifetime = lifetime
      self.mki = mki
    }
  }

  public init(tag: UInt32, suite: CryptoSuite, keyAndSalt: [UInt8]) {
    self.tag = tag
    suiteName = suite.name
    keys = [Key(keyAndSalt: keyAndSalt)]
    sessionParameters = []
  }

  public var suite: CryptoSuite? { CryptoSuite(rawValue: suiteName) }

  /// Reads the value of `a=crypto`.
  ///
  /// - Returns: `nil` for anything malformed: the line is then as good as absent (RFC 4568 §5.1.2).
  public init?(_ value: some StringProtocol) {
    let fields = Substring(value).split(separator: " ", maxSplits: 32)
    guard fields.count >= 3, fields.count <= 32, fields[0].utf8.count <= 9, let tag = UInt32(digits: fields[0]) else {
      return nil
    }
    let keyTexts = fields[2].split(
      separator: ";", maxSplits: SDPLimits.keysPerCryptoLine, omittingEmptySubsequences: false)
    guard keyTexts.count <= SDPLimits.keysPerCryptoLine else { return nil }
    var keys: [Key] = []
    for text in keyTexts {
      guard let key = Key(text) else { return nil }
      keys.append(key)
    }
    self.tag = tag
    suiteName = String(fields[1])
    self.keys = keys
    sessionParameters = fields[3...].map(String.init)
  }

  public var value: String {
    let keyTexts = keys.map { "inline:\($0.text)" }.joined(separator: ";")
    return ([String(tag), suiteName, keyTexts] + sessionParameters).joined(separator: " ")
  }

  /// The key with which the line can be used: its suite is ours, it has one key of the right length and a
  /// lifetime the suite allows, and no session parameter asks for what Parley does not do.
  ///
  /// `WSH` is advice; a parameter that begins with `-` may be ignored by those who do not know it
  /// (RFC 4568 §6.3.7). Everything else (key derivation rates, cleartext, separate keys for forward error
  /// correction, the unknown) makes the line unusable, as do several keys: rekeying is done by a new offer.
  public var usableKey: (suite: CryptoSuite, key: Key)? {
    guard let suite, keys.count == 1, let key = keys.first, key.keyAndSalt.count == suite.keyAndSaltCount else {
      return nil
    }
    // At most 2^48 SRTP packets and 2^31 SRTCP packets under one key (RFC 3711 §9.2).
    if let lifetime = key.lifetime, lifetime == 0 || lifetime > 1 << 48 { return nil }
    for parameter in sessionParameters {
      guard parameter.hasPrefix("-") || parameter.hasPrefix("WSH=") || parameter == "KDR=0" else { return nil }
    }
    return (suite, key)
  }
}

extension CryptoAttribute.Key {
  /// Reads `inline:base64[|lifetime][|mki:length]`.
  fileprivate init?(_ text: Substring) {
    let prefix = "inline:"
    guard text.utf8.count > prefix.utf8.count, text.prefix(prefix.count).lowercased() == prefix else { return nil }
    let parts = text.dropFirst(prefix.count).split(separator: "|", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count <= 3, let bytes = Base64.decode(parts[0]), !bytes.isEmpty else { return nil }
    self.init(keyAndSalt: bytes)
    var rest = parts.dropFirst()
    if let first = rest.first, !first.utf8.contains(UInt8(ascii: ":")) {
      guard let packets = Self.lifetime(first) else { return nil }
      lifetime = packets
      rest = rest.dropFirst()
    }
    if let last = rest.first {
      guard rest.count == 1, let identifier = Self.mki(last) else { return nil }
      mki = identifier
    }
  }

  /// A decimal number of packets, or `2^n`.
  private static func lifetime(_ text: Substring) -> UInt64? {
    guard text.hasPrefix("2^") else { return UInt64(digits: text) }
    guard let exponent = UInt8(digits: text.dropFirst(2)), exponent < 64 else { return nil }
    return 1 << UInt64(exponent)
  }

  /// `value:length`, the value a decimal number written big-endian into that many bytes.
  private static func mki(_ text: Substring) -> [UInt8]? {
    let pair = text.split(separator: ":", omittingEmptySubsequences: false)
    guard pair.count == 2, let value = UInt64(digits: pair[0]), let count = UInt8(digits: pair[1]),
      (1...128).contains(count), count >= 8 || value >> (8 * UInt64(count)) == 0
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(count))
    for index in 0..<min(8, bytes.count) {
      bytes[bytes.count - 1 - index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
    }
    return bytes
  }

  fileprivate var text: String {
    var text = Base64.encode(keyAndSalt)
    if let lifetime { text += "|\(lifetime)" }
    if !mki.isEmpty {
      let value = mki.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      text += "|\(value):\(mki.count)"
    }
    return text
  }
}
