//  HeaderField.swift: one header field and one body, as the user of a `UserAgent` adds them to what it sends.

/// A header field to add to a message. Control characters in the value become spaces when it is written, so that a
/// display name from the network cannot smuggle in another field.
public struct HeaderField: Hashable, Sendable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// A message body with its `Content-Type`, parameters included.
public struct MessageBody: Hashable, Sendable {
  public var contentType: String
  public var bytes: [UInt8]

  public init(contentType: String, bytes: [UInt8]) {
    self.contentType = contentType
    self.bytes = bytes
  }
  public init(contentType: String, text: String) {
    self.init(contentType: contentType, bytes: Array(text.utf8))
  }
}
