//  MediaType.swift: the value of Content-Type and Accept (RFC 3261 §20.15, RFC 2045 §5.1).

public struct MediaType: Hashable, Sendable {
  /// `type/subtype`, lower case.
  public var name: String
  public var parameters: SIPParameters

  public init(_ name: String, parameters: SIPParameters = SIPParameters()) {
    self.name = ASCII.lowercased(name)
    self.parameters = parameters
  }

  /// - Returns: `nil` unless the text is one media type.
  public init?(parsing text: some StringProtocol) {
    var reader = FieldReader(text)
    self.init(&reader)
  }

  /// What separates the parts of a multipart body.
  public var boundary: String? { parameters["boundary"] }
  public var isMultipart: Bool { name.utf8.starts(with: "multipart/".utf8) }

  public var text: String { name + parameters.text }

  init?(_ reader: inout FieldReader) {
    let type = reader.token()
    guard !type.isEmpty, reader.take(UInt8(ascii: "/")) else { return nil }
    let subtype = reader.token()
    guard !subtype.isEmpty, let parameters = SIPParameters.header(&reader) else { return nil }
    reader.skipSpace()
    guard reader.isAtEnd else { return nil }
    self.init(
      String(decoding: type, as: UTF8.self) + "/" + String(decoding: subtype, as: UTF8.self), parameters: parameters)
  }
}
