//  LegEvidenceTests.swift: what a worker writes down of each leg's second, and what is concluded from real packets.

import Media
import Primitives
import RTP
import Testing

@Suite("Evidence of legs' seconds")
struct LegEvidenceTests {
  private func seconds(_ bench: WorkerBench) -> [UInt32: [LegSecond]] {
    var found: [UInt32: [LegSecond]] = [:]
    while let second = bench.worker.takeEvidence() { found[second.leg, default: []].append(second) }
    return found
  }

  @Test("a second has 64 bytes")
  func size() {
    #expect(MemoryLayout<LegSecond>.size == 64 && MemoryLayout<LegSecond>.stride == 64)
  }

  @Test("each leg has a second a second, with what was received, mixed and sent in it")
  func counts() throws {
    let talker = WorkerPeer(1, frequency: 400)
    let peers = [talker] + (2...7).map { WorkerPeer($0) }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1.5)
    _ = seconds(bench)

    bench.run(seconds: 4)
    let found = seconds(bench)

    #expect(found.count == 7)
    for (leg, seconds) in found {
      #expect((3...5).contains(seconds.count), "leg \(leg): \(seconds.count)")
      for second in seconds {
        #expect(second.ticks == 50 && second.received == 50 && second.lost == 0 && second.refused == 0)
        #expect(second.flags == [.receives, .sends, .wasHeard, .hasPath])
        #expect(second.lateness == 0 && second.quiet <= 2)
        if leg == 1 {
          #expect(second.mixed == 50 && second.level > -30 && second.audible == 0 && second.delay > 0)
        } else {
          // One talker's packets are passed on as they are.
          #expect(second.mixed == 0 && second.audible == 50 && second.sent == 50 && second.comfort == 0)
          #expect(second.forwarded == 50)
        }
        #expect(FaultFinding.find(in: second).isEmpty)
      }
    }
  }

  @Test("loss, reordering and duplicates on the way in are told apart; the verdict is the network")
  func lossIn() throws {
    let talker = WorkerPeer(1, frequency: 400)
    let bench = WorkerBench(peers: [talker, WorkerPeer(2)])
    bench.run(seconds: 2)
    _ = seconds(bench)

    for tick in 0..<150 {
      for packet in talker.nextPackets() where tick % 5 != 0 {
        bench.deliver(packet, from: talker.address)
        if tick % 50 == 11 { bench.deliver(packet, from: talker.address) }
      }
      bench.receive()
      bench.runWorker(until: bench.now + .milliseconds(20))
    }
    let history = try #require(seconds(bench)[1]).suffix(2)

    for second in history {
      #expect((9...11).contains(second.lost) && second.expected >= 48)
      #expect(second.concealed >= 8)
    }
    let verdict = FaultVerdict(Array(history))
    #expect(verdict.culprit == .networkIn && verdict.badSeconds == 2)
    #expect(verdict.shares.first?.cause == .lossIn && verdict.shares.first?.direction == .inbound)
    #expect(Audibility(leg: talker.leg, history: history).voice == .broken)
  }

  @Test("a talker whose packets stop: cut off within 3 s, by everybody's view, and nobody else's fault")
  func oneWayIn() throws {
    let talker = WorkerPeer(1, frequency: 400)
    let other = WorkerPeer(2, frequency: 700)
    let bench = WorkerBench(peers: [talker, other])
    bench.run(seconds: 3)
    var last: [UInt32: [LegSecond]] = [:]
    for (leg, seconds) in seconds(bench) { last[leg] = seconds }
    #expect(Audibility(leg: talker.leg, history: try #require(last[1]).suffix(3)).voice == .talking)

    talker.isSending = false
    let stopped = bench.now
    var seen: Interval?
    for _ in 0..<200 where seen == nil {
      bench.step()
      for (leg, seconds) in seconds(bench) { last[leg, default: []] += seconds }
      let voice = Audibility(leg: talker.leg, history: last[1, default: []].suffix(Audibility.window)).voice
      if voice.isFault { seen = bench.now - stopped }
    }

    let delay = try #require(seen)
    #expect(delay <= .seconds(3) - .milliseconds(500), "the control thread may look half a second later")
    let cut = Audibility(leg: talker.leg, history: last[1, default: []].suffix(3))
    let whole = Audibility(leg: other.leg, history: last[2, default: []].suffix(3))
    #expect(cut.voice == .cutOff && cut.ear.isOpen)
    #expect(whole.link(from: cut) == .fault && cut.link(from: whole) == .sent)
    #expect(FaultVerdict(last[1, default: []]).shares.contains { $0.cause == .nothingIn })
    #expect(FaultVerdict(last[2, default: []]).culprit == nil)
  }

  @Test("a listener to whom nothing comes says so in its next report; one whom everything reaches confirms it")
  func oneWayOut() throws {
    let talker = WorkerPeer(1, frequency: 400)
    let deaf = WorkerPeer(2)
    let bench = WorkerBench(peers: [talker, deaf])
    var last: [UInt32: [LegSecond]] = [:]
    func report(_ peer: WorkerPeer, highest: UInt32) {
      let block = RTCPReportBlock(
        ssrc: peer.configuration.ssrc, fractionLost: 0, cumulativeLost: 0, extendedHighestSequence: highest, jitter: 48)
      let packet = peer.rtcp { writer, bytes in
        _ = writer.receiverReport(ssrc: peer.ssrc, into: &bytes)
        _ = writer.reportBlock(block, into: &bytes)
        _ = writer.sourceDescription(ssrc: peer.ssrc, cname: [UInt8]("x".utf8).span.bytes, into: &bytes)
      }
      bench.deliver(packet, from: peer.controlAddress)
      bench.receive()
    }
    func run(_ seconds: Double) {
      bench.run(seconds: seconds)
      for (leg, found) in self.seconds(bench) { last[leg, default: []] += found }
    }
    run(2)
    #expect(Audibility(leg: deaf.leg, history: last[2, default: []].suffix(3)).ear == .sent)

    report(deaf, highest: UInt32(deaf.sequences.last ?? 0))
    run(2)
    let before = UInt32(deaf.sequences.last ?? 0)
    report(deaf, highest: before)
    run(1.1)
    #expect(Audibility(leg: deaf.leg, history: last[2, default: []].suffix(3)).ear == .confirmed)

    report(deaf, highest: before)  // nothing new since
    run(1.1)

    let audibility = Audibility(leg: deaf.leg, history: last[2, default: []].suffix(3))
    #expect(audibility.ear == .notReceiving && audibility.voice == .silent)
    #expect(FaultFinding.find(in: try #require(last[2]?.last)).first?.culprit == .networkOut)
  }

  @Test("muted, deafened and on hold are wishes, not faults")
  func wishes() throws {
    let talker = WorkerPeer(1, frequency: 400)
    let other = WorkerPeer(2, frequency: 600)
    let bench = WorkerBench(peers: [talker, other])
    bench.run(seconds: 2)
    bench.handle(.setIngress(talker.leg, blocked: true))
    bench.handle(.setEgress(other.leg, blocked: true))
    _ = seconds(bench)
    bench.run(seconds: 3)
    var found = seconds(bench)
    let muted = Audibility(leg: talker.leg, history: try #require(found[1]).suffix(2))
    let deafened = Audibility(leg: other.leg, history: try #require(found[2]).suffix(2))
    #expect(muted.voice == .muted && deafened.ear == .deafened && deafened.voice == .talking)
    #expect(deafened.link(from: muted) == .closed && muted.link(from: deafened) == .sent)

    other.configuration.receives = false
    other.configuration.sends = false
    bench.handle(.modifyLeg(other.configuration))
    bench.run(seconds: 3)
    found = seconds(bench)

    let held = Audibility(leg: other.leg, history: try #require(found[2]).suffix(2))
    #expect(held.voice == .onHold && held.ear == .onHold)
    #expect([muted, deafened, held].allSatisfy { !$0.voice.isFault && !$0.ear.isFault })
    #expect(FaultVerdict(try #require(found[2])).culprit == nil)
  }

  @Test("ticks that are skipped or late are ours, and every leg of the meeting knows of them")
  func lateTicks() throws {
    let talker = WorkerPeer(1, frequency: 400)
    let bench = WorkerBench(peers: [talker, WorkerPeer(2)])
    bench.run(seconds: 2.5)
    _ = seconds(bench)

    bench.now = bench.now + .milliseconds(130)  // the worker was away
    bench.run(seconds: 2)
    let found = seconds(bench)

    for leg in [UInt32(1), 2] {
      let worst = try #require(found[leg]).map(\.lateness).max() ?? 0
      #expect(worst >= 900 && worst <= 1_400, "\(worst)")
      #expect(FaultVerdict(try #require(found[leg])).shares.contains { $0.cause == .tickLate })
    }
  }

  @Test("seconds that nobody takes are lost and counted; the worker goes on")
  func bounded() throws {
    var limits = MediaWorkerLimits()
    limits.evidence = 8
    let bench = WorkerBench(limits: limits, peers: (1...6).map { WorkerPeer($0) })

    bench.run(seconds: 6)

    #expect(try #require(bench.report).evidenceLost > 10)
    #expect(seconds(bench).values.reduce(0) { $0 + $1.count } == 8)
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }

  @Test("the worker's work is counted by kind, and its histograms are never reset")
  func costs() throws {
    let bench = WorkerBench(
      forwards: false, peers: [WorkerPeer(1, frequency: 400), WorkerPeer(2), WorkerPeer(3)])
    bench.run(seconds: 3.1)

    let report = try #require(bench.report)

    #expect(report.costs.legTicks >= 3 * 145 && report.costs.meetingTicks >= 145)
    #expect(report.costs.packetsIn >= 3 * 145 && report.costs.encodes > 100 && report.costs.talkerTicks > 100)
    #expect(report.slackHistogram.count >= 145 && report.slackHistogram.count <= 160)
    #expect(report.residenceHistogram.count > 100 && report.largestMeeting == 3)
    #expect(report.bytesIn > 5_000 && report.bytesOut > 5_000)
  }
}

@Suite("Duration histogram")
struct DurationHistogramTests {
  @Test("buckets are cumulative and inclusive; negative values fall into the first and add nothing to the sum")
  func buckets() {
    var histogram = DurationHistogram.slack
    for value: Int64 in [-500, 0, 1, 1_000, 1_001, 19_999, 20_000, 20_001, .max] {
      histogram.record(microseconds: value)
    }

    #expect(histogram.count == 9)
    #expect(histogram.limitMicroseconds(0) == 0 && histogram.cumulative(0) == 2)
    #expect(histogram.limitMicroseconds(1) == 1_000 && histogram.cumulative(1) == 4)
    #expect(histogram.cumulative(2) == 5 && histogram.cumulative(13) == 7)
    #expect(histogram.limitMicroseconds(14) == nil && histogram.cumulative(14) == 9)
  }
}
