//  RTCPExtendedReport.swift: extended reports: reference times, statistics, VoIP metrics, read in place (RFC 3611).
//  Walk: RTCPCompound → RTCPExtendedReport → RTCPSession

import Primitives

/// Block types (RFC 3611 §4).
@frozen public enum RTCPExtendedType {
  @inlinable public static var receiverReferenceTime: UInt8 { 4 }
  @inlinable public static var delaySinceLastReceiverReport: UInt8 { 5 }
  @inlinable public static var statisticsSummary: UInt8 { 6 }
  @inlinable public static var voipMetrics: UInt8 { 7 }
}

/// What one receiver tells of another's reference time, so that a peer that sends no RTP can measure a round trip
/// (RFC 3611 §4.5).
@frozen public struct RTCPReceiverDelay: Hashable, Sendable, BitwiseCopyable {
  @inlinable public static var count: Int { 12 }

  /// Whose reference time is meant.
  public var ssrc: UInt32
  /// The middle 32 bits of its last reference time; 0 before one.
  public var lastReceiverReport: UInt32
  /// Since that came, in 1/65,536 s.
  public var delaySinceLastReceiverReport: UInt32

  @inlinable public init(ssrc: UInt32, lastReceiverReport: UInt32, delaySinceLastReceiverReport: UInt32) {
    self.ssrc = ssrc
    self.lastReceiverReport = lastReceiverReport
    self.delaySinceLastReceiverReport = delaySinceLastReceiverReport
  }
}

/// A list of them inside the datagram.
@frozen public struct RTCPReceiverDelays: Hashable, Sendable, BitwiseCopyable {
  @usableFromInline let offset: Int
  public let count: Int

  @inlinable init(offset: Int, count: Int) {
    self.offset = offset
    self.count = count
  }

  /// The one about `ssrc`, if there is one among the first 31.
  @inlinable public func delay(about ssrc: UInt32, in bytes: RawSpan) -> RTCPReceiverDelay? {
    for index in 0..<min(count, RTPLimits.reportBlocks) {
      let at = offset &+ index &* RTCPReceiverDelay.count
      guard let source = bytes.uint32(at: at), let last = bytes.uint32(at: at &+ 4),
        let delay = bytes.uint32(at: at &+ 8)
      else { return nil }
      if source == ssrc {
        return RTCPReceiverDelay(ssrc: source, lastReceiverReport: last, delaySinceLastReceiverReport: delay)
      }
    }
    return nil
  }
}

/// Loss, duplicates and jitter of one source over a range of sequence numbers (RFC 3611 §4.6).
@frozen public struct RTCPStatisticsSummary: Hashable, Sendable, BitwiseCopyable {
  public var ssrc: UInt32 = 0
  /// The first sequence number of the range, and the one after its last.
  public var begin: UInt16 = 0
  public var end: UInt16 = 0
  public var lost: UInt32 = 0
  public var duplicate: UInt32 = 0
  /// In the payload's clock.
  public var minimumJitter: UInt32 = 0
  public var maximumJitter: UInt32 = 0
  public var meanJitter: UInt32 = 0
  public var deviationOfJitter: UInt32 = 0
  /// Which of them the sender measured.
  public var hasLoss = false
  public var hasDuplicates = false
  public var hasJitter = false

  @inlinable public init() {}
}

/// How a call sounds and why, as one end sees it (RFC 3611 §4.7). 127, and 0 for delays, mean "not known" where so named.
@frozen public struct RTCPVoIPMetrics: Hashable, Sendable, BitwiseCopyable {
  /// "Unavailable" of levels, R factors and scores.
  @inlinable public static var unavailable: UInt8 { 127 }

