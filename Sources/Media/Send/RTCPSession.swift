//  RTCPSession.swift: one leg's reports: when, what, and what the peer's reports say (RFC 3550 §6).
//  Walk: Meeting's tick → RTCPSession.write → MediaWorker.protectEgress; SRTPQueue.unprotect → RTCPSession.receive

import Primitives
import RTP

struct RTCPSession {
  /// Of one leg's media, for RTCP's share of 5 % (RFC 3550 §6.2).
  static let sessionBandwidth = 64_000

  private var schedule: RTCPSchedule
  private var name: InlineArray<64, UInt8> = InlineArray(repeating: 0)
  private var nameCount = 0
  private var sentAtLastReport: UInt64 = 0
  private var sentBefore: UInt64 = 0
  /// By the peer's reports, or by reference times.
  private(set) var roundTripMicroseconds: UInt32 = 0
  private(set) var remoteFractionLost: UInt8 = 0
  private(set) var packetsReceived: UInt64 = 0
  /// Of them, how many told of what we send.
  private(set) var reportsReceived: UInt64 = 0
  private(set) var remote = RemoteReception()
  /// The peer's clocks, by its last sender report.
  private(set) var clock: RTPClockMapping?
  /// What the peer last said of our stream.
  private(set) var remoteMetrics: RTCPVoIPMetrics?
  private var reference: PeerReference?
  private(set) var usesFeedback = false
  private var isReducedSize = false
  private(set) var extendsReports = false
  /// The report now to be written is an early one.
  private var isEarly = false
  /// Losses of the peer's stream that our last report told.
  var lossReported: Int64 = 0
  var quality = LegQuality()

  /// The peer's reference time, to be given back (RFC 3611 §4.4).
  private struct PeerReference: BitwiseCopyable {
    var ssrc: UInt32
    var compact: UInt32
    var arrival: Instant
  }

  /// Losses since the last report that make an early one, where the profile has them.
  static let lossesOfEarlyReport: Int64 = 5

  init(_ configuration: LegConfiguration, now: Instant, random: inout RandomSource) {
    schedule = RTCPSchedule(
      sessionBandwidth: Self.sessionBandwidth, minimum: Self.minimum(configuration), now: now, random: &random)
    schedule.setMembers(2, senders: 1)
    configure(configuration)
    for byte in configuration.cname.utf8.prefix(MediaWorkerLimits.cnameBytes) {
      name[nameCount] = byte
      nameCount += 1
    }
  }

  /// What offer and answer say of RTCP, again after each.
  mutating func configure(_ configuration: LegConfiguration) {
    schedule.minimum = Self.minimum(configuration)
    usesFeedback = configuration.rtcpFeedback
    isReducedSize = configuration.rtcpReducedSize
    extendsReports = extendsReports || configuration.rtcpExtendedReports
  }

  /// Feedback profiles know no least interval (RFC 4585 §3.4 c); a second is often enough for reports of one stream.
  private static func minimum(_ configuration: LegConfiguration) -> Interval {
    configuration.rtcpFeedback ? .seconds(1) : RTCPSchedule.defaultMinimum
  }

  /// Whether so much was lost since the last report that the next must not wait, where the profile allows it.
  mutating func isDueEarly(lost: Int64, now: Instant, random: inout RandomSource) -> Bool {
    guard usesFeedback, lost &- lossReported >= Self.lossesOfEarlyReport,
      schedule.beginEarly(now: now, random: &random)
    else { return false }
    isEarly = true
    return true
  }

  mutating func isDue(now: Instant, random: inout RandomSource) -> Bool {
    // Members are two, so reconsideration never moves the deadline for long.
    guard now >= schedule.deadline, schedule.isDue(now: now, random: &random) else { return false }
    isEarly = false
    return true
  }

  /// Writes one compound: SR or RR, SDES, extended reports where the peer knows them, and BYE at the end of the leg. An
  /// early one is a report alone where packets of reduced size were agreed.
  ///
  /// - Parameters:
  ///   - metrics: how the peer's stream fares.
  ///   - wall: now, for the sender report's NTP time.
  ///   - timestamp: the RTP timestamp of now.
  /// - Returns: its count; `nil` when it does not fit.
  func write(
    send: SendStream, block: RTCPReportBlock?, metrics: RTCPVoIPMetrics?, wall: WallTime, timestamp: UInt32,
    goodbye: Bool, now: Instant, into bytes: inout MutableRawSpan
  ) -> Int? {
    var writer = RTCPWriter()
    // A sender report when RTP was sent since the second last report (RFC 3550 §6.4).
    if send.packets != sentBefore {
      let sender = RTCPSenderInfo(
        ntp: wall.ntp, rtpTimestamp: timestamp, packetCount: UInt32(truncatingIfNeeded: send.packets),
        octetCount: UInt32(truncatingIfNeeded: send.octets))
      guard writer.senderReport(ssrc: send.ssrc, sender, into: &bytes) else { return nil }
    } else {
      guard writer.receiverReport(ssrc: send.ssrc, into: &bytes) else { return nil }
    }
    if let block { guard writer.reportBlock(block, into: &bytes) else { return nil } }
    if isEarly, isReducedSize, !goodbye { return writer.count }
    let cname = unsafe name.span.extracting(0..<nameCount).bytes
    guard writer.sourceDescription(ssrc: send.ssrc, cname: cname, into: &bytes) else { return nil }
    if extendsReports {
      guard writeExtended(&writer, send.ssrc, metrics, wall, now: now, into: &bytes) else { return nil }
    }
    if goodbye { guard writer.bye(ssrc: send.ssrc, reason: RawSpan(), into: &bytes) else { return nil } }
    return writer.count
  }

