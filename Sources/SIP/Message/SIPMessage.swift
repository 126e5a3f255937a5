//  SIPMessage.swift: one request or response: its bytes and where its fields lie in them (RFC 3261 §7).

/// A parsed message. Nothing is copied: a field is a range, and is read when it is asked for.
///
/// `init(parsing:)` throws only for what cannot be answered. Everything else that is wrong comes from `validate`, so
/// that the sender of a bad request gets its 400. A field that is asked for without `validate` throws by itself.
public struct SIPMessage: Sendable {
  struct Field: Sendable {
    var nameStart: UInt32
    var valueStart: UInt32
    var valueEnd: UInt32
    var nameCount: UInt16
    var known: SIPHeaderName.Known
  }

  /// As received, from the start line on; may go on after the body.
  public let bytes: [UInt8]
  let fields: [Field]
  /// Of a response the method in its CSeq; `.other("")` when it has none.
  public let method: SIPMethod
  /// 100…699, or 0 for a request.
  public let status: Int
  /// Request-URI or reason phrase.
  let startLineText: Range<Int>
  let bodyRange: Range<Int>
  /// The first fault found while indexing that still lets the message be answered.
  let defect: SIPParseError?
  let hasContentLength: Bool

  /// Indexes one whole message: a datagram, or what `StreamFramer` gives.
  ///
  /// Content-Length cuts the body (RFC 3261 §18.3); without one it is all that follows.
  public init(parsing bytes: [UInt8]) throws(SIPParseError) {
    var parser = SIPParser()
    try parser.index(bytes.span)
    self.bytes = bytes
    fields = parser.fields
    status = parser.status
    startLineText = parser.startLineText
    bodyRange = parser.bodyRange
    defect = parser.defect
    hasContentLength = parser.contentLength != nil
    method =
      parser.status == 0
      ? SIPMethod(bytes[parser.methodRange]) : Self.responseMethod(bytes, parser.fields)
  }

  public var isRequest: Bool { status == 0 }
  /// Empty for a request.
  public var reasonPhrase: String { isRequest ? "" : FieldReader.text(bytes, startLineText) }
  public var body: ArraySlice<UInt8> { bytes[bodyRange] }

  private static func responseMethod(_ bytes: [UInt8], _ fields: [Field]) -> SIPMethod {
    for field in fields where field.known == .cseq {
      var reader = FieldReader(bytes, field.value)
      return CSeq(&reader)?.method ?? .other("")
    }
    return .other("")
  }
}

extension SIPMessage.Field {
  var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}
