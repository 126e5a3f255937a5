//  ConnectionData.swift: the `c=` line (RFC 8866 §5.7).

import Primitives

/// Where media goes: an IPv4 or IPv6 address, or a name, which Parley does not resolve.
public struct ConnectionData: Hashable, Sendable {
  /// `IN`.
  public var networkType: String
  /// `IP4` or `IP6`.
  public var addressType: String
  /// Without the `/ttl` and `/count` of a multicast address.
  public var address: String
  /// `/…` of a multicast address, kept as it came; empty for unicast.
  public var suffix: String

  public init(_ address: SocketAddress) {
    networkType = "IN"
    addressType = address.isIPv4 ? "IP4" : "IP6"
    self.address = address.host
    suffix = ""
  }

  /// Reads the value of a `c=` line: three fields.
  public init?(_ value: some StringProtocol) {
    let fields = value.split(separator: " ", maxSplits: 3)
    guard fields.count == 3 else { return nil }
    networkType = String(fields[0])
    addressType = String(fields[1])
    let slash = fields[2].firstIndex(of: "/") ?? fields[2].endIndex
    address = String(fields[2][..<slash])
    suffix = String(fields[2][slash...])
    if address.isEmpty { return nil }
  }

  public var value: String { "\(networkType) \(addressType) \(address)\(suffix)" }

  /// - Returns: `nil` for a name, for another network than `IN`, or when the address is not of the stated family.
  public func socketAddress(port: UInt16) -> SocketAddress? {
    guard networkType == "IN", addressType == (address.utf8.contains(UInt8(ascii: ":")) ? "IP6" : "IP4") else {
      return nil
    }
    return SocketAddress(host: address, port: port)
  }

  /// `0.0.0.0` or `::`: hold as RFC 2543 did it (RFC 3264 §8.4).
  public var isUnspecified: Bool { socketAddress(port: 0)?.isUnspecified ?? false }

  /// Group addresses (224.0.0.0/4, ff00::/8) and broadcast.
  public var isMulticast: Bool {
    guard let parsed = socketAddress(port: 0) else { return false }
    if let ipv4 = parsed.ipv4 { return ipv4 >> 28 == 14 || ipv4 == .max }
    return parsed.high >> 56 == 0xff
  }
}