  private func writeExtended(
    _ writer: inout RTCPWriter, _ ssrc: UInt32, _ metrics: RTCPVoIPMetrics?, _ wall: WallTime, now: Instant,
    into bytes: inout MutableRawSpan
  ) -> Bool {
    guard writer.extendedReport(ssrc: ssrc, into: &bytes), writer.receiverReferenceTime(ntp: wall.ntp, into: &bytes)
    else { return false }
    if let reference {
      let delay = RTCPReceiverDelay(
        ssrc: reference.ssrc, lastReceiverReport: reference.compact,
        delaySinceLastReceiverReport: RoundTrip.delay(now - reference.arrival))
      guard writer.receiverDelay(delay, into: &bytes) else { return false }
    }
    guard let metrics else { return true }
    return writer.voipMetrics(metrics, into: &bytes)
  }

  /// A compound of `count` octets, protection included, was sent.
  mutating func sent(count: Int, send: SendStream, now: Instant, random: inout RandomSource) {
    if isEarly {
      isEarly = false
      schedule.sentEarly(count: count)
      return
    }
    sentBefore = sentAtLastReport
    sentAtLastReport = send.packets
    schedule.isSender = send.packets != sentBefore
    schedule.setMembers(2, senders: schedule.isSender ? 2 : 1)
    schedule.sent(count: count, now: now, random: &random)
  }

  /// What a compound from the peer told beside its reports.
  struct Received: BitwiseCopyable {
    var source: UInt32 = 0
    var saidGoodbye = false
  }

  /// Reads an unprotected compound.
  ///
  /// - Parameters:
  ///   - send: our stream, of which it may tell.
  ///   - isAuthentic: it was encrypted: then a packet of reduced size is taken without having been agreed, because it
  ///     cannot be anything else by chance (RFC 5506 §4.2 would have each such datagram checked harder).
  /// - Throws: as `RTCPCompound.init`; nothing of it has then been used.
  mutating func receive(
    _ bytes: RawSpan, stream: inout ReceiveStream, send: SendStream, isAuthentic: Bool, wall: WallTime, now: Instant
  ) throws(DropReason) -> Received {
    var compound = try RTCPCompound(parsing: bytes, reducedSize: isAuthentic || isReducedSize)
    var received = Received()
    while let packet = compound.next(in: bytes) {
      switch packet {
      case .senderReport(let source, let sender, let blocks):
        received.source = source
        stream.senderReportReceived(from: source, ntp: sender.ntp, now: now)
        if stream.isActive, source == stream.ssrc { clock = RTPClockMapping(sender, arrival: now) }
        take(blocks.block(about: send.ssrc, in: bytes), send, wall, now: now)
      case .receiverReport(let source, let blocks):
        received.source = source
        take(blocks.block(about: send.ssrc, in: bytes), send, wall, now: now)
      case .bye(let bye):
        if bye.names(stream.isActive ? stream.ssrc : received.source, in: bytes) { received.saidGoodbye = true }
      case .extendedReport(let report): take(report, in: bytes, send, wall, now: now)
      case .sourceDescription, .other: break
      }
    }
    packetsReceived &+= 1
    schedule.received(count: bytes.byteCount)
    return received
  }

  private mutating func take(_ block: RTCPReportBlock?, _ send: SendStream, _ wall: WallTime, now: Instant) {
    guard let block else { return }
    remoteFractionLost = block.fractionLost
    reportsReceived &+= 1
    remote.take(block, sent: send.packets, now: now)
    if let trip = RoundTrip.time(of: block, arrival: wall.ntp) {
      roundTripMicroseconds = UInt32(clamping: trip.nanoseconds / 1_000)
    }
  }

  private mutating func take(
    _ report: RTCPExtendedReport, in bytes: RawSpan, _ send: SendStream, _ wall: WallTime, now: Instant
  ) {
    // Who sends them reads them.
    extendsReports = true
    var report = report
    while let block = report.next(in: bytes) {
      switch block {
      case .receiverReferenceTime(let ntp):
        reference = PeerReference(ssrc: report.ssrc, compact: RoundTrip.compact(ntp), arrival: now)
      case .receiverDelays(let delays):
        guard let delay = delays.delay(about: send.ssrc, in: bytes),
          let trip = RoundTrip.time(of: delay, arrival: wall.ntp)
        else { continue }
        roundTripMicroseconds = UInt32(clamping: trip.nanoseconds / 1_000)
      case .voipMetrics(let metrics): if metrics.ssrc == send.ssrc { remoteMetrics = metrics }
      case .statisticsSummary, .other: continue
      }
    }
  }
}
