//  SIPMessage+Fields.swift: header values by name, as text and as values (RFC 3261 §20).

// MARK: Text

extension SIPMessage {
  /// The first value of a header, unfolded; of a list header the first value in the list.
  public func first(_ name: SIPHeaderName) -> String? {
    guard let field = field(name) else { return nil }
    guard Self.isList(name.known) else { return FieldReader.text(bytes, field.value) }
    return Self.split(bytes, field.value, maximum: 1).first
  }

  /// All values of a header in order, unfolded; the values of lists one by one, at most `SIPLimits.listEntries`.
  public func all(_ name: SIPHeaderName) -> [String] {
    var values: [String] = []
    for field in fields where isNamed(field, name) {
      if Self.isList(name.known) {
        values += Self.split(bytes, field.value, maximum: SIPLimits.listEntries - values.count)
      } else {
        values.append(FieldReader.text(bytes, field.value))
      }
      if values.count >= SIPLimits.listEntries { break }
    }
    return values
  }

  public func contains(_ name: SIPHeaderName) -> Bool { field(name) != nil }

  /// Whether a list such as Supported, Require or Allow holds a token, in any case.
  public func lists(_ token: String, in name: SIPHeaderName) -> Bool {
    all(name).contains { ASCII.equalIgnoringCase($0, token) }
  }

  /// Every header field in order, as name and unfolded value: for copying and for logs.
  public var headerFields: [(name: SIPHeaderName, value: String)] {
    fields.map { field in
      let start = Int(field.nameStart)
      let name =
        field.known == .other
        ? SIPHeaderName(String(decoding: bytes[start..<(start + Int(field.nameCount))], as: UTF8.self))
        : SIPHeaderName(field.known)
      return (name, FieldReader.text(bytes, field.value))
    }
  }
}

// MARK: Values

extension SIPMessage {
  /// - Throws: `.malformedURI`, also for a response.
  public var requestURI: SIPURI {
    get throws(SIPParseError) {
      guard isRequest else { throw .malformedURI }
      return try SIPURI(bytes, startLineText)
    }
  }
  /// The Request-URI as it was written; empty for a response.
  public var requestURIText: String { isRequest ? String(decoding: bytes[startLineText], as: UTF8.self) : "" }

  /// - Throws: `.missing(.from)`, `.malformed(.from)`.
  public var from: NameAddress { get throws(SIPParseError) { try single(.from) { NameAddress(&$0) } } }
  public var to: NameAddress { get throws(SIPParseError) { try single(.to) { NameAddress(&$0) } } }
  public var fromTag: String? { (try? from)?.tag }
  public var toTag: String? { (try? to)?.tag }
  public var cseq: CSeq { get throws(SIPParseError) { try single(.cseq) { CSeq(&$0) } } }
  /// Empty when there is none.
  public var callID: String { first(.callID) ?? "" }

  /// - Throws: `.missing(.via)`, `.malformed(.via)`.
  public var topVia: Via {
    get throws(SIPParseError) {
      guard let field = field(.via) else { throw .missing(.via) }
      var reader = FieldReader(bytes, field.value)
      guard let via = Via(&reader) else { throw .malformed(.via) }
      reader.skipSpace()
      guard reader.isAtEnd || reader.peek == UInt8(ascii: ",") else { throw .malformed(.via) }
      return via
    }
  }
  /// Top first. - Throws: `.malformed(.via)`, `.tooManyValues(.via)`.
  public var vias: [Via] { get throws(SIPParseError) { try list(.via) { Via(&$0) } } }
  public var routes: [NameAddress] { get throws(SIPParseError) { try list(.route) { NameAddress(&$0) } } }
  /// In the order of the message (RFC 3261 §12.1 says when to reverse it).
  public var recordRoutes: [NameAddress] { get throws(SIPParseError) { try list(.recordRoute) { NameAddress(&$0) } } }
  /// Empty for `Contact: *`; see `hasContactStar`.
  public var contacts: [NameAddress] {
    get throws(SIPParseError) { hasContactStar ? [] : try list(.contact) { NameAddress(&$0) } }
  }
  /// `Contact: *`: a REGISTER that removes all bindings (RFC 3261 §10.2.2).
  public var hasContactStar: Bool {
    guard let field = field(.contact) else { return false }
    return FieldReader.text(bytes, field.value) == "*"
  }

