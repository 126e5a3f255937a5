//  UserAgent.swift: calls, requests and subscriptions of one SIP element, as a value (RFC 3261 §8, §12–§15).
import Primitives

/// A SIP user agent core, both roles, over a `TransactionLayer`.
///
/// Everything is synchronous: each method appends what is to be done to `outputs`. Methods that name a handle which is
/// over do nothing, so that a user that was overtaken by the network need not check first.
public struct UserAgent: Sendable {
  public let configuration: UserAgentConfiguration
  private var random: RandomSource

  public init(configuration: UserAgentConfiguration, random: RandomSource) {
    self.configuration = configuration
    self.random = random
  }

  // MARK: Input

  /// - Parameter bytes: one datagram, or one whole message from `StreamFramer`.
  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [UserAgentOutput]
  ) {}

  /// Nothing can be sent over this flow: the connection failed or closed.
  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [UserAgentOutput]) {}

  public mutating func advance(to now: Instant, into outputs: inout [UserAgentOutput]) {}

  public var nextDeadline: Instant { .never }

  // MARK: Calls

  public mutating func invite(
    _ invitation: Invitation, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> CallHandle { CallHandle(number: 0) }

  /// A provisional response to the INVITE that is pending.
  /// - Parameter status: 101…199, usually 180…183.
  /// - Parameter contactUser: user part of our Contact from now on, `nil`: as it was, at first the configuration's.
  /// - Parameter isFocus: `isfocus` in our Contact from now on; `nil`: as it was, at first without.
  public mutating func ring(
    _ call: CallHandle, status: Int = 180, contactUser: String? = nil, isFocus: Bool? = nil,
    headers: [HeaderField] = [], body: MessageBody? = nil, now: Instant, into outputs: inout [UserAgentOutput]
  ) {}

  /// 200 to the INVITE, re-INVITE or UPDATE that is pending. Contact as in `ring`.
  public mutating func answer(
    _ call: CallHandle, body: MessageBody?, contactUser: String? = nil, isFocus: Bool? = nil,
    headers: [HeaderField] = [], now: Instant, into outputs: inout [UserAgentOutput]
  ) {}

  /// A final refusal of the INVITE (the call is over), re-INVITE or UPDATE (the call goes on) that is pending.
  public mutating func reject(
    _ call: CallHandle, status: Int, reason: String? = nil, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {}

  /// A re-INVITE: `.answered` or `.reofferRefused` follows. 491 is retried here (RFC 3261 §14.1).
  public mutating func reinvite(
    _ call: CallHandle, body: MessageBody?, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {}

  /// An UPDATE (RFC 3311): `.answered` or `.reofferRefused` follows.
  public mutating func update(
    _ call: CallHandle, body: MessageBody?, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {}

  /// The ACK with our answer, after an INVITE or re-INVITE that we sent without an offer.
  public mutating func acknowledge(
    _ call: CallHandle, body: MessageBody?, now: Instant, into outputs: inout [UserAgentOutput]
  ) {}

  /// Ends the call by CANCEL, BYE or a final response, as its state wants; `.ended(_, .local)` comes at once.
  /// - Parameter status: the final response to an INVITE that is pending.
  /// - Parameter reason: value of the Reason header (RFC 3326): `SIP;cause=200;text="moved"`.
  public mutating func hangUp(
    _ call: CallHandle, status: Int = 480, reason: String? = nil, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {}

  // MARK: Requests

  /// A request in the call's dialog, early or confirmed: INFO, MESSAGE, OPTIONS …
  public mutating func request(
    _ method: SIPMethod, in call: CallHandle, headers: [HeaderField] = [], body: MessageBody? = nil, now: Instant,
    into outputs: inout [UserAgentOutput]
  ) -> RequestHandle { RequestHandle(number: 0) }

  public mutating func request(
    _ request: OutgoingRequest, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> RequestHandle { RequestHandle(number: 0) }

  /// - Parameter status: 200…699; provisional responses to requests other than INVITE are not sent (RFC 4320).
  public mutating func respond(
    to request: ServerRequestHandle, status: Int, reason: String? = nil, headers: [HeaderField] = [],
    body: MessageBody? = nil, now: Instant, into outputs: inout [UserAgentOutput]
  ) {}

  // MARK: Subscriptions

  public mutating func subscribe(
    _ subscription: OutgoingSubscription, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> SubscriptionHandle { SubscriptionHandle(number: 0) }

  /// 200 to a SUBSCRIBE; the caller sends the first NOTIFY with `notify` at once (RFC 6665 §4.2.1.2).
  /// - Parameter expiresSeconds: granted at most; what the subscriber asks for, if less.
  /// - Returns: `nil` when the request is gone, is no SUBSCRIBE outside a call, or the table is full (then answered).
  public mutating func acceptSubscription(
    of request: ServerRequestHandle, expiresSeconds: UInt32 = 3600, headers: [HeaderField] = [],
    contactUser: String? = nil, isFocus: Bool = false, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> SubscriptionHandle? { nil }

  /// A NOTIFY. It waits for the response to the one before; `.terminated` ends the subscription.
  public mutating func notify(
    _ subscription: SubscriptionHandle, state: SubscriptionState = .active, headers: [HeaderField] = [],
    body: MessageBody? = nil, now: Instant, into outputs: inout [UserAgentOutput]
  ) {}

  /// Subscriber: SUBSCRIBE with Expires: 0. Notifier: NOTIFY `terminated;reason=noresource`.
  public mutating func endSubscription(
    _ subscription: SubscriptionHandle, now: Instant, into outputs: inout [UserAgentOutput]
  ) {}
}
