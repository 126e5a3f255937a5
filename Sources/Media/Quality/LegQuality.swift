//  LegQuality.swift: how one leg's two directions probably sound, estimated with each report (ITU-T G.107, RFC 3611 §4.7).
//  Walk: MediaWorker.sendReport → Leg.assess → EModel; RTCPSession.write

import Primitives
import RTP

/// The last estimate, and where the counters stood at it.
struct LegQuality: BitwiseCopyable {
  /// Mean opinion scores in hundredths, 100…450; 0 while unknown.
  fileprivate(set) var opinionIn: UInt16 = 0
  fileprivate(set) var opinionOut: UInt16 = 0
  fileprivate var bursts = BurstStatistics()
  fileprivate var late: UInt64 = 0

  /// Packets, received and lost, below which nothing is said of an interval.
  static let fewestPackets: UInt64 = 10
  /// A peer's report speaks of the present for so long.
  static let reportAge = Interval.seconds(30)
}

extension Leg {
  /// Estimates both directions from what has come since the last call, which is once for each report of ours.
  ///
  /// What is known of delay is the network's half of the round trip, one packet, and the jitter buffer here. In: network
  /// losses and packets too late for the buffer. Out: what the peer's extended reports say, else the loss of its reports.
  mutating func assess(now: Instant) {
    let bursts = stream.bursts
    let late = audio.statistics.packetsLate
    let before = rtcp.quality
    let received = bursts.received &- min(before.bursts.received, bursts.received)
    let lost = bursts.lost &- min(before.bursts.lost, bursts.lost)
    let discarded = late &- min(before.late, late)
    if received &+ lost >= LegQuality.fewestPackets {
      let model = EModel(
        codec: codecIn, delayMilliseconds: networkMilliseconds + ownMilliseconds,
        lossPercent: 100 * Double(lost &+ discarded) / Double(received &+ lost),
        burstRatio: bursts.burstRatio(since: before.bursts))
      rtcp.quality.opinionIn = Self.hundredths(model.opinion)
    } else {
      rtcp.quality.opinionIn = 0
    }
    rtcp.quality.opinionOut = outgoingOpinion(now: now)
    rtcp.quality.bursts = bursts
    rtcp.quality.late = late
    rtcp.lossReported = stream.packetsLost
  }

  private func outgoingOpinion(now: Instant) -> UInt16 {
    guard rtcp.remote.reports > 0, now - rtcp.remote.lastReport <= LegQuality.reportAge else { return 0 }
    var model = EModel(
      codec: configuration.send.codec.quality, delayMilliseconds: networkMilliseconds + packetMilliseconds,
      lossPercent: 100 * Double(rtcp.remoteFractionLost) / 256)
    if let metrics = rtcp.remoteMetrics {
      // Discards are known only over the whole call; the report's loss is of its last interval.
      model.lossPercent += 100 * Double(metrics.discardRate) / 256
      model.delayMilliseconds += Double(metrics.nominalDelay)
    }
    return Self.hundredths(model.opinion)
  }

  /// What we say of the peer's stream, over the leg's life (RFC 3611 §4.7); `nil` before enough has come.
  var metrics: RTCPVoIPMetrics? {
    let bursts = stream.bursts
    let expected = bursts.received &+ bursts.lost
    guard stream.isActive, expected >= LegQuality.fewestPackets else { return nil }
    let late = min(audio.statistics.packetsLate, bursts.received)
    let pattern = bursts.metrics(packetMilliseconds: configuration.packetMilliseconds)
    var model = EModel(
      codec: codecIn, lossPercent: 100 * Double(bursts.lost &+ late) / Double(expected),
      burstRatio: bursts.burstRatio(since: BurstStatistics()))
    var metrics = RTCPVoIPMetrics()
    metrics.ssrc = stream.ssrc
    metrics.lossRate = UInt8(clamping: bursts.lost &* 256 / expected)
    metrics.discardRate = UInt8(clamping: late &* 256 / expected)
    metrics.burstDensity = pattern.burstDensity
    metrics.gapDensity = pattern.gapDensity
    metrics.burstDuration = pattern.burstDuration
    metrics.gapDuration = pattern.gapDuration
    metrics.roundTrip = UInt16(clamping: rtcp.roundTripMicroseconds / 1_000)
    metrics.endSystemDelay = UInt16(ownMilliseconds)
    metrics.listeningOpinion = UInt8(model.opinion * 10)
    model.delayMilliseconds = networkMilliseconds + ownMilliseconds
    metrics.rating = UInt8(model.rating)
    metrics.conversationalOpinion = UInt8(model.opinion * 10)
    metrics.receiverConfiguration = 0xf0  // concealment better than repetition, an adaptive jitter buffer
    metrics.nominalDelay = UInt16(clamping: Int(audio.statistics.targetDelaySamples) / 48)
    metrics.maximumDelay = UInt16(clamping: Int(audio.statistics.delaySamples) / 48)
    metrics.absoluteMaximumDelay = 200
    return metrics
  }

  private var codecIn: EModel.Codec { configuration.receive.first?.codec.quality ?? .g711 }
  private var packetMilliseconds: Double { Double(configuration.packetMilliseconds) }
  private var networkMilliseconds: Double { Double(rtcp.roundTripMicroseconds) / 2_000 }
  /// One packet and the jitter buffer: at most some hundreds.
  private var ownMilliseconds: Double {
    packetMilliseconds + Double(min(max(audio.statistics.delaySamples, 0), 48_000)) / 48
  }

  private static func hundredths(_ opinion: Double) -> UInt16 { UInt16(opinion * 100) }
}
