//  WorkerQualityTests.swift: extended reports, early reports, and the scores that come of them, through a whole worker.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

@Suite("Worker: RTCP extended reports and quality (RFC 3611, 4585, 5506)")
struct WorkerQualityTests {
  /// The packets of a datagram, each with its XR blocks.
  private struct Read {
    var types: [UInt8] = []
    var blocks: [RTCPExtendedBlock] = []
    var block: RTCPReportBlock?
    var reference: UInt64?
    var metrics: RTCPVoIPMetrics?
    var delay: RTCPReceiverDelay?
  }

  private func read(_ datagram: [UInt8], about ssrc: UInt32) throws -> Read {
    var compound = try RTCPCompound(parsing: datagram.span.bytes, reducedSize: true)
    var read = Read()
    while let packet = compound.next(in: datagram.span.bytes) {
      switch packet {
      case .senderReport(_, _, let blocks):
        read.types.append(200)
        read.block = blocks.block(about: ssrc, in: datagram.span.bytes)
      case .receiverReport: read.types.append(201)
      case .sourceDescription: read.types.append(202)
      case .bye: read.types.append(203)
      case .other(let type, _, _): read.types.append(type)
      case .extendedReport(var report):
        read.types.append(207)
        while let block = report.next(in: datagram.span.bytes) {
          read.blocks.append(block)
          switch block {
          case .receiverReferenceTime(let ntp): read.reference = ntp
          case .voipMetrics(let metrics): read.metrics = metrics
          case .receiverDelays(let delays): read.delay = delays.delay(about: ssrc, in: datagram.span.bytes)
          case .statisticsSummary, .other: break
          }
        }
      }
    }
    return read
  }

