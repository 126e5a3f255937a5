//  ReceiveStream.swift: the one RTP stream that a leg is believed to send (RFC 3550 §8, A.1).
//  Walk: RTPHeader → ReceiveStream.receive → AudioReceiver.insert, DTMFReceiver.receive

import Primitives
import RTP

/// What one packet's payload is.
enum ReceivedPayload: BitwiseCopyable {
  case audio
  case telephoneEvent(clockRate: Int32)
  /// Negotiated by nobody; counted as received.
  case unknown
}

struct ReceiveStream {
  /// Packets in a row that a new SSRC must send before it replaces the present one, unless that one is quiet.
  static let wantedOfNewSource = 3
  static let quiet = Interval.milliseconds(100)

  private(set) var ssrc: UInt32 = 0
  private(set) var isActive = false
  private(set) var statistics: ReceptionStatistics
  /// Over the leg's life.
  private(set) var bursts = BurstStatistics()
  private(set) var lastPacket = Instant.zero
  /// Over the leg's life, all sources together.
  private(set) var packets: UInt64 = 0
  private(set) var octets: UInt64 = 0
  private var lostBefore: Int64 = 0
  private var reorderedBefore: UInt32 = 0
  private var candidate: UInt32 = 0
  private var candidatePackets = 0
  private var minimumSequential: UInt8
  /// Payload type → what it is: index of a clock rate below, 0 unknown.
  private var kinds: InlineArray<128, UInt8> = InlineArray(repeating: 0)

  /// - Parameter isAuthenticated: packets carry a tag: no probation.
  init(configuration: LegConfiguration, isAuthenticated: Bool) {
    minimumSequential = isAuthenticated ? 0 : 2
    statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: isAuthenticated ? 0 : 2)
    configure(configuration, isAuthenticated: isAuthenticated)
  }

  mutating func configure(_ configuration: LegConfiguration, isAuthenticated: Bool) {
    minimumSequential = isAuthenticated ? 0 : 2
    kinds = InlineArray(repeating: 0)
    for format in configuration.receive.prefix(MediaWorkerLimits.receiveFormatsPerLeg) {
      kinds[Int(format.payloadType & 0x7f)] = format.codec.clockRate == 48_000 ? 2 : 1
    }
    for event in configuration.telephoneEvents.prefix(2) {
      kinds[Int(event.payloadType & 0x7f)] = event.clockRate == 48_000 ? 4 : 3
    }
  }

  /// What the peer's next packet would have to do to be taken up.
  enum Outcome: BitwiseCopyable {
    case expected(ReceivedPayload)
    /// Another source, or the same after a believed jump: play-out starts anew.
    case restarted(ReceivedPayload)
  }

  /// Counts one packet whose leg accepts media.
  ///
  /// - Throws: `.onProbation` for a source or jump not yet believed.
  mutating func receive(_ header: RTPHeader, byteCount: Int, now: Instant) throws(DropReason) -> Outcome {
    let kind = kinds[Int(header.payloadType & 0x7f)]
    var restarted = false
    if !isActive || header.ssrc != ssrc {
      restarted = try change(to: header.ssrc, now: now)
    }
    if kind == 1 || kind == 2 { statistics.clockRate = kind == 2 ? 48_000 : 8_000 }
    let restartsBefore = statistics.restarts
    let extended = try statistics.receive(
      sequence: header.sequence, timestamp: header.timestamp, arrival: now, measuresJitter: kind == 1 || kind == 2)
    restarted = restarted || statistics.restarts != restartsBefore
    if restarted { bursts.restart() }
    bursts.receive(extended)
    packets &+= 1
    octets &+= UInt64(truncatingIfNeeded: byteCount)
    lastPacket = now
    candidatePackets = 0
    let payload: ReceivedPayload =
      switch kind {
      case 1, 2: .audio
      case 3: .telephoneEvent(clockRate: 8_000)
      case 4: .telephoneEvent(clockRate: 48_000)
      default: .unknown
      }
    return restarted ? .restarted(payload) : .expected(payload)
  }

  private mutating func change(to newSource: UInt32, now: Instant) throws(DropReason) -> Bool {
    let wasActive = isActive
    if isActive, now - lastPacket < Self.quiet {
      candidatePackets = candidate == newSource ? candidatePackets + 1 : 1
      candidate = newSource
      guard candidatePackets >= Self.wantedOfNewSource else { throw .onProbation }
    }
    if isActive {
      lostBefore &+= statistics.lost
      reorderedBefore &+= statistics.reordered
    }
    ssrc = newSource
    isActive = true
    candidatePackets = 0
    statistics = ReceptionStatistics(clockRate: statistics.clockRate, minimumSequential: minimumSequential)
    return wasActive
  }

  var packetsLost: Int64 { lostBefore &+ (isActive ? statistics.lost : 0) }
  /// Older than one that had come before, duplicates included.
  var packetsReordered: UInt32 { reorderedBefore &+ statistics.reordered }
  /// Of the jitter's units.
  var clockRate: UInt32 { statistics.clockRate }
  var jitter: UInt32 { isActive ? statistics.jitter : 0 }

  mutating func senderReportReceived(from source: UInt32, ntp: UInt64, now: Instant) {
    guard isActive, source == ssrc else { return }
    statistics.senderReportReceived(ntp: ntp, arrival: now)
  }

  /// `nil` while nothing can be said.
  mutating func reportBlock(now: Instant) -> RTCPReportBlock? {
    guard isActive, statistics.isValid else { return nil }
    return statistics.reportBlock(ssrc: ssrc, now: now)
  }
}
