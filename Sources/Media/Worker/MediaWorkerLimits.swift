//  MediaWorkerLimits.swift: every bound of one worker's tables, queues and loops.

import Primitives

/// The named maxima of one `MediaWorker`. Tables are allocated once at these sizes.
public struct MediaWorkerLimits: Sendable, Hashable {
  /// Legs at once; one more is refused with `tooManyLegs`.
  public var legs = 4096
  /// Meetings at once.
  public var meetings = 1024
  /// Legs in one meeting.
  public var legsPerMeeting = 4096
  /// Packet buffers of `PacketPool.bufferSize` bytes.
  public var packets = 16_384
  /// The loudest K whose audio is decoded and mixed, 1…`maximumTalkers`.
  public var talkers = 4
  /// Different formats (codec, ptime, encoder settings) that the listeners of one meeting may use; one more is refused.
  public var formatsPerMeeting = 32
  /// Keys of unlatched legs tried on one packet from an unknown source.
  public var latchTriesPerPacket = 8
  /// Keys tried on packets from one unknown host in a second.
  public var latchTriesPerHostAndSecond = 400
  /// Keys tried on packets from all unknown sources in a second: bounds what a spray from many addresses costs.
  public var latchTriesPerSecond = 20_000
  /// Authentic packets accepted from one leg in a second: ptime 10 with telephone events and RTCP needs 150.
  public var packetsPerLegAndSecond = 400
  /// Ticks a meeting makes up for when the worker was late; older ones are skipped.
  public var ticksToCatchUp = 5
  /// Messages to other workers that one turn may leave: 2 KiB each.
  public var linkMessages = 1024
  /// Legs' seconds that wait for the shell; more are lost, and counted.
  public var evidence = 4096
  /// How long a latched address must be quiet before an authentic packet may move the leg to another one.
  public var relatchQuiet = Interval.milliseconds(200)

  /// How long a latched address must be quiet before a packet that is authentic for *another* leg may take it over.
  public var takeoverQuiet = Interval.seconds(1)

  /// Other workers that a meeting may have parts on.
  public static let linkedPeers = 63
  /// The compile-time bound of `talkers`: storage in a meeting is inline.
  public static let maximumTalkers = 8
  /// Workers of one host: two sockets each, named by a byte.
  public static let workers = 128
  /// Receive formats of one leg.
  public static let receiveFormatsPerLeg = 8
  /// Bytes of one encoded audio payload: RFC 6716's longest frame, which also exceeds 60 ms of G.722.
  public static let payloadBytes = 1275
  /// Bytes of RTCP canonical name.
  public static let cnameBytes = 64

  public init() {}
}
