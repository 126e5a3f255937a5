//  UserAgentEvent.swift: what a `UserAgent` puts out: bytes to send, and what happened to calls and requests.

/// To be performed in order.
public enum UserAgentOutput: Sendable {
  case transmit([UInt8], SIPFlow)
  case event(UserAgentEvent)
}

/// Why a call is over. `.ended` comes exactly once for each call that was not `.refused`.
public enum CallEnd: Sendable {
  /// The peer's BYE.
  case byReceived(SIPMessage)
  /// The peer's CANCEL, before the call was answered.
  case cancelled
  /// No refresh in time, or the refresh failed (RFC 4028 §10).
  case sessionExpired
  /// The peer never acknowledged our 2xx; BYE was sent (RFC 3261 §13.3.1.4).
  case noACK
  /// A request in the dialog was answered 481 or 408, or not at all: the dialog is gone (RFC 3261 §12.2.1.2).
  case dialogLost(status: Int)
  /// A request in the dialog could not be sent: its connection is gone and no other could be opened.
  case transport
  /// Rang too long: `ringingTimeout`.
  case unanswered
  /// Our own `hangUp` or `reject`.
  case local
}

/// Why a request got no response.
public enum RequestFailure: Error, Hashable, Sendable {
  case timeout
  case transport
  /// No address for the target: not numeric, not in the static names, or a transport that is not configured.
  case unresolved
  /// A table is full; see `UserAgentLimits`.
  case full
  /// The call or its dialog is over, or is not in a state that allows the request.
  case noDialog
}

public enum SubscriptionEnd: Sendable {
  /// Subscriber: the notifier's NOTIFY said `terminated`.
  case terminated(reason: String?, retryAfterSeconds: UInt32?)
  /// Subscriber: the SUBSCRIBE was refused.
  case refused(status: Int, SIPMessage?)
  /// Notifier: the subscriber asked for Expires: 0.
  case unsubscribed
  /// Either: the time ran out without a refresh.
  case expired
  /// Notifier: a NOTIFY was answered with this status, 408 when not at all.
  case notifyFailed(status: Int)
  /// Notifier: more NOTIFYs were queued than `UserAgentLimits.queuedNotifies`.
  case overflow
  case failed(RequestFailure)
  /// Our own `endSubscription`.
  case local
}

public enum UserAgentEvent: Sendable {
  // Calls
  /// A new INVITE: `ring`, `answer`, `reject` or `hangUp`.
  case invited(CallHandle, SIPMessage, SIPFlow)
  /// A re-INVITE, or an UPDATE with a body: `answer` or `reject`. Without a body the answer makes the offer.
  case offered(CallHandle, SIPMessage)
  /// The ACK of our 2xx came: of the first one, or of a re-INVITE's.
  case acknowledged(CallHandle, SIPMessage)
  /// A provisional response other than 100.
  case progressed(CallHandle, SIPMessage)
  /// A 2xx to our INVITE, re-INVITE or UPDATE. After an INVITE without body: `acknowledge` with the answer.
  case answered(CallHandle, SIPMessage)
  /// The call that we made was refused: 300…699 as received, or without a message 408 (no response), 503 (transport,
  /// address, own tables). It is over.
  case refused(CallHandle, status: Int, SIPMessage?)
  /// Our re-INVITE or UPDATE was refused; the call goes on as it was.
  case reofferRefused(CallHandle, status: Int, SIPMessage?)
  case ended(CallHandle, CallEnd)

  // Requests that are not INVITE
  /// Answer with `respond`, or a SUBSCRIBE with `acceptSubscription`. The call is there when it came in its dialog.
  case requested(ServerRequestHandle, CallHandle?, SIPMessage, SIPFlow)
  /// A final response.
  case responded(RequestHandle, CallHandle?, SIPMessage)
  case failed(RequestHandle, CallHandle?, RequestFailure)

  // Subscriptions
  /// A NOTIFY; it has been answered 200.
  case notified(SubscriptionHandle, SIPMessage)
  /// Subscriber: the first 2xx to SUBSCRIBE.
  case subscriptionAccepted(SubscriptionHandle, SIPMessage)
  /// Notifier: the subscriber refreshed and was answered 200: `notify` is due (RFC 6665 §4.2.1.2).
  case subscriptionRefreshed(SubscriptionHandle, SIPMessage)
  case subscriptionEnded(SubscriptionHandle, SubscriptionEnd)
}
