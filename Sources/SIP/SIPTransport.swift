//  SIPTransport.swift: the transports of SIP messages (RFC 3261 §18, RFC 7118).

public enum SIPTransport: UInt8, Hashable, Sendable, CaseIterable {
  case udp, tcp, tls, ws, wss

  /// Delivers in order or reports a failure: no retransmission by us.
  public var isReliable: Bool { self != .udp }
  public var isSecure: Bool { self == .tls || self == .wss }
  /// Where a URI or a Via without a port means (RFC 3261 §18.2.2, RFC 7118 §5.2).
  public var defaultPort: UInt16 {
    switch self {
    case .udp, .tcp: 5060
    case .tls: 5061
    case .ws: 80
    case .wss: 443
    }
  }
  /// As Via spells it.
  public var name: String {
    switch self {
    case .udp: "UDP"
    case .tcp: "TCP"
    case .tls: "TLS"
    case .ws: "WS"
    case .wss: "WSS"
    }
  }

  /// - Parameter name: in any case, as in Via or in a URI's `transport` parameter.
  public init?(_ name: some StringProtocol) {
    guard let found = Self.allCases.first(where: { ASCII.equalIgnoringCase($0.name.utf8, name.utf8) }) else {
      return nil
    }
    self = found
  }
}
