//  CSeq.swift: the sequence number of a request (RFC 3261 §20.16).

public struct CSeq: Hashable, Sendable {
  /// Below 2³¹ (RFC 3261 §8.1.1.5).
  public var number: UInt32
  public var method: SIPMethod

  public init(_ number: UInt32, _ method: SIPMethod) {
    self.number = number
    self.method = method
  }

  public var text: String { "\(number) \(method.name)" }

  init?(_ reader: inout FieldReader) {
    reader.skipSpace()
    guard let number = ASCII.number(reader.takeWhile(ASCII.isDigit), maximum: 0x7fff_ffff),
      let next = reader.peek, FieldReader.isSpace(next)
    else { return nil }
    let method = reader.token()
    reader.skipSpace()
    guard !method.isEmpty, reader.isAtEnd else { return nil }
    self.init(UInt32(number), SIPMethod(method))
  }
}
