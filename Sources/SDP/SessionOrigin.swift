//  SessionOrigin.swift: the `o=` line (RFC 8866 §5.2).

import Primitives

/// Who made this description and which edition of it this is.
public struct SessionOrigin: Hashable, Sendable {
  /// No spaces; `-` when there is none.
  public var userName: String
  /// Decimal digits in theory; kept as text, since endpoints send numbers beyond 64 bits and worse.
  public var sessionID: String
  /// Rises by one with each changed description (RFC 3264 §8); text for the same reason.
  public var version: String
  /// `IN`.
  public var networkType: String
  /// `IP4` or `IP6`.
  public var addressType: String
  public var address: String

  public init(userName: String = "-", sessionID: UInt64, version: UInt64, address: SocketAddress) {
    self.userName = userName
    self.sessionID = String(sessionID)
    self.version = String(version)
    networkType = "IN"
    addressType = address.isIPv4 ? "IP4" : "IP6"
    self.address = address.host
  }

  /// Reads the value of an `o=` line: six fields. Nothing of it decides anything here, so nothing more is asked.
  public init?(_ value: some StringProtocol) {
    let fields = value.split(separator: " ", maxSplits: 6)
    guard fields.count == 6 else { return nil }
    userName = String(fields[0])
    sessionID = String(fields[1])
    version = String(fields[2])
    networkType = String(fields[3])
    addressType = String(fields[4])
    address = String(fields[5])
  }

  public var value: String { "\(userName) \(sessionID) \(version) \(networkType) \(addressType) \(address)" }
}
