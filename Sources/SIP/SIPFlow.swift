//  SIPFlow.swift: where a message came from or goes to.
import Primitives

/// One path between two addresses.
public struct SIPFlow: Hashable, Sendable {
  public var transport: SIPTransport
  public var local: SocketAddress
  public var remote: SocketAddress
  /// Names one stream connection. 0: any connection to `remote` over `transport`, to be opened if there is none;
  /// always 0 for UDP.
  public var connection: UInt64

  public init(transport: SIPTransport, local: SocketAddress, remote: SocketAddress, connection: UInt64 = 0) {
    self.transport = transport
    self.local = local
    self.remote = remote
    self.connection = connection
  }
}
