//  SIPParser.swift: finds the start line, the header fields and the body of a message (RFC 3261 §7, §25.1).
//  Walk: StreamFramer → SIPParser → TransactionLayer.receive
import Primitives

/// One pass over the bytes: eight at a time to the end of each line, one table look-up per header name.
struct SIPParser {
  private(set) var fields: [SIPMessage.Field] = []
  private(set) var status = 0
  private(set) var methodRange = 0..<0
  private(set) var startLineText = 0..<0
  private(set) var bodyRange = 0..<0
  private(set) var contentLength: Int?
  private(set) var defect: SIPParseError?

  mutating func index(_ bytes: Span<UInt8>) throws(SIPParseError) {
    guard bytes.count <= SIPLimits.messageBytes else { throw .messageTooLarge }
    var position = try Self.skipEmptyLines(bytes)
    position = try readStartLine(bytes, position)
    fields.reserveCapacity(24)
    let table = HeaderNameTable.shared
    while true {
      guard let byte = bytes.uint8(at: position) else { throw .truncated }
      if byte == 13, bytes.uint8(at: position &+ 1) == 10 { break }
      guard fields.count < SIPLimits.headerFields else { throw .tooManyHeaders }
      position = try readField(bytes, position, table)
    }
    readBody(bytes, from: position &+ 2)
  }

  private mutating func note(_ error: SIPParseError) {
    if defect == nil { defect = error }
  }

  /// - Throws: `.empty` when there is nothing but line ends, zeros or spaces.
  private static func skipEmptyLines(_ bytes: Span<UInt8>) throws(SIPParseError) -> Int {
    var position = 0
    for _ in 0..<SIPLimits.leadingEmptyLines {
      guard bytes.uint8(at: position) == 13, bytes.uint8(at: position &+ 1) == 10 else { break }
      position &+= 2
    }
    guard let first = bytes.uint8(at: position), first > 32 else { throw .empty }
    return position
  }

  // MARK: Lines

  /// The CR of the next CRLF from `start` on; bare CRs and LFs on the way are noted.
  private mutating func lineEnd(_ bytes: Span<UInt8>, _ start: Int) throws(SIPParseError) -> Int {
    var position = start
    while true {
      position = ASCII.firstControl(bytes, from: position)
      guard let byte = bytes.uint8(at: position) else { throw .truncated }
      if byte == 13, bytes.uint8(at: position &+ 1) == 10 { break }
      if byte == 13 || byte == 10 { note(.malformedHeaderLine) }
      position &+= 1
    }
    guard position &- start <= SIPLimits.lineBytes else { throw .lineTooLong }
    return position
  }

  private mutating func readField(
    _ bytes: Span<UInt8>, _ start: Int, _ table: HeaderNameTable
  ) throws(SIPParseError) -> Int {
    var position = start
    while let byte = bytes.uint8(at: position), ASCII.token.contains(byte) { position &+= 1 }
    let nameCount = position &- start
    while let byte = bytes.uint8(at: position), byte == 32 || byte == 9 { position &+= 1 }
    let isNamed = nameCount > 0 && bytes.uint8(at: position) == UInt8(ascii: ":")
    if isNamed {
      position &+= 1
      while let byte = bytes.uint8(at: position), byte == 32 || byte == 9 { position &+= 1 }
    } else {
      note(.malformedHeaderLine)
    }
    let valueStart = position
    var end = try lineEnd(bytes, valueStart)
    while let next = bytes.uint8(at: end &+ 2), next == 32 || next == 9 {
      end = try lineEnd(bytes, end &+ 2)
      guard end &- start <= SIPLimits.lineBytes else { throw .lineTooLong }
    }
    guard end &- start <= SIPLimits.lineBytes else { throw .lineTooLong }
    let following = end &+ 2
    guard isNamed else { return following }
    while end > valueStart, let byte = bytes.uint8(at: end &- 1), FieldReader.isSpace(byte) { end &-= 1 }
    let known = table.find(bytes, start, nameCount)
    // Positions are at most 65,536 and the name at most 8,192: both checked above.
    fields.append(
      SIPMessage.Field(
        nameStart: UInt32(truncatingIfNeeded: start), valueStart: UInt32(truncatingIfNeeded: valueStart),
        valueEnd: UInt32(truncatingIfNeeded: end), nameCount: UInt16(truncatingIfNeeded: nameCount), known: known))
    if known == .contentLength { readContentLength(bytes, valueStart, end) }
    return following
  }

  private mutating func readContentLength(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) {
    guard let value = Self.decimal(bytes, start, end) else { return note(.malformed(.contentLength)) }
    if let contentLength, contentLength != value { return note(.conflictingContentLength) }
    contentLength = value
  }

  /// One decimal number of at most ten digits, with white space around it.
  private static func decimal(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
    var position = start
    var last = end
    while position < last, let byte = bytes.uint8(at: position), FieldReader.isSpace(byte) { position &+= 1 }
    while last > position, let byte = bytes.uint8(at: last &- 1), FieldReader.isSpace(byte) { last &-= 1 }
    guard position < last, last &- position <= 10 else { return nil }
    var value = 0
    while position < last {
      guard let byte = bytes.uint8(at: position), ASCII.isDigit(byte) else { return nil }
      value = value &* 10 &+ Int(byte &- 48)  // at most ten digits
      position &+= 1
    }
    return value
  }

  private mutating func readBody(_ bytes: Span<UInt8>, from start: Int) {
    let available = bytes.count &- start
    if let contentLength, contentLength > SIPLimits.messageBytes &- start {
      note(.bodyTooLarge)
    } else if let contentLength, contentLength > available {
      note(.bodyTooShort)
    }
    bodyRange = start..<(start &+ min(contentLength ?? available, available))
  }

