//  MediaCommand.swift: what the control core asks of a worker, and what the worker reports: the whole interface between them.

import Primitives

/// From the control core to a worker that has the meeting or a part of it, in order, through one queue.
public enum MediaCommand: Sendable {
  /// - Parameter phase: 0..<32, of the tick, when other workers have parts of the meeting or may get them; `nil`: the
  ///   worker's emptiest.
  case openMeeting(MeetingID, phase: Int? = nil)
  /// Which other workers have parts of it: after `openMeeting`, and whenever that changes.
  case linkMeeting(MeetingID, MeetingParts)
  /// The meeting, or this worker's part of it, goes to another worker of the host between two of its ticks: legs, keys,
  /// streams, jitter buffers and encoders as they are. Links to other parts are given up: link again once it has arrived.
  case moveMeeting(MeetingID, to: Int)
  /// Closes every leg still in it.
  case closeMeeting(MeetingID)
  case openLeg(LegConfiguration)
  /// Re-negotiated: address, codec, key, direction or ptime. Statistics, jitter buffer and latching continue where
  /// they still apply; a changed key or address starts latching anew.
  case modifyLeg(LegConfiguration)
  /// Sends RTCP BYE and answers with `legClosed`.
  case closeLeg(LegID)
  /// Mute (`media-ingress-filter` block): the mixer no longer hears this leg.
  case setIngress(LegID, blocked: Bool)
  /// Deafen (`media-egress-filter` block): the leg is sent nothing but RTCP.
  case setEgress(LegID, blocked: Bool)
}

/// From a worker to its control core.
public enum MediaEvent: Sendable {
  case legOpened(LegID)
  /// The leg table, a meeting or the pool is at its limit.
  case legRefused(LegID, reason: LegRefusal)
  /// The first authentic packet: from where, and the peer's SSRC.
  case legConnected(LegID, source: SocketAddress, remoteSSRC: UInt32)
  /// Nothing authentic arrived for the leg's `mediaTimeout`. Reported once until media resumes.
  case legSilent(LegID)
  case legResumed(LegID)
  case legClosed(LegID, LegStatistics)
  /// RTCP BYE from the peer: advice, the signalling decides.
  case legSaidGoodbye(LegID)
  /// One complete key press (RFC 4733): `0…9 * # A…D`, reported at its end, once.
  case digit(LegID, digit: UInt8, milliseconds: Int)
  /// Who is heard now, loudest first, at most the mixer's number of talkers; sent on change, at most once a second.
  case activeTalkers(MeetingID, [LegID])
  /// The worker has let go of the meeting; it tells nothing more of its legs.
  case meetingLeft(MeetingID, to: Int)
  /// It is on this worker now, which tells of its legs from here on.
  case meetingArrived(MeetingID, legs: Int)
  /// It could not leave: there is no such meeting or worker, or no room to send its peers' datagrams on.
  case meetingStayed(MeetingID)
  /// It could not be taken in: its legs are closed. Placement must not let this happen.
  case meetingLost(MeetingID)
  /// Once a second.
  case report(WorkerReport)
}

public enum LegRefusal: UInt8, Sendable {
  case tooManyLegs, unknownMeeting, duplicateLeg, badConfiguration
}

/// Counters of one leg over its life.
public struct LegStatistics: Sendable, Hashable {
  public var packetsReceived: UInt64 = 0
  public var bytesReceived: UInt64 = 0
  public var packetsSent: UInt64 = 0
  public var bytesSent: UInt64 = 0
  /// RFC 3550 §6.4.1: cumulative loss, may be negative through duplicates.
  public var packetsLost: Int64 = 0
  /// In timestamp units of the receiving codec's clock.
  public var jitter: UInt32 = 0
  public var framesConcealed: UInt64 = 0
  public var packetsLate: UInt64 = 0
  public var packetsDropped: UInt64 = 0
  /// From RTCP's LSR and DLSR; 0 when the peer reported none.
  public var roundTripMicroseconds: UInt32 = 0
  /// What the peer last reported of our stream, 0…255 of 256.
  public var remoteFractionLost: UInt8 = 0
  /// What the peer reported of our stream as lost, ever; negative when duplicates outnumber losses.
  public var remotePacketsLost: Int32 = 0
  /// Of the peer's last report about our stream; 0 before one.
  public var remoteJitterMicroseconds: UInt32 = 0
  /// How the peer is probably heard here (ITU-T G.107): mean opinion score in hundredths, 100…450; 0 while unknown.
  public var opinionIn: UInt16 = 0
  /// The same for what the peer hears of us, by its reports.
  public var opinionOut: UInt16 = 0
  public init() {}
}

