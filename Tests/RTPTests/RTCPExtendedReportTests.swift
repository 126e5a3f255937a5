//  RTCPExtendedReportTests.swift: XR blocks written, read, and lied about (RFC 3611).

import Primitives
import RTP
import Testing

@Suite("RTCP extended reports (RFC 3611)")
struct RTCPExtendedReportTests {
  private func blocks(_ bytes: [UInt8]) throws(DropReason) -> (ssrc: UInt32, [RTCPExtendedBlock]) {
    var compound = try RTCPCompound(parsing: bytes.span.bytes, reducedSize: true)
    var found: (UInt32, [RTCPExtendedBlock]) = (0, [])
    while let packet = compound.next(in: bytes.span.bytes) {
      guard case .extendedReport(var report) = packet else { continue }
      found.0 = report.ssrc
      while let block = report.next(in: bytes.span.bytes) { found.1.append(block) }
    }
    return found
  }

  private func write(count: Int = 400, _ body: (inout RTCPWriter, inout MutableRawSpan) -> Void) -> [UInt8] {
    var buffer = [UInt8](repeating: 0xee, count: count)
    var writer = RTCPWriter()
    do {
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      body(&writer, &raw)
    }
    #expect(buffer[writer.count...].allSatisfy { $0 == 0xee })
    return Array(buffer[..<writer.count])
  }

  private var metrics: RTCPVoIPMetrics {
    var metrics = RTCPVoIPMetrics()
    metrics.ssrc = 9
    (metrics.lossRate, metrics.discardRate, metrics.burstDensity, metrics.gapDensity) = (1, 2, 3, 4)
    (metrics.burstDuration, metrics.gapDuration, metrics.roundTrip, metrics.endSystemDelay) = (500, 6_000, 70, 80)
    (metrics.signalLevel, metrics.noiseLevel, metrics.residualEchoReturnLoss) = (0xe2, 0xb0, 99)
    (metrics.rating, metrics.listeningOpinion, metrics.conversationalOpinion) = (88, 42, 41)
    (metrics.receiverConfiguration, metrics.nominalDelay) = (0xb0, 40)
    (metrics.maximumDelay, metrics.absoluteMaximumDelay) = (60, 200)
    return metrics
  }
  private var summary: RTCPStatisticsSummary {
    var summary = RTCPStatisticsSummary()
    (summary.ssrc, summary.begin, summary.end, summary.lost, summary.duplicate) = (9, 65_000, 100, 7, 1)
    (summary.minimumJitter, summary.maximumJitter, summary.meanJitter, summary.deviationOfJitter) = (1, 9, 4, 2)
    (summary.hasLoss, summary.hasDuplicates, summary.hasJitter) = (true, false, true)
    return summary
  }

  @Test("all blocks, behind a receiver report: written and read")
  func roundTrip() throws {
    let delay = RTCPReceiverDelay(ssrc: 7, lastReceiverReport: 0x1234_5678, delaySinceLastReceiverReport: 65_536)
    let datagram = write { writer, raw in
      #expect(writer.receiverReport(ssrc: 5, into: &raw))
      #expect(!writer.receiverReferenceTime(ntp: 1, into: &raw))
      #expect(writer.extendedReport(ssrc: 5, into: &raw))
      #expect(writer.receiverReferenceTime(ntp: 0x0102_0304_0506_0708, into: &raw))
      #expect(writer.receiverDelay(delay, into: &raw))
      #expect(writer.statisticsSummary(summary, into: &raw))
      #expect(writer.voipMetrics(metrics, into: &raw))
      #expect(writer.bye(ssrc: 5, reason: RawSpan(), into: &raw))
      #expect(!writer.voipMetrics(metrics, into: &raw))
    }

    let (ssrc, read) = try blocks(datagram)

    #expect(ssrc == 5 && read.count == 4)
    #expect(read[0] == .receiverReferenceTime(0x0102_0304_0506_0708))
    guard case .receiverDelays(let delays) = read[1] else {
      Issue.record("unexpected \(read[1])")
      return
    }
    #expect(delays.delay(about: 7, in: datagram.span.bytes) == delay)
    #expect(delays.delay(about: 8, in: datagram.span.bytes) == nil)
    #expect(read[2] == .statisticsSummary(summary))
    #expect(read[3] == .voipMetrics(metrics))
  }

