//  SIPEdgeConfiguration.swift: where the edge listens and how much of the network it lets in.
import Primitives
import SIP

/// The named maxima of the edge. What is over them is closed or dropped, and counted.
public struct SIPEdgeLimits: Sendable {
  /// Stream connections, both directions.
  public var connections = 4_096
  /// Stream connections from one remote host.
  public var connectionsPerHost = 128
  /// Bytes that wait to be written to one connection; a peer that reads more slowly is closed.
  public var writeBacklogBytes = 1 << 20
  /// Bytes that wait for an outgoing connection to open.
  public var connectBacklogBytes = 1 << 18
  /// A connection that is silent for this long, both ways, is closed.
  public var idleTimeout: Interval = .seconds(600)
  /// A message that has begun must end within this, or its connection is closed.
  public var messageTimeout: Interval = .seconds(30)
  public var connectTimeout: Interval = .seconds(5)
  /// Socket receive buffer of a datagram socket, bytes, as far as the kernel grants it.
  public var datagramReceiveBufferBytes = 4 << 20
  /// Datagrams read by one system call.
  public var datagramsPerRead = 16
  /// Connections that the kernel holds until they are accepted.
  public var acceptBacklog = 256

  public init() {}
}

public struct SIPEdgeConfiguration: Sendable {
  public struct Listener: Hashable, Sendable {
    public var transport: SIPTransport
    /// Port 0: the system chooses; see `SIPEdge.addresses`.
    public var address: SocketAddress

    public init(_ transport: SIPTransport, _ address: SocketAddress) {
      self.transport = transport
      self.address = address
    }
  }

  public var listeners: [Listener]
  public var limits = SIPEdgeLimits()

  public init(listeners: [Listener]) { self.listeners = listeners }
}
