//  Via.swift: one Via value (RFC 3261 §20.42, RFC 3581).

/// Where one hop sent the request from, and how a response finds back.
public struct Via: Hashable, Sendable {
  /// As written: `UDP`, `TLS-SCTP` …
  public var transportName: String
  /// The sent-by host; IPv6 in brackets.
  public var host: String
  public var port: UInt16?
  public var parameters: SIPParameters

  public init(
    transport: SIPTransport, host: String, port: UInt16? = nil, parameters: SIPParameters = SIPParameters()
  ) {
    self.transportName = transport.name
    self.host = host
    self.port = port
    self.parameters = parameters
  }

  /// `nil` for a transport that is not known here.
  public var transport: SIPTransport? { SIPTransport(transportName) }
  public var branch: String? { parameters["branch"] }
  /// The branch begins as RFC 3261 §8.1.1.7 wants it, so it alone names the transaction.
  public var hasMagicCookie: Bool { branch?.utf8.starts(with: Self.magicCookie.utf8) ?? false }
  public var received: String? { parameters["received"] }
  /// `rport` is there, with or without a value: answer to the source port.
  public var asksForRport: Bool { parameters.contains("rport") }
  public var rport: UInt16? { parameters["rport"].flatMap { UInt16($0) } }

  static let magicCookie = "z9hG4bK"

  /// host or host:port, lower case, as it was sent.
  public var sentBy: String { ASCII.lowercased(port.map { "\(host):\($0)" } ?? host) }

  public var text: String { "SIP/2.0/\(transportName) " + (port.map { "\(host):\($0)" } ?? host) + parameters.text }

  /// Reads one value and leaves the reader at the comma or the end after it.
  init?(_ reader: inout FieldReader) {
    let name = reader.token()
    guard ASCII.equalIgnoringCase(name, "SIP".utf8), reader.take(UInt8(ascii: "/")),
      reader.token().elementsEqual("2.0".utf8),
      reader.take(UInt8(ascii: "/"))
    else { return nil }
    let transport = reader.token()
    guard !transport.isEmpty, let next = reader.peek, FieldReader.isSpace(next) else { return nil }
    reader.skipSpace()
    guard let host = SIPURI.readHost(&reader) else { return nil }
    transportName = String(decoding: transport, as: UTF8.self)
    self.host = host
    port = nil
    if reader.take(UInt8(ascii: ":")) {
      reader.skipSpace()
      guard let number = ASCII.number(reader.takeWhile(ASCII.isDigit), maximum: 65_535) else { return nil }
      port = UInt16(number)
    }
    guard let parameters = SIPParameters.header(&reader) else { return nil }
    self.parameters = parameters
  }
}
