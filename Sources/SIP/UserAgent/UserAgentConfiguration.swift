//  UserAgentConfiguration.swift: what a `UserAgent` is told once: addresses, methods, extensions, timers, limits.
import Primitives

/// Session timers (RFC 4028) as this side wants them.
public struct SessionTimerPolicy: Hashable, Sendable {
  public enum Refresher: Hashable, Sendable { case automatic, uac, uas }

  /// False: no Session-Expires of our own; the peer's wish is still honoured.
  public var isEnabled = true
  /// Session-Expires asked for and granted at most, seconds.
  public var expiresSeconds: UInt32 = 1800
  /// Min-SE: a shorter Session-Expires is refused with 422. At least 90 by RFC 4028 §5, smaller only for tests.
  public var minimumSeconds: UInt32 = 90
  /// Who refreshes when this side may choose: `.automatic` leaves it to the peer's wish, then to the UAC.
  public var refresher: Refresher = .automatic

  public init() {}
  public init(expiresSeconds: UInt32, minimumSeconds: UInt32 = 90, refresher: Refresher = .automatic) {
    self.expiresSeconds = expiresSeconds
    self.minimumSeconds = minimumSeconds
    self.refresher = refresher
  }
}

/// The identity and the habits of one `UserAgent`.
public struct UserAgentConfiguration: Sendable {
  /// The addresses that this side listens on, used in Via and Contact and as the local end of new flows.
  /// A transport without an address cannot be used.
  public var listen: [SIPTransport: SocketAddress] = [:]
  /// Put in Via and Contact in place of the listen address: the name or the outer address of a NAT.
  public var advertisedHost: String?
  /// Static names: lower-case host → address; its port 0 stands for the URI's or the transport's default.
  public var names: [String: SocketAddress] = [:]

  /// User part of Contact when a call does not name its own.
  public var contactUser = "parley"
  /// `Server` and `User-Agent`.
  public var productName = "Parley"

  /// Methods that reach the user; others that we know are answered 405. INVITE brings ACK, CANCEL, BYE and UPDATE
  /// of its own accord, and OPTIONS is always answered.
  public var allowedMethods: Set<SIPMethod> = [
    .invite, .ack, .cancel, .bye, .options, .info, .update, .prack, .subscribe, .notify, .message,
  ]
  /// Option tags understood besides `timer` and `100rel`: for Supported, and accepted in Require.
  public var extensions: [String] = []
  /// Accept of OPTIONS responses.
  public var acceptedTypes = ["application/sdp"]
  /// Event packages accepted in SUBSCRIBE and PUBLISH; anything else is 489. Empty: all are passed to the user.
  public var eventPackages: [String] = []
  /// Recv-Info of INVITE and its responses (RFC 6086). Empty: not sent.
  public var infoPackages: [String] = []

  /// T1, T2, T4 (RFC 3261 §17).
  public var timers = TransactionTimers()
  public var sessionTimer = SessionTimerPolicy()
  /// An incoming call that the user neither answers nor refuses is refused with 480 after this, an outgoing one
  /// that only gets provisional answers is cancelled.
  public var ringingTimeout: Interval = .seconds(180)
  /// A request or offer of the peer that the user leaves unanswered is answered 500 after this.
  public var answerTimeout: Interval = .seconds(30)
  /// Requests over 1300 bytes go by TCP (RFC 3261 §18.1.1), back to UDP when that fails.
  public var sendsLargeRequestsOverTCP = false

  public var limits = UserAgentLimits()

  public init() {}
}
