//  SessionOrigin.swift: the `o=` line (RFC 8866 §5.2).

import Primitives

/// Who made this description and which edition of it this is.
public struct SessionOrigin: Hashable, Sendable {
  /// No spaces; `-` when there is none.
  public var userName: String
  /// Decimal digits in theory; kept as text, since some endpoints send numbers beyond 64 bits.
  public var sessionID: String
  /// Rises by one with each changed description (RFC 3264 §8).
  public var version: String
  /// `IP4` or `IP6`.
  public var addressType: String
  public var address: String

  public init(userName: String = "-", sessionID: UInt64, version: UInt64, address: SocketAddress) {
    self.userName = userName
    self.sessionID = String(sessionID)
    self.version = String(version)
    addressType = address.isIPv4 ? "IP4" : "IP6"
    self.address = address.host
  }

  /// Reads the value of an `o=` line: six fields, the network type `IN`.
  public init?(_ value: some StringProtocol) {
    let fields = value.split(separator: " ", maxSplits: 6)
    guard fields.count == 6, fields[3] == "IN", fields[4] == "IP4" || fields[4] == "IP6",
      fields[1].utf8.allSatisfy(\.isDecimalDigit), fields[2].utf8.allSatisfy(\.isDecimalDigit)
    else { return nil }
    userName = String(fields[0])
    sessionID = String(fields[1])
    version = String(fields[2])
    addressType = String(fields[4])
    address = String(fields[5])
  }

  public var value: String { "\(userName) \(sessionID) \(version) IN \(addressType) \(address)" }
}