  @Test("the layout of RFC 3611 §4.7, octet by octet")
  func layout() {
    let datagram = write { writer, raw in
      #expect(writer.extendedReport(ssrc: 0x0506_0708, into: &raw))
      #expect(writer.voipMetrics(metrics, into: &raw))
    }

    #expect(
      datagram == [
        0x80, 207, 0, 10, 5, 6, 7, 8, 7, 0, 0, 8, 0, 0, 0, 9, 1, 2, 3, 4, 1, 0xf4, 0x17, 0x70, 0, 70, 0, 80, 0xe2,
        0xb0, 99, 16, 88, 127, 42, 41, 0xb0, 0, 0, 40, 0, 60, 0, 200,
      ])
  }

  @Test("a block without room leaves the packet as it was")
  func room() throws {
    let datagram = write(count: 43) { writer, raw in
      #expect(writer.extendedReport(ssrc: 5, into: &raw))
      #expect(!writer.voipMetrics(metrics, into: &raw))
      #expect(writer.receiverReferenceTime(ntp: 3, into: &raw))
    }

    #expect(try blocks(datagram).1 == [.receiverReferenceTime(3)])
  }

  @Test("lengths that lie are refused with the whole compound")
  func lies() throws {
    let good = write { writer, raw in
      #expect(writer.extendedReport(ssrc: 5, into: &raw))
      #expect(writer.voipMetrics(metrics, into: &raw))
    }
    for length in 0..<UInt8(40) where length != 8 {
      var changed = good
      changed[11] = length
      #expect(throws: DropReason.badLength) { try blocks(changed) }
    }
    for (type, right) in [(4, [2]), (5, [0, 3, 6, 9]), (6, [9]), (7, [8])] as [(UInt8, [Int])] {
      for words in 0..<12 {
        let total = UInt8(2 + words)
        let packet: [UInt8] =
          [0x80, 207, 0, total, 0, 0, 0, 5, type, 0, 0, UInt8(words)] + [UInt8](repeating: 1, count: 4 * words)
        let isRead = (try? blocks(packet)) != nil
        #expect(isRead == right.contains(words), "type \(type), \(words) words")
      }
    }
    #expect(throws: DropReason.badLength) { try blocks([0x80, 207, 0, 0]) }
    #expect(throws: DropReason.badLength) { try blocks([0x80, 207, 0, 2, 0, 0, 0, 5, 200, 0, 0, 1]) }
    #expect(try blocks([0x80, 207, 0, 2, 0, 0, 0, 5, 200, 0, 0, 0]).1 == [.other(type: 200)])
  }

  @Test("32 blocks are read, 33 refused")
  func limit() throws {
    func packet(_ count: Int) -> [UInt8] {
      let body = [UInt8]([200, 0, 0, 0])
      return [0x80, 207, 0, UInt8(1 + count), 0, 0, 0, 5] + (0..<count).flatMap { _ in body }
    }
    #expect(RTPLimits.extendedBlocks == 32)
    #expect(try blocks(packet(32)).1.count == 32)
    #expect(throws: DropReason.badLength) { try blocks(packet(33)) }
  }

  @Test("random changes trap nowhere")
  func noise() {
    var random = RandomSource(seed: 3_611)
    let good = write { writer, raw in
      _ = writer.extendedReport(ssrc: 5, into: &raw)
      _ = writer.receiverReferenceTime(ntp: 3, into: &raw)
      _ = writer.statisticsSummary(summary, into: &raw)
      _ = writer.voipMetrics(metrics, into: &raw)
    }
    for _ in 0..<20_000 {
      var changed = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = try? blocks(Array(changed[..<Int.random(in: 0...changed.count, using: &random)]))
    }
  }

  @Test("a round trip by reference times")
  func reference() {
    let now: UInt64 = 0x1000_0001_0000_0000
    let delay = RTCPReceiverDelay(
      ssrc: 1, lastReceiverReport: RoundTrip.compact(now), delaySinceLastReceiverReport: 1 << 16)

    // 2.25 s later, of which the peer had it for 1 s.
    let trip = RoundTrip.time(of: delay, arrival: now + 0x2_4000_0000)

    #expect(trip == .milliseconds(1_250))
    #expect(
      RoundTrip.time(
        of: RTCPReceiverDelay(ssrc: 1, lastReceiverReport: 0, delaySinceLastReceiverReport: 9), arrival: now) == nil)
  }
}