  public var ssrc: UInt32 = 0
  /// In 1/256: lost by the network, and thrown away by the jitter buffer for coming late.
  public var lossRate: UInt8 = 0
  public var discardRate: UInt8 = 0
  /// In 1/256: lost or discarded within bursts and between them.
  public var burstDensity: UInt8 = 0
  public var gapDensity: UInt8 = 0
  /// Mean, milliseconds.
  public var burstDuration: UInt16 = 0
  public var gapDuration: UInt16 = 0
  /// Milliseconds; 0 unknown.
  public var roundTrip: UInt16 = 0
  /// Coding, jitter buffer and decoding at this end, milliseconds; 0 unknown.
  public var endSystemDelay: UInt16 = 0
  /// dBm0 as 8 bits with sign.
  public var signalLevel = unavailable
  public var noiseLevel = unavailable
  public var residualEchoReturnLoss = unavailable
  /// Packets without loss that end a burst.
  public var minimumGap: UInt8 = 16
  /// Of ITU-T G.107 for this segment; 0–100.
  public var rating = unavailable
  public var externalRating = unavailable
  /// Listening and conversational score in tenths, 10–50.
  public var listeningOpinion = unavailable
  public var conversationalOpinion = unavailable
  /// Two bits of loss concealment, two of adaptation, four of its rate (RFC 3611 §4.7.6).
  public var receiverConfiguration: UInt8 = 0
  /// Of the jitter buffer, milliseconds.
  public var nominalDelay: UInt16 = 0
  public var maximumDelay: UInt16 = 0
  public var absoluteMaximumDelay: UInt16 = 0

  @inlinable public init() {}
}

/// One block of an extended report.
@frozen public enum RTCPExtendedBlock: Hashable, Sendable {
  /// NTP time of the peer, which it wants back (RFC 3611 §4.4).
  case receiverReferenceTime(UInt64)
  case receiverDelays(RTCPReceiverDelays)
  case statisticsSummary(RTCPStatisticsSummary)
  case voipMetrics(RTCPVoIPMetrics)
  /// Run lengths, receipt times and types unknown here.
  case other(type: UInt8)
}

/// One XR packet: its blocks, in order (RFC 3611 §2).
@frozen public struct RTCPExtendedReport: Hashable, Sendable, BitwiseCopyable {
  /// Who reports.
  public let ssrc: UInt32
  @usableFromInline var offset: Int
  @usableFromInline let end: Int

  /// Checks the frame of every block.
  ///
  /// - Returns: `nil` when a length lies, a known block has another size than its own, or there are too many.
  @inlinable init?(in bytes: RawSpan, body: Int, end: Int) {
    guard body &+ 4 <= end, end <= bytes.byteCount, let ssrc = bytes.uint32(at: body) else { return nil }
    self.ssrc = ssrc
    offset = body &+ 4
    self.end = end
    var at = offset
    var blocks = 0
    while at < end {
      guard blocks < RTPLimits.extendedBlocks, at &+ 4 <= end, let word = bytes.uint32(at: at) else { return nil }
      let words = Int(word & 0xffff)
      let next = at &+ 4 &+ words &* 4
      guard next <= end, Self.hasRightSize(UInt8(truncatingIfNeeded: word >> 24), words: words) else { return nil }
      at = next
      blocks &+= 1
    }
  }

  @inlinable static func hasRightSize(_ type: UInt8, words: Int) -> Bool {
    switch type {
    case RTCPExtendedType.receiverReferenceTime: words == 2
    case RTCPExtendedType.delaySinceLastReceiverReport: words % 3 == 0
    case RTCPExtendedType.statisticsSummary: words == 9
    case RTCPExtendedType.voipMetrics: words == 8
    default: true
    }
  }

