//  Invitation.swift: what the user says about an INVITE, a subscription or another request that it wants sent.

/// An outgoing INVITE (RFC 3261 §13.2).
public struct Invitation: Sendable {
  /// Request-URI: `sip:` or `sips:` URI text without angle brackets.
  public var target: String
  /// Where to send it. `nil`: found from the first of `routes`, else from the target (numeric, or a static name).
  public var flow: SIPFlow?
  /// From and To without tag: `"Bo" <sip:bo@example.com>` or a bare URI.
  public var from: String
  public var to: String
  /// Preloaded route set, first hop first: `<sip:10.0.0.1;lr>`.
  public var routes: [String] = []
  public var headers: [HeaderField] = []
  /// `nil`: delayed offer; the answer carries the offer and `acknowledge` takes ours.
  public var body: MessageBody?
  /// The body carries no session description: the 2xx makes the offer, and `acknowledge` takes our answer, as with no
  /// body at all.
  public var expectsOffer = false
  /// Contact parameter `isfocus` (RFC 4579 §4.3).
  public var isFocus = false
  /// User part of our Contact; `nil`: the configuration's.
  public var contactUser: String?
  /// `nil`: the configuration's.
  public var sessionTimer: SessionTimerPolicy?
  /// A Call-ID to use; `nil`: a fresh random one.
  public var callID: String?

  public init(target: String, from: String, to: String, flow: SIPFlow? = nil, body: MessageBody? = nil) {
    self.target = target
    self.from = from
    self.to = to
    self.flow = flow
    self.body = body
  }
}

/// A request outside any dialog: REGISTER, PUBLISH, OPTIONS, MESSAGE …
public struct OutgoingRequest: Sendable {
  public var method: SIPMethod
  public var target: String
  public var flow: SIPFlow?
  public var from: String
  public var to: String
  public var routes: [String] = []
  public var headers: [HeaderField] = []
  public var body: MessageBody?
  /// Adds our Contact: REGISTER wants it. Its parameters follow in `contactParameters` (`;expires=60;+sip.instance=…`).
  public var hasContact = false
  public var contactUser: String?
  public var contactParameters = ""
  /// Call-ID and CSeq to use, so that refreshes of one registration stay in order (RFC 3261 §10.2); `nil`: fresh.
  public var callID: String?
  public var cseq: UInt32?

  public init(
    _ method: SIPMethod, target: String, from: String, to: String, flow: SIPFlow? = nil, body: MessageBody? = nil
  ) {
    self.method = method
    self.target = target
    self.from = from
    self.to = to
    self.flow = flow
    self.body = body
  }
}

/// An outgoing SUBSCRIBE (RFC 6665 §4.1). It is refreshed until `endSubscription` or its end by the notifier.
public struct OutgoingSubscription: Sendable {
  public var target: String
  public var flow: SIPFlow?
  public var from: String
  public var to: String
  public var routes: [String] = []
  /// Event package with its parameters: `conference`.
  public var event: String
  public var accept: [String]
  public var expiresSeconds: UInt32 = 3600
  public var headers: [HeaderField] = []
  public var body: MessageBody?
  public var contactUser: String?

  public init(
    target: String, from: String, to: String, event: String, accept: [String], expiresSeconds: UInt32 = 3600,
    flow: SIPFlow? = nil
  ) {
    self.target = target
    self.from = from
    self.to = to
    self.event = event
    self.accept = accept
    self.expiresSeconds = expiresSeconds
    self.flow = flow
  }
}

/// Subscription-State of a NOTIFY (RFC 6665 §8.2.3). `expires` is filled in by the `UserAgent`.
public enum SubscriptionState: Hashable, Sendable {
  case active
  case pending
  /// - Parameter reason: `deactivated`, `probation`, `rejected`, `timeout`, `giveup`, `noresource`, `invariant`.
  case terminated(reason: String, retryAfterSeconds: UInt32? = nil)
}
