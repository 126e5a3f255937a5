//  UserAgentLimits.swift: the named maxima of a `UserAgent`: what is over them is refused with 503 and Retry-After.

/// Every table that the network can fill has its maximum here.
public struct UserAgentLimits: Sendable {
  /// INVITE sessions, both roles, those being torn down included.
  public var calls = 20_000
  /// Subscriptions, both roles.
  public var subscriptions = 40_000
  /// Requests of peers that the user has not answered yet.
  public var serverRequests = 10_000
  /// Own requests without a final response, in dialogs and outside.
  public var clientRequests = 40_000
  /// Requests of one dialog that the user has not answered yet.
  public var serverRequestsPerCall = 16
  /// NOTIFYs that wait for the response to the one before, per subscription.
  public var queuedNotifies = 32
  /// Branches of one forked INVITE that are followed, early and confirmed (RFC 3261 §13.2.2.4).
  public var forks = 8
  /// Route set of a dialog, Record-Route values taken from one message.
  public var routes = 16
  /// Retry-After sent with a 503, seconds.
  public var retryAfterSeconds = 10

  public init() {}
}