  /// The next block; `nil` after the last.
  ///
  /// - Parameter bytes: the datagram it was parsed from; of another one nothing is read out of bounds.
  public mutating func next(in bytes: RawSpan) -> RTCPExtendedBlock? {
    guard offset &+ 4 <= end, let word = bytes.uint32(at: offset) else { return nil }
    let at = offset &+ 4
    let words = Int(word & 0xffff)
    offset = at &+ words &* 4
    let type = UInt8(truncatingIfNeeded: word >> 24)
    switch type {
    case RTCPExtendedType.receiverReferenceTime:
      guard let ntp = bytes.uint64(at: at) else { return nil }
      return .receiverReferenceTime(ntp)
    case RTCPExtendedType.delaySinceLastReceiverReport:
      return .receiverDelays(RTCPReceiverDelays(offset: at, count: words / 3))
    case RTCPExtendedType.statisticsSummary:
      return summary(in: bytes, at, flags: UInt8(truncatingIfNeeded: word >> 16)).map { .statisticsSummary($0) }
    case RTCPExtendedType.voipMetrics: return metrics(in: bytes, at).map { .voipMetrics($0) }
    default: return .other(type: type)
    }
  }

  private func summary(in bytes: RawSpan, _ at: Int, flags: UInt8) -> RTCPStatisticsSummary? {
    guard let ssrc = bytes.uint32(at: at), let range = bytes.uint32(at: at &+ 4), let lost = bytes.uint32(at: at &+ 8),
      let duplicate = bytes.uint32(at: at &+ 12), let minimum = bytes.uint32(at: at &+ 16),
      let maximum = bytes.uint32(at: at &+ 20), let mean = bytes.uint32(at: at &+ 24),
      let deviation = bytes.uint32(at: at &+ 28)
    else { return nil }
    var summary = RTCPStatisticsSummary()
    summary.ssrc = ssrc
    summary.begin = UInt16(truncatingIfNeeded: range >> 16)
    summary.end = UInt16(truncatingIfNeeded: range)
    summary.lost = lost
    summary.duplicate = duplicate
    summary.minimumJitter = minimum
    summary.maximumJitter = maximum
    summary.meanJitter = mean
    summary.deviationOfJitter = deviation
    summary.hasLoss = flags & 0x80 != 0
    summary.hasDuplicates = flags & 0x40 != 0
    summary.hasJitter = flags & 0x20 != 0
    return summary
  }

  private func metrics(in bytes: RawSpan, _ at: Int) -> RTCPVoIPMetrics? {
    guard let ssrc = bytes.uint32(at: at), let rates = bytes.uint32(at: at &+ 4),
      let durations = bytes.uint32(at: at &+ 8), let delays = bytes.uint32(at: at &+ 12),
      let levels = bytes.uint32(at: at &+ 16), let scores = bytes.uint32(at: at &+ 20),
      let buffer = bytes.uint32(at: at &+ 24), let maxima = bytes.uint32(at: at &+ 28)
    else { return nil }
    func byte(_ word: UInt32, _ place: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: word >> (24 &- place &* 8)) }
    var metrics = RTCPVoIPMetrics()
    metrics.ssrc = ssrc
    metrics.lossRate = byte(rates, 0)
    metrics.discardRate = byte(rates, 1)
    metrics.burstDensity = byte(rates, 2)
    metrics.gapDensity = byte(rates, 3)
    metrics.burstDuration = UInt16(truncatingIfNeeded: durations >> 16)
    metrics.gapDuration = UInt16(truncatingIfNeeded: durations)
    metrics.roundTrip = UInt16(truncatingIfNeeded: delays >> 16)
    metrics.endSystemDelay = UInt16(truncatingIfNeeded: delays)
    metrics.signalLevel = byte(levels, 0)
    metrics.noiseLevel = byte(levels, 1)
    metrics.residualEchoReturnLoss = byte(levels, 2)
    metrics.minimumGap = byte(levels, 3)
    metrics.rating = byte(scores, 0)
    metrics.externalRating = byte(scores, 1)
    metrics.listeningOpinion = byte(scores, 2)
    metrics.conversationalOpinion = byte(scores, 3)
    metrics.receiverConfiguration = byte(buffer, 0)
    metrics.nominalDelay = UInt16(truncatingIfNeeded: buffer)
    metrics.maximumDelay = UInt16(truncatingIfNeeded: maxima >> 16)
    metrics.absoluteMaximumDelay = UInt16(truncatingIfNeeded: maxima)
    return metrics
  }
}