  @Test("without agreement no XR is sent; once the peer sends one, it is answered: DLRR, RRTR, VoIP metrics")
  func answered() throws {
    let peer = WorkerPeer(1, frequency: 440)
    let bench = WorkerBench(peers: [peer, WorkerPeer(2, frequency: 1_000)])
    bench.run(seconds: 10)
    #expect(try peer.reports.allSatisfy { try !read($0, about: peer.ssrc).types.contains(207) })

    let mark: UInt64 = 0x1234_5678_9abc_def0
    bench.deliver(
      peer.rtcp { writer, bytes in
        _ = writer.receiverReport(ssrc: peer.ssrc, into: &bytes)
        _ = writer.extendedReport(ssrc: peer.ssrc, into: &bytes)
        _ = writer.receiverReferenceTime(ntp: mark, into: &bytes)
      }, from: peer.address)
    let asked = bench.now
    let before = peer.reports.count
    bench.run(seconds: 10)

    let answer = try read(try #require(peer.reports.dropFirst(before).first), about: peer.ssrc)
    #expect(answer.types == [200, 202, 207])
    #expect(answer.reference != nil)
    let delay = try #require(answer.delay)
    #expect(delay.lastReceiverReport == RoundTrip.compact(mark))
    let waited = peer.reportArrivals[before] - asked
    #expect(abs(Int64(delay.delaySinceLastReceiverReport) - Int64(RoundTrip.delay(waited))) < 3_000)
    let metrics = try #require(answer.metrics)
    #expect(metrics.ssrc == peer.ssrc && metrics.lossRate == 0 && metrics.discardRate == 0)
    #expect((85...100).contains(metrics.rating) && metrics.minimumGap == 16)
    #expect((40...45).contains(metrics.listeningOpinion))
    #expect((20...220).contains(metrics.endSystemDelay))
  }

  @Test("a peer that gives our reference time back tells the round trip, though it never reports on our stream")
  func roundTrip() throws {
    let peer = WorkerPeer(1, frequency: 440)
    peer.configuration.rtcpExtendedReports = true
    let bench = WorkerBench(peers: [peer, WorkerPeer(2, frequency: 1_000)])
    bench.run(seconds: 10)
    let last = try read(try #require(peer.reports.last), about: peer.ssrc)
    let reference = try #require(last.reference)
    let arrival = try #require(peer.reportArrivals.last)

    bench.deliver(
      peer.rtcp { writer, bytes in
        _ = writer.receiverReport(ssrc: peer.ssrc, into: &bytes)
        _ = writer.extendedReport(ssrc: peer.ssrc, into: &bytes)
        _ = writer.receiverDelay(
          RTCPReceiverDelay(
            ssrc: peer.configuration.ssrc, lastReceiverReport: RoundTrip.compact(reference),
            delaySinceLastReceiverReport: 0), into: &bytes)
      }, from: peer.address)
    let expected = (bench.now - arrival).nanoseconds / 1_000
    bench.receive()

    let statistics = try #require(bench.statistics(of: peer.leg))
    #expect(abs(Int64(statistics.roundTripMicroseconds) - expected) < 100)
  }

  @Test("loss both ways lowers both scores; a clean call has good ones")
  func scores() throws {
    let peer = WorkerPeer(1, frequency: 440)
    let clean = WorkerPeer(2, frequency: 1_000)
    let bench = WorkerBench(peers: [peer, clean])
    for index in 0..<1_000 {
      if index % 10 == 3 { _ = peer.nextPackets() }  // lost
      bench.step()
    }
    for (talker, lost) in [(peer, UInt8(51)), (clean, 0)] {
      bench.deliver(
        talker.rtcp { writer, bytes in
          _ = writer.receiverReport(ssrc: talker.ssrc, into: &bytes)
          _ = writer.reportBlock(
            RTCPReportBlock(
              ssrc: talker.configuration.ssrc, fractionLost: lost, cumulativeLost: Int32(lost) * 3,
              extendedHighestSequence: 1, jitter: 480), into: &bytes)
        }, from: talker.address)
    }
    bench.run(seconds: 8)

    let bad = try #require(bench.statistics(of: peer.leg))
    let good = try #require(bench.statistics(of: clean.leg))
    #expect(good.opinionIn >= 420 && good.opinionOut >= 420)
    #expect((100...400).contains(bad.opinionOut))
    #expect(bad.remotePacketsLost == 153 && bad.remoteJitterMicroseconds == 10_000)
    #expect(good.remotePacketsLost == 0)
  }

  @Test("10 % loss in the last interval shows in the score of what comes in")
  func scoreIn() throws {
    let peer = WorkerPeer(1, frequency: 440)
    let bench = WorkerBench(peers: [peer, WorkerPeer(2)])
    for index in 0..<1_500 {
      if index % 10 == 3 { _ = peer.nextPackets() }
      bench.step()
    }

    let statistics = try #require(bench.statistics(of: peer.leg))
    #expect((250...400).contains(statistics.opinionIn))
  }

  @Test("a leg that sends nothing has no score")
  func unknown() throws {
    let peer = WorkerPeer(1)
    peer.isSending = false
    let bench = WorkerBench(peers: [peer, WorkerPeer(2, frequency: 440)])
    bench.run(seconds: 12)

    let statistics = try #require(bench.statistics(of: peer.leg))
    #expect(statistics.opinionIn == 0 && statistics.opinionOut == 0)
  }

  @Test("with feedback agreed, a burst of loss is told at once, once, and alone where sizes may be reduced")
  func early() throws {
    for isReduced in [false, true] {
      let peer = WorkerPeer(1, frequency: 440)
      peer.configuration.rtcpFeedback = true
      peer.configuration.rtcpReducedSize = isReduced
      let bench = WorkerBench(peers: [peer, WorkerPeer(2)])
      // Up to just after a regular report.
      bench.run(seconds: 5)
      var count = peer.reports.count
      while peer.reports.count == count { bench.step() }
      count = peer.reports.count
      bench.step()
      for _ in 0..<8 { _ = peer.nextPackets() }
      let lostAt = bench.now
      bench.step()
      bench.step()
      bench.step()

      try #require(peer.reports.count == count + 1)
      let report = try read(peer.reports[count], about: peer.ssrc)
      #expect(report.types == (isReduced ? [200] : [200, 202]))
      let block = try #require(report.block)
      #expect(block.cumulativeLost == 8)
      #expect(peer.reportArrivals[count] - lostAt < .milliseconds(100))

      // Not a second one before the next regular report.
      for _ in 0..<8 { _ = peer.nextPackets() }
      for _ in 0..<4 { bench.step() }
      #expect(peer.reports.count == count + 1)
    }
  }

  @Test("without feedback nothing is early; reports come about every 5 s, with it about every second")
  func regular() throws {
    let plain = WorkerPeer(1, frequency: 440)
    let quick = WorkerPeer(2)
    quick.configuration.rtcpFeedback = true
    let bench = WorkerBench(peers: [plain, quick])
    bench.run(seconds: 40)

    #expect((6...13).contains(plain.reports.count))
    #expect((30...60).contains(quick.reports.count))
  }

  @Test("a BYE alone is read on an encrypted leg, agreed or not; on a plain one only where agreed")
  func reducedSize() throws {
    for (suite, agreed) in [(.aeadAES128GCM, false), (nil, true), (nil, false)] as [(SRTPSuite?, Bool)] {
      let peer = WorkerPeer(1, suite: suite, frequency: 440)
      peer.configuration.rtcpReducedSize = agreed
      let bench = WorkerBench(allowsPlain: true, peers: [peer, WorkerPeer(2)])
      bench.run(seconds: 2)
      bench.deliver(
        peer.rtcp { writer, bytes in _ = writer.bye(ssrc: peer.ssrc, reason: RawSpan(), into: &bytes) },
        from: peer.address)
      bench.run(seconds: 1)

      let goodbyes = bench.events.filter { if case .legSaidGoodbye(peer.leg) = $0 { true } else { false } }
      #expect(goodbyes.count == (suite != nil || agreed ? 1 : 0))
    }
  }
}
