//  Limits.swift: the bounds of every table, queue and loop of this module that the network can fill.

import Primitives

/// Named bounds. Each has a test at the bound and one past it, or is far above what another bound lets through.
public enum Limits {
  /// Characters of a conference's name: the user part of its URI.
  public static let conferenceNameLength = 64
  /// Characters kept of a participant's URI and display name; longer names are cut, longer URIs refused.
  public static let userEntityLength = 256
  public static let displayNameLength = 128
  /// Users who left, kept so that a watcher who slept through their leaving can still be given a partial document.
  public static let rosterTombstones = 512
  /// Media of one endpoint that the roster keeps, as the media host reports them.
  public static let mediaPerEndpoint = 16
  /// Telephone keys of one report that are told one by one.
  public static let digitsPerReport = 32
  /// Media hosts tried for one meeting before its callers are refused.
  public static let serverAttempts = 3
  /// Registered media hosts.
  public static let servers = 256
  /// Conferencing server types of one media host.
  public static let serverTypes = 8
  /// Leases out on one media host; one more and it counts as full until some run out.
  public static let leasesPerServer = 4_096
  /// Watchers of one conference.
  public static let subscriptionsPerConference = 8_192
  /// Commands under way or waiting on one control dialog.
  public static let commandsPerControl = 64
  /// Outputs of the user agent that are performed in one turn; what is left over is performed in the next, at once.
  public static let eventsPerInput = 20_000

  /// A media host promised to a joiner keeps the promise this long (control protocol P3: a lease of 30 s).
  public static let leaseDuration = Interval.seconds(30)
  /// Shortest and longest time a media host's registration is granted for.
  public static let registrationMinimumSeconds = 10
  public static let registrationMaximumSeconds = 3_600
  /// Shortest and longest life of one load report: it is published every 5 s, and three missing reports are a failure.
  public static let loadMinimumSeconds = 3
  public static let loadMaximumSeconds = 15
  /// How long a media host whose connection broke has to answer an OPTIONS (control protocol P2).
  public static let probeTimeout = Interval.milliseconds(500)
  /// Shortest, default and longest time a subscription is granted for (RFC 4575 §3.4: 3600 s by default).
  public static let subscriptionMinimumSeconds = 60
  public static let subscriptionDefaultSeconds = 3_600
  public static let subscriptionMaximumSeconds = 7_200
}
