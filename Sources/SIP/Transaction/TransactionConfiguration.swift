//  TransactionConfiguration.swift: what a `TransactionLayer` is told once: timers, addresses, limits.
import Primitives

/// Timers, the addresses put in Via, and the limits of a `TransactionLayer`.
public struct TransactionConfiguration: Sendable {
  public var timers = TransactionTimers()
  /// The sent-by port per transport, and its host where the address is not the unspecified one. A transport that is
  /// absent here uses the flow's local address.
  public var listen: [SIPTransport: SocketAddress] = [:]
  /// Put in Via in place of any address.
  public var advertisedHost: String?
  public var serverTransactions = SIPLimits.serverTransactions
  public var clientTransactions = SIPLimits.clientTransactions
  /// Bytes of responses and keys kept; over this a new request is answered 503.
  public var keptResponseBytes = SIPLimits.keptResponseBytes
  /// Retry-After of those 503s.
  public var retryAfterSeconds = 10

  public init() {}
}
