//  NameAddress.swift: the value of From, To, Contact, Route and their like (RFC 3261 §20.10).

/// A URI with an optional display name and header parameters.
public struct NameAddress: Hashable, Sendable {
  /// Without quotes and escapes.
  public var displayName: String?
  public var uri: SIPURI
  /// What follows the closing bracket: `tag`, `expires`, `q` …
  public var parameters: SIPParameters

  public init(displayName: String? = nil, uri: SIPURI, parameters: SIPParameters = SIPParameters()) {
    self.displayName = displayName
    self.uri = uri
    self.parameters = parameters
  }

  /// - Throws: `.malformedURI` unless the text is one address.
  public init(_ text: some StringProtocol) throws(SIPParseError) {
    var reader = FieldReader(text)
    guard let address = NameAddress(&reader) else { throw .malformedURI }
    reader.skipSpace()
    guard reader.isAtEnd else { throw .malformedURI }
    self = address
  }

  public var tag: String? {
    get { parameters["tag"] }
    set { parameters["tag"] = newValue }
  }

  /// With angle brackets always, so that nobody takes a URI parameter for a header parameter.
  public var text: String {
    let address = "<" + uri.text + ">" + parameters.text
    guard let displayName, !displayName.isEmpty else { return address }
    return SIPParameters.quoted(displayName) + " " + address
  }

  /// Reads one address and leaves the reader at the comma or the end after it.
  init?(_ reader: inout FieldReader) {
    reader.skipSpace()
    var name: String?
    if reader.peek == UInt8(ascii: "\"") {
      guard let quoted = reader.quotedString() else { return nil }
      name = quoted
      reader.skipSpace()
      guard reader.peek == UInt8(ascii: "<") else { return nil }
    } else {
      let start = reader.position
      let stop = reader.firstUnquoted { "<;,?".utf8.contains($0) }
      if stop < reader.end, reader.bytes[stop] == UInt8(ascii: "<") {
        reader.move(to: stop)
        let text = FieldReader.text(reader.bytes, start..<stop)
        guard !text.utf8.contains(UInt8(ascii: "\"")) else { return nil }
        name = text.isEmpty ? nil : text
      }
    }
    guard let uri = Self.readURI(&reader), let parameters = SIPParameters.header(&reader) else { return nil }
    self.init(displayName: name, uri: uri, parameters: parameters)
  }

  /// `<uri>`, or a bare one, whose `;` begins the header's parameters (RFC 3261 §20).
  private static func readURI(_ reader: inout FieldReader) -> SIPURI? {
    guard reader.peek == UInt8(ascii: "<") else {
      let slice = reader.takeWhile { !FieldReader.isSpace($0) && !";,?".utf8.contains($0) }
      return try? SIPURI(reader.bytes, slice.startIndex..<slice.endIndex)
    }
    reader.advance()
    let slice = reader.takeWhile { $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "<") }
    guard reader.peek == UInt8(ascii: ">") else { return nil }
    reader.advance()
    return try? SIPURI(reader.bytes, slice.startIndex..<slice.endIndex)
  }
}

extension NameAddress: CustomStringConvertible {
  public var description: String { text }
}