  /// `nil` when absent or malformed; 0…255.
  public var maxForwards: Int? { number(.maxForwards, maximum: 255) }
  /// Seconds; `nil` when absent or malformed. Over 2³²−1 is 2³²−1 (RFC 3261 §20.19).
  public var expires: Int? {
    guard let text = first(.expires), !text.isEmpty, text.utf8.allSatisfy(ASCII.isDigit) else { return nil }
    return Int(ASCII.number(text.utf8, maximum: 0xffff_ffff) ?? 0xffff_ffff)
  }
  public var contentType: MediaType? { try? single(.contentType) { MediaType(&$0) } }

  /// Event, Subscription-State, Session-Expires, Reason, …: the first value; `nil` when absent or malformed.
  public func parameterized(_ name: SIPHeaderName) -> ParameterizedValue? {
    guard let field = field(name) else { return nil }
    var reader = FieldReader(bytes, field.value)
    return ParameterizedValue(&reader)
  }

  /// A header that is one decimal number.
  public func number(_ name: SIPHeaderName, maximum: Int = Int(Int32.max)) -> Int? {
    guard let text = first(name), let value = ASCII.number(text.utf8, maximum: UInt64(clamping: maximum)) else {
      return nil
    }
    return Int(value)
  }
}

// MARK: Inside

extension SIPMessage {
  func field(_ name: SIPHeaderName) -> Field? { fields.first { isNamed($0, name) } }

  func isNamed(_ field: Field, _ name: SIPHeaderName) -> Bool {
    guard field.known == name.known else { return false }
    guard field.known == .other else { return true }
    let start = Int(field.nameStart)
    return ASCII.equalIgnoringCase(bytes[start..<(start + Int(field.nameCount))], name.spelling.utf8)
  }

  /// The only value of a header, which must fill its field.
  private func single<Value>(
    _ name: SIPHeaderName, _ read: (inout FieldReader) -> Value?
  ) throws(SIPParseError) -> Value {
    guard let field = field(name) else { throw .missing(name) }
    var reader = FieldReader(bytes, field.value)
    guard let value = read(&reader) else { throw .malformed(name) }
    reader.skipSpace()
    guard reader.isAtEnd else { throw .malformed(name) }
    return value
  }

  private func list<Value>(
    _ name: SIPHeaderName, _ read: (inout FieldReader) -> Value?
  ) throws(SIPParseError) -> [Value] {
    var values: [Value] = []
    for field in fields where field.known == name.known {
      var reader = FieldReader(bytes, field.value)
      repeat {
        guard let value = read(&reader) else { throw .malformed(name) }
        guard values.count < SIPLimits.listEntries else { throw .tooManyValues(name) }
        values.append(value)
      } while reader.take(UInt8(ascii: ","))
      guard reader.isAtEnd else { throw .malformed(name) }
    }
    return values
  }

  /// Headers whose fields may hold several values with commas between them.
  private static func isList(_ name: SIPHeaderName.Known) -> Bool {
    switch name {
    case .accept, .acceptEncoding, .acceptLanguage, .alertInfo, .allow, .allowEvents, .callInfo, .contact,
      .contentEncoding, .contentLanguage, .errorInfo, .historyInfo, .inReplyTo, .pAssertedIdentity,
      .pPreferredIdentity, .path, .privacy, .proxyRequire, .reason, .recordRoute, .recvInfo, .require, .route,
      .serviceRoute, .supported, .unsupported, .via, .warning:
      true
    default: false
    }
  }

  /// Splits at commas outside quotes and angle brackets; empty values are left out.
  private static func split(_ bytes: [UInt8], _ range: Range<Int>, maximum: Int) -> [String] {
    var values: [String] = []
    var reader = FieldReader(bytes, range)
    while !reader.isAtEnd, values.count < maximum {
      let start = reader.position
      var depth = 0
      let end = reader.firstUnquoted { byte in
        if byte == UInt8(ascii: "<") { depth = 1 }
        if byte == UInt8(ascii: ">") { depth = 0 }
        return depth == 0 && byte == UInt8(ascii: ",")
      }
      let text = FieldReader.text(bytes, start..<end)
      if !text.isEmpty { values.append(text) }
      reader.move(to: end)
      reader.advance()
    }
    return values
  }
}
