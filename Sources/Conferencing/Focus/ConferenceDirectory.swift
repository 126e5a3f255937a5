//  ConferenceDirectory.swift: which URIs are conferences of ours (RFC 4579 §5.1).

import Primitives
import SIP

/// Which part of this system a Request-URI means.
public struct ConferenceDirectory: Sendable {
  public enum Destination: Hashable, Sendable {
    /// - Parameter entity: the conference's canonical URI: `sip:NAME@DOMAIN`.
    case conference(ConferenceName, entity: String)
    /// The system itself: a URI without user part in one of our domains.
    case system
    case unknown
  }

  /// The Conferencing Server Factory's own name, which no meeting may have (control protocol P1).
  public static let factoryUser = "mcufactory"

  /// Lower case; the first one names conferences whose caller used a numeric address.
  private let domains: [String]
  private let addresses: Set<String>

  public init(domains: [String], listen: [SIPTransport: SocketAddress], advertisedHost: String?) {
    self.domains = domains.map { $0.lowercased() }
    var addresses = Set(listen.values.map(\.host))
    if let advertisedHost { addresses.insert(advertisedHost.lowercased()) }
    self.addresses = addresses
  }

  /// The port does not count: phones leave out the one of our Contact when they subscribe.
  ///
  /// - Parameter flow: its local address is ours too.
  public func destination(of uri: SIPURI, over flow: SIPFlow) -> Destination {
    guard uri.isSIP else { return .unknown }
    let host = uri.host.lowercased()
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    let domain: String
    if domains.contains(host) {
      domain = host
    } else if addresses.contains(bare) || bare == flow.local.host {
      domain = domains.first ?? host
    } else {
      return .unknown
    }
    guard let user = uri.escapedUser else { return .system }
    guard user.lowercased() != Self.factoryUser, let name = ConferenceName(user: user) else { return .unknown }
    return .conference(name, entity: "sip:\(name)@\(domain)")
  }
}
