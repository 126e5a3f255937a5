//  Multipart.swift: several bodies in one (RFC 2046 §5.1).

/// A multipart body: its parts in order.
public struct Multipart: Hashable, Sendable {
  /// `mixed`, `related`, `alternative` …, in lower case.
  public var subtype: String
  public var parts: [Part]

  public struct Part: Hashable, Sendable {
    /// With parameters: `application/sdp`. `text/plain` when the part has no such header (RFC 2046 §5.1).
    public var contentType: String
    /// Headers other than Content-Type and Content-Length, in their order.
    public var headers: [(name: String, value: String)] {
      get { fields.map { ($0.name, $0.value) } }
      set { fields = newValue.map { Field(name: $0.name, value: $0.value) } }
    }
    public var body: [UInt8]
    var fields: [Field] = []

    struct Field: Hashable, Sendable {
      var name: String
      var value: String
    }

    public init(contentType: String, headers: [(name: String, value: String)] = [], body: [UInt8]) {
      self.contentType = contentType
      self.body = body
      self.headers = headers
    }
  }

  public init(subtype: String = "mixed", parts: [Part]) {
    self.subtype = subtype
    self.parts = parts
  }
}
