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
