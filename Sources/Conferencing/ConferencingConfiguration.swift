//  ConferencingConfiguration.swift: what the conferencing core is told once: names, addresses, policy, limits.

import Primitives
import SIP

/// The configuration of one `ConferencingCore`.
public struct ConferencingConfiguration: Sendable {
  /// Domains whose `sip:NAME@DOMAIN` are conferences; compared without regard to case. Numeric hosts may be among them.
  public var domains: [String]
  /// Where the shell listens: goes into Via and Contact. Phones use UDP and TCP, media hosts TCP.
  public var listen: [SIPTransport: SocketAddress]
  /// Stands in Contact and Via in place of the listen address.
  public var advertisedHost: String?
  /// Any valid name in our domains is a meeting, created by its first caller. Off: every name is 404 until meetings can
  /// be scheduled.
  public var openMeetings = true
  /// An empty meeting is kept this long, with its media host, for those who come back.
  public var gracePeriod = Interval.seconds(30)
  public var maximumParticipants = 1_000
  public var maximumConferences = 10_000
  /// A caller who has neither media nor a refusal by then is refused with 503. Covers every media host that is tried.
  public var joinTimeout = Interval.seconds(20)
  /// How long one media host has to answer the control INVITE or a participant's INVITE before the next one is tried.
  public var serverTimeout = Interval.seconds(4)
  /// At most one NOTIFY to one watcher in this time; what changes meanwhile is told together (RFC 4575 §3.9 asks for 5 s;
  /// people at a screen want less).
  public var notificationInterval = Interval.milliseconds(500)
  public var maximumSubscriptionsPerConference = Limits.subscriptionsPerConference
  /// Hosts from which REGISTER and PUBLISH of media hosts are taken; ports do not count. Default: loopback.
  public var trustedMediaHosts = [
    SocketAddress(ipv4: 0x7f00_0001, port: 0), SocketAddress(high: 0, low: 1, port: 0),
  ]
  /// Session timer toward phones and media hosts (RFC 4028).
  public var sessionTimer = SessionTimerPolicy(expiresSeconds: 1_800)
  public var controlSessionTimer = SessionTimerPolicy(expiresSeconds: 90, refresher: .uac)
  public var userAgentLimits = UserAgentLimits()

  public init(domains: [String], listen: [SIPTransport: SocketAddress]) {
    self.domains = domains
    self.listen = listen
  }

  /// The user agent's share of this configuration.
  var userAgent: UserAgentConfiguration {
    var configuration = UserAgentConfiguration()
    configuration.listen = listen
    configuration.advertisedHost = advertisedHost
    configuration.contactUser = "focus"
    configuration.productName = "Parley"
    configuration.allowedMethods = [
      .invite, .ack, .cancel, .bye, .options, .info, .update, .prack, .subscribe, .notify, .register, .publish,
    ]
    configuration.acceptedTypes = ["application/sdp", "application/conference-info+xml", "application/cccp+xml"]
    configuration.sessionTimer = sessionTimer
    configuration.ringingTimeout = joinTimeout + .seconds(10)
    configuration.limits = userAgentLimits
    return configuration
  }
}