/// One worker's second, for load reports and metrics. Counters count from the worker's start, so that a report that is
/// lost loses nothing; `busy`, `slack` and `residence` are of the last second.
public struct WorkerReport: Sendable {
  public var worker = 0
  public var meetings = 0
  public var legs = 0
  public var packetsIn: UInt64 = 0
  public var packetsOut: UInt64 = 0
  /// Datagrams of legs that have moved, sent on to where they are.
  public var packetsSentOn: UInt64 = 0
  /// Legs elsewhere whose peers still send here.
  public var legsAway = 0
  public var drops = DropCounters()
  public var decodes: UInt64 = 0
  public var encodes: UInt64 = 0
  public var decodesByCodec = CodecCounters()
  public var encodesByCodec = CodecCounters()
  /// Packets of talkers that were forwarded as they are, each counted once.
  public var forwards: UInt64 = 0
  /// Encode groups that went from forwarding to mixing or back in mid-stream.
  public var switches: UInt64 = 0
  /// Legs that were given in-band FEC because their peer reported loss, or that gave it up again.
  public var repairChanges: UInt64 = 0
  public var poolCapacity = 0
  public var poolAvailable = 0
  /// Share of the last second that the worker did not wait, 0…1.
  public var busy: Double = 0
  /// CPU time of the worker's thread, ever; 0 where the shell does not measure it.
  public var cpuMicroseconds: UInt64 = 0
  /// Ticks that ended after their deadline, ever.
  public var lateTicks: UInt64 = 0
  /// Messages to other workers that were lost because a queue was full, ever.
  public var linkOverflow: UInt64 = 0
  /// Frames of talkers on other workers that were missing when they were to be mixed (bridged by a fade), and that came
  /// too late, ever.
  public var linkFramesLost: UInt64 = 0
  public var linkFramesLate: UInt64 = 0
  /// What the worker leaves out now, and how often it took a step to leave out more, and less, ever.
  public var overload = OverloadStep.normal
  public var overloadRaised: UInt64 = 0
  public var overloadLowered: UInt64 = 0
  /// Deadline minus finish of this second's ticks, microseconds: `p99` is what 99 % of the ticks had at least.
  public var slack = LatencySummary()
  /// Arrival to departure of mixed packets, microseconds.
  public var residence = LatencySummary()
  /// As `slack` and `residence`, ever.
  public var slackHistogram = DurationHistogram.slack
  public var residenceHistogram = DurationHistogram.residence
  /// Of datagrams, without UDP and IP.
  public var bytesIn: UInt64 = 0
  public var bytesOut: UInt64 = 0
  /// Legs of the meeting that has most of them.
  public var largestMeeting = 0
  public var costs = WorkerCosts()
  /// Legs' seconds that the shell did not take in time, ever.
  public var evidenceLost: UInt64 = 0
  public init() {}
}

public struct LatencySummary: Sendable, Hashable {
  public var count: UInt64 = 0
  public var minimum: Int32 = 0
  public var p50: Int32 = 0
  public var p99: Int32 = 0
  public var p999: Int32 = 0
  public var maximum: Int32 = 0
  public init() {}
}

/// One counter for each codec.
@frozen public struct CodecCounters: Sendable {
  @usableFromInline var counts: InlineArray<4, UInt64> = InlineArray(repeating: 0)

  @inlinable public init() {}
  @inlinable public mutating func add(_ count: UInt64, _ codec: AudioCodec) {
    counts[Int(codec.rawValue)] &+= count
  }
  @inlinable public subscript(_ codec: AudioCodec) -> UInt64 { counts[Int(codec.rawValue)] }
}
