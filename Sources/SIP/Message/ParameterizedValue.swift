//  ParameterizedValue.swift: `value;name=value`, the shape of Event, Subscription-State, Session-Expires, Reason.

public struct ParameterizedValue: Hashable, Sendable {
  /// What stands before the first `;`, without white space at its ends.
  public var value: String
  public var parameters: SIPParameters

  public init(_ value: String, parameters: SIPParameters = SIPParameters()) {
    self.value = value
    self.parameters = parameters
  }

  /// - Returns: `nil` for an empty value or malformed parameters.
  public init?(parsing text: some StringProtocol) {
    var reader = FieldReader(text)
    self.init(&reader)
    reader.skipSpace()
    guard reader.isAtEnd else { return nil }
  }

  public var text: String { value + parameters.text }

  init?(_ reader: inout FieldReader) {
    reader.skipSpace()
    let start = reader.position
    reader.move(to: reader.firstUnquoted { $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: ",") })
    value = FieldReader.text(reader.bytes, start..<reader.position)
    guard !value.isEmpty, let parameters = SIPParameters.header(&reader) else { return nil }
    self.parameters = parameters
  }
}
