//  TransactionTimers.swift: the timers A to M and what they are made of (RFC 3261 §17, table 4; RFC 6026 §8.4).
import Primitives

/// The three times all timers come from.
public struct TransactionTimers: Hashable, Sendable {
  /// Round-trip estimate.
  public var t1: Interval = .milliseconds(500)
  /// The longest interval between retransmissions of a non-INVITE request or an INVITE's final response.
  public var t2: Interval = .seconds(4)
  /// How long a message may stay in the network.
  public var t4: Interval = .seconds(5)
  /// An INVITE that the user has not answered by then is answered 100 (RFC 3261 §17.2.1).
  public var trying: Interval = .milliseconds(200)

  public init() {}

  /// How long a transaction waits for the other side: timers B, F, H, J, L, M.
  var patience: Interval { t1 * 64 }
  /// Timer D: at least 32 s on an unreliable transport.
  var completedClient: Interval { .seconds(32) }
}

/// A timer by the RFC's letter.
public enum TransactionTimer: Hashable, Sendable {
  case a, b, d, e, f, g, h, i, j, k, l, m
  /// 200 ms until 100 Trying.
  case trying

  /// At most one timer that repeats a message and one that ends a state run at once: starting one replaces the other
  /// of its kind.
  var repeats: Bool {
    switch self {
    case .a, .e, .g, .trying: true
    case .b, .d, .f, .h, .i, .j, .k, .l, .m: false
    }
  }
}

/// Why a transaction could not do its work.
public enum TransactionFailure: Error, Hashable, Sendable {
  /// Timer B or F: no final response.
  case timedOut
  /// The message could not be sent, or the connection that the answer was to come by is gone.
  case transport
  /// Timer H: no ACK for a 300…699 response.
  case noACK
}

/// What a client transaction is told.
package enum ClientTransactionInput: Hashable, Sendable {
  case begin
  case provisional, success, failure
  /// CANCEL was sent: no final response within 64·T1 ends the transaction (RFC 3261 §9.1).
  case cancelled
  case timer(TransactionTimer)
  case transportFailed

  package init(status: Int) {
    self = status < 200 ? .provisional : status < 300 ? .success : .failure
  }
}

/// What a server transaction is told: by the network, then by the transaction user.
package enum ServerTransactionInput: Hashable, Sendable {
  case begin
  /// The request again.
  case request
  case ack
  case provisional, success, failure
  case timer(TransactionTimer)
  case transportFailed

  package init(status: Int) {
    self = status < 200 ? .provisional : status < 300 ? .success : .failure
  }
}

/// What a transaction wants done.
package enum TransactionAction: Hashable, Sendable {
  case transmitRequest, transmitACK, transmitTrying
  /// The last response given by the transaction user.
  case transmitResponse
  /// Hand the message that was just received to the transaction user.
  case deliver
  case start(TransactionTimer, Interval)
  case stop(TransactionTimer)
  case failed(TransactionFailure)
  case terminated
}
