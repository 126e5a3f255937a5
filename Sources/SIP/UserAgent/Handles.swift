//  Handles.swift: the small names by which the user of a `UserAgent` speaks of its calls, requests and subscriptions.

/// One INVITE session, from `invite` or `.invited` to `.refused` or `.ended`. Never reused by one `UserAgent`.
public struct CallHandle: Hashable, Sendable {
  public let number: UInt64
  @inlinable public init(number: UInt64) { self.number = number }
}

/// One request that this side sent and that awaits its final response.
public struct RequestHandle: Hashable, Sendable {
  public let number: UInt64
  @inlinable public init(number: UInt64) { self.number = number }
}

/// One request of the peer that awaits `respond`.
public struct ServerRequestHandle: Hashable, Sendable {
  public let number: UInt64
  @inlinable public init(number: UInt64) { self.number = number }
}

/// One subscription (RFC 6665), as subscriber or as notifier.
public struct SubscriptionHandle: Hashable, Sendable {
  public let number: UInt64
  @inlinable public init(number: UInt64) { self.number = number }
}
