//  AVConferencingConfiguration.swift: what the operator decides about one media host's control core.

import Media
import MediaTransport
import Primitives
import SIP

/// One media worker as signalling sees it.
public struct WorkerEndpoint: Hashable, Sendable {
  /// Where every leg of this worker receives RTP (and RTCP with rtcp-mux), as written into SDP.
  public var media: SocketAddress
  /// Where endpoints without rtcp-mux send RTCP: the next port up.
  public var control: SocketAddress

  public init(media: SocketAddress) {
    self.media = media
    control = media.with(port: media.port &+ 1)
  }
}

public struct AVConferencingConfiguration: Sendable {
  /// The host's short name: user part of its address of record, `id` of its load documents.
  public var name: String
  /// `urn:uuid:…`: one process of one host, for `+sip.instance` (RFC 5626 §4.1).
  public var instance: String
  /// The user part at which control dialogs are opened.
  public var serviceUser = "av"
  /// Where signalling reaches this host: the Contact's host and port.
  public var signalling: SocketAddress
  /// Transport named in our Contacts.
  public var transport: SIPTransport = .tcp

  /// The Conferencing Server Factory's URI (control protocol P1).
  public var factory = "sip:mcufactory@127.0.0.1"
  /// The front ends to register with, at most `Limits.frontEnds`; none: the host is driven by whoever calls it.
  public var frontEnds: [SIPFlow] = []
  public var registrationExpires = 60
  /// Pause after a failed registration; doubles up to `registrationRetryMaximum`.
  public var registrationRetry = Interval.milliseconds(250)
  public var registrationRetryMaximum = Interval.seconds(5)
  /// Seconds that one load document holds (control protocol P2).
  public var loadExpires = 15
  public var loadPeriod = Interval.seconds(5)

  /// Hosts that may control this one; loopback is always trusted unless `trustsLoopback` is off.
  public var trustedPeers: [SocketAddress] = []
  public var trustsLoopback = true
  /// Lets an INVITE to any user part make a meeting of that name, without a Focus. For tests, `sipp` and benchmarks of
  /// one host; off by default because it bypasses every policy of the Focus.
  public var standalone = false

  /// At least one, at most `Limits.workers`.
  public var workers: [WorkerEndpoint]
  public var maximumLegs = 4_096
  public var maximumMeetings = 1_024
  public var maximumLegsPerMeeting = 4_096
  /// Legs of one meeting on one worker from which on further ones go to another worker.
  public var splitLegs = 1_000
  /// Share of a worker's time from which on further legs of its larger meetings go to another worker …
  public var splitBusy = 0.60
  /// … and how many legs make a meeting a larger one.
  public var smallestSplit = 50
  /// Seconds named in `Retry-After` when the host is full or overloaded.
  public var retryAfter = 5
  /// Share of a worker's time above which the host takes no further legs.
  public var overloadBusy = 0.90
  /// Share below which it takes legs again.
  public var recoveredBusy = 0.75

  /// In our order of preference.
  public var codecs: [AudioCodec] = [.opus, .g722, .pcma, .pcmu]
  /// Accepted suites; the strongest common one is chosen.
  public var suites: [SRTPSuite] = SRTPSuite.allCases
  /// Accept RTP without encryption, from the signalled address only.
  public var allowPlainRTP = false
  /// What our Opus encoder does when the peer expresses no wish.
  public var opus = OpusPreferences()
  /// How long a leg may send nothing before it is reported silent.
  public var mediaTimeout = Interval.seconds(30)
  /// Session interval that we ask for on participant legs (RFC 4028), seconds.
  public var sessionExpires = 1_800

  public init(name: String, instance: String, signalling: SocketAddress, workers: [WorkerEndpoint]) {
    self.name = name
    self.instance = instance
    self.signalling = signalling
    self.workers = workers
  }
}
