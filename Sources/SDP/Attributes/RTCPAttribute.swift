//  RTCPAttribute.swift: where RTCP goes when not to the next port (RFC 3605).

/// `a=rtcp:port [IN IP4 address]`.
public struct RTCPAttribute: Hashable, Sendable {
  public var port: UInt16
  public var connection: ConnectionData?

  public init(port: UInt16, connection: ConnectionData? = nil) {
    self.port = port
    self.connection = connection
  }

  public init?(_ value: some StringProtocol) {
    let fields = value.split(separator: " ", maxSplits: 1)
    guard let first = fields.first, let port = UInt16(digits: first) else { return nil }
    self.port = port
    if fields.count == 2 {
      guard let parsed = ConnectionData(fields[1]) else { return nil }
      connection = parsed
    }
  }

  public var value: String { "\(port)" + (connection.map { " " + $0.value } ?? "") }
}
