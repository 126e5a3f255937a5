//  RTCPWriter+ExtendedReport.swift: extended reports, written in place (RFC 3611).

import Primitives

extension RTCPWriter {
  /// Begins an XR packet without blocks, which the calls below add to it.
  public mutating func extendedReport(ssrc: UInt32, into bytes: inout MutableRawSpan) -> Bool {
    guard bytes.byteCount &- count >= 8 else { return false }
    begin(RTCPType.extendedReport, items: 0, words: 1, &bytes)
    bytes.store(ssrc, at: count &+ 4)
    report = -1
    extended = count
    count &+= 8
    return true
  }

  /// Our time, which a peer that knows the block gives back (RFC 3611 §4.4).
  public mutating func receiverReferenceTime(ntp: UInt64, into bytes: inout MutableRawSpan) -> Bool {
    guard beginBlock(RTCPExtendedType.receiverReferenceTime, flags: 0, words: 2, &bytes) else { return false }
    bytes.store(ntp, at: count &+ 4)
    endBlock(words: 2, &bytes)
    return true
  }

  /// What became of the peer's reference time (RFC 3611 §4.5).
  public mutating func receiverDelay(_ delay: RTCPReceiverDelay, into bytes: inout MutableRawSpan) -> Bool {
    guard beginBlock(RTCPExtendedType.delaySinceLastReceiverReport, flags: 0, words: 3, &bytes) else { return false }
    bytes.store(delay.ssrc, at: count &+ 4)
    bytes.store(delay.lastReceiverReport, at: count &+ 8)
    bytes.store(delay.delaySinceLastReceiverReport, at: count &+ 12)
    endBlock(words: 3, &bytes)
    return true
  }

  public mutating func statisticsSummary(
    _ summary: RTCPStatisticsSummary, into bytes: inout MutableRawSpan
  ) -> Bool {
    var flags: UInt8 = summary.hasLoss ? 0x80 : 0
    if summary.hasDuplicates { flags |= 0x40 }
    if summary.hasJitter { flags |= 0x20 }
    guard beginBlock(RTCPExtendedType.statisticsSummary, flags: flags, words: 9, &bytes) else { return false }
    bytes.store(summary.ssrc, at: count &+ 4)
    bytes.store(UInt32(summary.begin) << 16 | UInt32(summary.end), at: count &+ 8)
    bytes.store(summary.lost, at: count &+ 12)
    bytes.store(summary.duplicate, at: count &+ 16)
    bytes.store(summary.minimumJitter, at: count &+ 20)
    bytes.store(summary.maximumJitter, at: count &+ 24)
    bytes.store(summary.meanJitter, at: count &+ 28)
    bytes.store(summary.deviationOfJitter, at: count &+ 32)
    bytes.store(UInt32(0), at: count &+ 36)  // hop limits are not measured: no flag says so
    endBlock(words: 9, &bytes)
    return true
  }

  public mutating func voipMetrics(_ metrics: RTCPVoIPMetrics, into bytes: inout MutableRawSpan) -> Bool {
    guard beginBlock(RTCPExtendedType.voipMetrics, flags: 0, words: 8, &bytes) else { return false }
    bytes.store(metrics.ssrc, at: count &+ 4)
    bytes.store(
      word(metrics.lossRate, metrics.discardRate, metrics.burstDensity, metrics.gapDensity), at: count &+ 8)
    bytes.store(UInt32(metrics.burstDuration) << 16 | UInt32(metrics.gapDuration), at: count &+ 12)
    bytes.store(UInt32(metrics.roundTrip) << 16 | UInt32(metrics.endSystemDelay), at: count &+ 16)
    bytes.store(
      word(metrics.signalLevel, metrics.noiseLevel, metrics.residualEchoReturnLoss, metrics.minimumGap),
      at: count &+ 20)
    bytes.store(
      word(metrics.rating, metrics.externalRating, metrics.listeningOpinion, metrics.conversationalOpinion),
      at: count &+ 24)
    bytes.store(UInt32(metrics.receiverConfiguration) << 24 | UInt32(metrics.nominalDelay), at: count &+ 28)
    bytes.store(UInt32(metrics.maximumDelay) << 16 | UInt32(metrics.absoluteMaximumDelay), at: count &+ 32)
    endBlock(words: 8, &bytes)
    return true
  }

  private func word(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) -> UInt32 {
    UInt32(first) << 24 | UInt32(second) << 16 | UInt32(third) << 8 | UInt32(fourth)
  }

  /// - Returns: `false` when the last packet is no XR, or there is no room.
  private func beginBlock(_ type: UInt8, flags: UInt8, words: Int, _ bytes: inout MutableRawSpan) -> Bool {
    guard extended >= 0, bytes.byteCount &- count >= 4 &+ words &* 4 else { return false }
    bytes.store(UInt32(type) << 24 | UInt32(flags) << 16 | UInt32(truncatingIfNeeded: words), at: count)
    return true
  }

  private mutating func endBlock(words: Int, _ bytes: inout MutableRawSpan) {
    count &+= 4 &+ words &* 4
    let total = UInt32(truncatingIfNeeded: (count &- extended) / 4 &- 1)
    bytes.store(0x8000_0000 | UInt32(RTCPType.extendedReport) << 16 | total, at: extended)
  }
}