  // MARK: Streams

  enum HeadLength: Sendable {
    case none, bad
    case value(Int)
  }

  /// The Content-Length in a head that ends with its empty line, found by the same rules as `index` finds it, so that
  /// the framer and the parser never disagree about where a body ends.
  static func contentLength(_ bytes: Span<UInt8>, _ start: Int, _ headEnd: Int) -> HeadLength {
    var found: Int?
    var line = endOfLine(bytes, start, headEnd) &+ 2
    while line < headEnd {
      var end = endOfLine(bytes, line, headEnd)
      while let next = bytes.uint8(at: end &+ 2), next == 32 || next == 9, end &+ 2 < headEnd {
        end = endOfLine(bytes, end &+ 2, headEnd)
      }
      if let letter = bytes.uint8(at: line), letter | 0x20 == UInt8(ascii: "c") || letter | 0x20 == UInt8(ascii: "l") {
        var position = line
        while let byte = bytes.uint8(at: position), ASCII.token.contains(byte) { position &+= 1 }
        let count = position &- line
        while let byte = bytes.uint8(at: position), byte == 32 || byte == 9 { position &+= 1 }
        if bytes.uint8(at: position) == UInt8(ascii: ":"),
          HeaderNameTable.shared.find(bytes, line, count) == .contentLength
        {
          guard let value = decimal(bytes, position &+ 1, end), found ?? value == value else { return .bad }
          found = value
        }
      }
      line = end &+ 2
    }
    return found.map(HeadLength.value) ?? .none
  }

  private static func endOfLine(_ bytes: Span<UInt8>, _ start: Int, _ headEnd: Int) -> Int {
    var position = start
    while true {
      position = ASCII.firstControl(bytes, from: position)
      if position >= headEnd { return headEnd }
      if bytes.uint8(at: position) == 13, bytes.uint8(at: position &+ 1) == 10 { return position }
      position &+= 1
    }
  }

  // MARK: Start line

  private mutating func readStartLine(_ bytes: Span<UInt8>, _ start: Int) throws(SIPParseError) -> Int {
    let end = try lineEnd(bytes, start)
    guard defect == nil else { throw .malformedStartLine }
    var first = start
    while first < end, let byte = bytes.uint8(at: first), ASCII.token.contains(byte) { first &+= 1 }
    if bytes.uint8(at: first) == UInt8(ascii: "/"), Self.isVersion(bytes, start, min(start &+ 7, end)) != nil {
      try readStatusLine(bytes, start, end)
    } else if first > start, bytes.uint8(at: first) == 32 {
      methodRange = start..<first
      try readRequestLine(bytes, first &+ 1, end)
    } else {
      throw .malformedStartLine
    }
    return end &+ 2
  }

  private mutating func readStatusLine(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) throws(SIPParseError) {
    if Self.isVersion(bytes, start, min(start &+ 7, end)) != true { note(.unsupportedVersion) }
    var code = 0
    for offset in 8..<11 {
      guard start &+ offset < end, let byte = bytes.uint8(at: start &+ offset), ASCII.isDigit(byte) else {
        throw .malformedStartLine
      }
      code = code &* 10 &+ Int(byte &- 48)
    }
    guard bytes.uint8(at: start &+ 7) == 32, (100...699).contains(code),
      start &+ 11 == end || bytes.uint8(at: start &+ 11) == 32
    else { throw .malformedStartLine }
    status = code
    startLineText = min(start &+ 12, end)..<end
  }

  /// What stands between the method and the version is the Request-URI, even with spaces in it: such a request is
  /// answered 400 rather than dropped (RFC 4475 §3.1.2.8 and following).
  private mutating func readRequestLine(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) throws(SIPParseError) {
    var last = end
    while last > start, bytes.uint8(at: last &- 1) == 32 { last &-= 1 }
    if last != end { note(.malformedStartLine) }
    var versionStart = last
    while versionStart > start, let byte = bytes.uint8(at: versionStart &- 1), byte != 32 { versionStart &-= 1 }
    guard versionStart > start, let isOurs = Self.isVersion(bytes, versionStart, last) else {
      throw .malformedStartLine
    }
    if !isOurs { note(.unsupportedVersion) }
    startLineText = start..<(versionStart &- 1)
    var position = start
    while position < startLineText.upperBound, let byte = bytes.uint8(at: position), byte > 32 { position &+= 1 }
    if position < startLineText.upperBound || startLineText.isEmpty { note(.malformedURI) }
  }

  /// - Returns: true for SIP/2.0, false for another version of SIP, `nil` for anything else.
  private static func isVersion(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool? {
    let name: [4 of UInt8] = [UInt8(ascii: "s"), UInt8(ascii: "i"), UInt8(ascii: "p"), UInt8(ascii: "/")]
    guard end &- start >= 7 else { return nil }
    for offset in 0..<4 {
      guard let byte = bytes.uint8(at: start &+ offset), ASCII.lowercased(byte) == name[offset] else { return nil }
    }
    var hasDot = false
    for position in (start &+ 4)..<end {
      guard let byte = bytes.uint8(at: position), ASCII.isDigit(byte) || byte == UInt8(ascii: ".") else { return nil }
      if byte == UInt8(ascii: ".") { hasDot = true }
    }
    guard hasDot else { return nil }
    return end &- start == 7 && bytes.uint8(at: start &+ 4) == UInt8(ascii: "2")
      && bytes.uint8(at: start &+ 6) == UInt8(ascii: "0")
  }
}
