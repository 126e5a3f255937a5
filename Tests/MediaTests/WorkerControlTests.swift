//  WorkerControlTests.swift: commands, events, keys, reports and limits.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

@Suite("Commands, events and limits")
struct WorkerControlTests {
  @Test("refusals: unknown meeting, duplicate, bad configuration, and one past each limit")
  func refusals() {
    var limits = MediaWorkerLimits()
    limits.legs = 3
    limits.legsPerMeeting = 2
    limits.meetings = 2
    let bench = WorkerBench(limits: limits)
    bench.handle(.openLeg(WorkerPeer(1).configuration))
    #expect(bench.refusals == [.unknownMeeting])
    for meeting in 1...3 { bench.handle(.openMeeting(MeetingID(rawValue: UInt32(meeting)))) }
    #expect(bench.meetingCount == 2)
    bench.handle(.openLeg(WorkerPeer(1, meeting: 3).configuration))
    #expect(bench.refusals.last == .unknownMeeting)
    bench.handle(.openLeg(WorkerPeer(1).configuration))
    bench.handle(.openLeg(WorkerPeer(1).configuration))
    #expect(bench.refusals.last == .duplicateLeg)
    bench.handle(.openLeg(WorkerPeer(2).configuration))
    bench.handle(.openLeg(WorkerPeer(3).configuration))
    #expect(bench.refusals.last == .tooManyLegs)
    bench.handle(.openLeg(WorkerPeer(3, meeting: 2).configuration))
    bench.handle(.openLeg(WorkerPeer(4, meeting: 2).configuration))
    #expect(bench.refusals.count == 5)

    #expect(bench.legCount == 3)
    bench.handle(.closeLeg(LegID(rawValue: 1)))
    var bad = WorkerPeer(5).configuration
    bad.receive = []
    bench.handle(.openLeg(bad))
    bad = WorkerPeer(5).configuration
    bad.packetMilliseconds = 30
    bench.handle(.openLeg(bad))
    bad = WorkerPeer(5).configuration
    bad.audioLevelExtension = 15
    bench.handle(.openLeg(bad))
    bad = WorkerPeer(5).configuration
    bad.cname = String(repeating: "x", count: 65)
    bench.handle(.openLeg(bad))
    #expect(bench.refusals.suffix(4) == [.badConfiguration, .badConfiguration, .badConfiguration, .badConfiguration])
    bench.handle(.openLeg(WorkerPeer(5).configuration))
    #expect(bench.legCount == 3)
  }

  @Test("closing a meeting closes its legs, says BYE to each, and frees everything")
  func closeMeeting() {
    let peers = (1...5).map { WorkerPeer($0, frequency: 200 + 300 * Double($0)) }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)

    bench.handle(.closeMeeting(peers[0].meeting))

    #expect(bench.closed.count == 5)
    for peer in peers {
      #expect(peer.reports.last.map(Self.kinds)?.last == 203)
      let statistics = bench.closed[peer.leg]
      #expect(statistics?.packetsSent == UInt64(peer.sequences.count))
      #expect(statistics?.packetsReceived == 50)
      #expect(statistics?.packetsLost == 0)
    }
    #expect(bench.legCount == 0 && bench.meetingCount == 0)
    #expect(bench.poolAvailable == bench.capacity)
    bench.run(seconds: 1)
    #expect(bench.drops[.unknownSource] > 200)
  }

  @Test("silence is reported once after the time-out, then the return")
  func timeOut() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2)]
    for peer in peers { peer.configuration.mediaTimeout = .seconds(3) }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    peers[0].isSending = false
    bench.run(seconds: 2.9)
    func silences() -> Int {
      bench.events.filter { if case .legSilent(peers[0].leg) = $0 { true } else { false } }.count
    }
    #expect(silences() == 0)

    bench.run(seconds: 3)
    #expect(silences() == 1)
    peers[0].isSending = true
    bench.run(seconds: 0.2)

    let returns = bench.events.filter { if case .legResumed(peers[0].leg) = $0 { true } else { false } }
    #expect(returns.count == 1)
  }

  @Test("a leg that never sends is reported too; a held one is not")
  func neverHeard() {
    let peers = [WorkerPeer(1), WorkerPeer(2)]
    for peer in peers {
      peer.configuration.mediaTimeout = .seconds(2)
      peer.isSending = false
    }
    peers[1].configuration.receives = false
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 3)

    let silent = bench.events.compactMap { if case .legSilent(let leg) = $0 { leg } else { nil } }
    #expect(silent == [peers[0].leg])
  }

  // MARK: Keys

  private func press(
    _ peer: WorkerPeer, _ code: UInt8, packets: Int, ends: Int, in bench: WorkerBench, stepUnits: Int = 960
  ) {
    let start = peer.timestamp
    for index in 1...(packets + ends) {
      let isEnd = index > packets
      let event = TelephoneEvent(
        code: code, isEnd: isEnd, attenuation: 10, duration: UInt16(min(index, packets + 1) * stepUnits))
      var payload = [UInt8](repeating: 0, count: 4)
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      event.write(into: &bytes, at: 0)
      bench.deliver(peer.rtp(payload, payloadType: 101, timestamp: start, marker: index == 1), from: peer.address)
      if !isEnd { bench.step() }
    }
    bench.receive()
    peer.timestamp = start &+ UInt32((packets + 1) * stepUnits)
  }

  private func digits(_ bench: WorkerBench) -> [(Character, Int)] {
    bench.events.compactMap {
      if case .digit(_, let digit, let milliseconds) = $0 {
        (Character(Unicode.Scalar(digit)), milliseconds)
      } else {
        nil
      }
    }
  }

  @Test("a key is reported once, at its end, with its length; and nobody hears anything of it")
  func keys() {
    let peers = [WorkerPeer(1, frequency: 1_000), WorkerPeer(2)]
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    for code in UInt8(0)...15 {
      press(peers[0], code, packets: 5, ends: 3, in: bench)
      peers[0].isSending = true
      bench.run(seconds: 0.1)
    }

    #expect(digits(bench).map(\.0) == Array("0123456789*#ABCD"))
    #expect(digits(bench).allSatisfy { $0.1 == 120 })
  }

  @Test("a key whose end is lost is reported after a moment")
  func lostEnd() {
    let peers = [WorkerPeer(1), WorkerPeer(2)]
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 0.5)
    peers[0].isSending = false

    press(peers[0], 5, packets: 5, ends: 0, in: bench)
    #expect(digits(bench).isEmpty)
    bench.run(seconds: 0.5)

    #expect(digits(bench).map(\.0) == ["5"])
    press(peers[0], 16, packets: 3, ends: 3, in: bench)  // flash is no digit
    #expect(digits(bench).count == 1)
  }

  @Test("audio beside a key does not reach the mix")
  func keyMutes() {
    let peers = [WorkerPeer(1, frequency: 1_000), WorkerPeer(2)]
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)

    // The tone goes on as audio, as some phones do, while the key is down for a second.
    let start = peers[0].timestamp
    for index in 1...50 {
      var payload = [UInt8](repeating: 0, count: 4)
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      TelephoneEvent(code: 1, isEnd: false, attenuation: 10, duration: UInt16(index * 960)).write(into: &bytes, at: 0)
      bench.deliver(peers[0].rtp(payload, payloadType: 101, timestamp: start), from: peers[0].address)
      bench.step()
    }

    #expect(peers[1].power(at: 1_000, skipping: 0.4, seconds: 0.6) > -30)
    #expect(peers[1].power(at: 1_000, skipping: 1.3, seconds: 0.6) < -50)
  }

  // MARK: Reports

  static func kinds(_ compound: [UInt8]) -> [UInt8] {
    var kinds: [UInt8] = []
    var offset = 0
    while offset + 4 <= compound.count {
      kinds.append(compound[offset + 1])
      offset += (Int(compound[offset + 2]) << 8 + Int(compound[offset + 3]) + 1) * 4
    }
    return kinds
  }

  @Test(
    "reports come every 5 s on average, between 2 and 7.5 s apart, and say what was received", arguments: [true, false])
  func reports(mux: Bool) throws {
    let peers = [
      WorkerPeer(1, codec: .pcma, rtcpMux: mux, frequency: 440),
      WorkerPeer(2, codec: .pcma, rtcpMux: mux, frequency: 1_000),
    ]
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 60)

    for peer in peers {
      #expect((8...20).contains(peer.reports.count), "\(peer.reports.count)")
      for (earlier, later) in zip(peer.reportArrivals, peer.reportArrivals.dropFirst()) {
        #expect(later - earlier > .milliseconds(2_000) && later - earlier < .milliseconds(7_600))
      }
      let last = try #require(peer.reports.last)
      #expect(Self.kinds(last) == [200, 202])
      var compound = try RTCPCompound(parsing: last.span.bytes)
      guard case .senderReport(let source, let sender, let blocks)? = compound.next(in: last.span.bytes) else {
        Issue.record("no SR")
        continue
      }
      #expect(source == peer.configuration.ssrc)
      #expect(sender.packetCount > 2_000)
      // NTP seconds of the bench's wall clock.
      #expect(sender.ntp >> 32 > 2_208_988_800 + 1_800_000_000)
      let found = blocks.block(about: peer.ssrc, in: last.span.bytes)
      let block = try #require(found)
      #expect(block.fractionLost == 0 && block.cumulativeLost == 0)
      guard case .sourceDescription(let description)? = compound.next(in: last.span.bytes),
        let name = description.canonicalName(of: source, in: last.span.bytes)
      else {
        Issue.record("no CNAME")
        continue
      }
      #expect(String(decoding: last[name], as: UTF8.self) == peer.configuration.cname)
    }
    #expect(bench.strays.isEmpty)
  }

  @Test("a peer's report gives round trip and loss; its BYE is told once; lies are dropped")
  func peerReports() throws {
    let peer = WorkerPeer(1, rtcpMux: false, frequency: 440)
    let bench = WorkerBench(peers: [peer, WorkerPeer(2, frequency: 1_000)])
    bench.run(seconds: 10)
    let last = try #require(peer.reports.last)
    let arrival = try #require(peer.reportArrivals.last)
    var compound = try RTCPCompound(parsing: last.span.bytes)
    guard case .senderReport(_, let sender, _)? = compound.next(in: last.span.bytes) else {
      Issue.record("no SR")
      return
    }

    // The peer answers at once; the way there and back took what has passed since.
    let report = peer.rtcp { writer, bytes in
      _ = writer.receiverReport(ssrc: peer.ssrc, into: &bytes)
      _ = writer.reportBlock(
        RTCPReportBlock(
          ssrc: peer.configuration.ssrc, fractionLost: 64, cumulativeLost: 5, extendedHighestSequence: 1, jitter: 9,
          lastSenderReport: RoundTrip.compact(sender.ntp), delaySinceLastSenderReport: 0), into: &bytes)
      _ = writer.bye(ssrc: peer.ssrc, reason: RawSpan(), into: &bytes)
    }
    let expected = (bench.now - arrival).nanoseconds / 1_000
    bench.deliver(report, from: peer.controlAddress, socket: 1)
    bench.receive()
    bench.deliver(
      peer.rtcp { writer, bytes in
        _ = writer.receiverReport(ssrc: peer.ssrc, into: &bytes)
        _ = writer.bye(ssrc: peer.ssrc, reason: RawSpan(), into: &bytes)
      }, from: peer.controlAddress, socket: 1)
    bench.receive()
    bench.deliver(report, from: peer.controlAddress, socket: 1)  // a replay
    bench.receive()

    let statistics = try #require(bench.statistics(of: peer.leg))
    #expect(statistics.remoteFractionLost == 64)
    #expect(abs(Int64(statistics.roundTripMicroseconds) - expected) < 100)
    let goodbyes = bench.events.filter { if case .legSaidGoodbye(peer.leg) = $0 { true } else { false } }
    #expect(goodbyes.count == 1)
    #expect(bench.drops[.replayed] == 1)
  }

  @Test("lost packets show in the report to the peer")
  func loss() throws {
    let peer = WorkerPeer(1, frequency: 440)
    let bench = WorkerBench(peers: [peer, WorkerPeer(2)])
    for index in 0..<1000 {
      if index % 4 == 3 { _ = peer.nextPackets() }  // lost
      bench.step()
    }
    let last = try #require(peer.reports.last)
    var compound = try RTCPCompound(parsing: last.span.bytes)
    let blocks: RTCPReportBlocks
    switch compound.next(in: last.span.bytes) {
    case .senderReport(_, _, let found): blocks = found
    case .receiverReport(_, let found): blocks = found
    default:
      Issue.record("no report")
      return
    }
    let found = blocks.block(about: peer.ssrc, in: last.span.bytes)
    let block = try #require(found)
    #expect((45...58).contains(block.fractionLost))  // a fifth of 256
    #expect(block.cumulativeLost > 100)
  }

  // MARK: Scarcity

  @Test("pool exhausted: packets are dropped and counted, sequences stay gapless, and afterwards everything works")
  func exhausted() {
    var limits = MediaWorkerLimits()
    limits.packets = 64
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2), WorkerPeer(3)]
    let bench = WorkerBench(limits: limits, peers: peers)
    bench.run(seconds: 1)
    var held: [PacketBuffer] = []
    for _ in 0..<25 {
      while let buffer = bench.worker.pool.take() { held.append(buffer) }
      bench.step()
    }
    #expect(bench.drops[.poolExhausted] > 25)
    for buffer in held { bench.worker.pool.give(buffer) }

    bench.run(seconds: 1.5)

    #expect(peers[1].power(at: 440, skipping: 2) > -30)
    for peer in peers { #expect(peer.hasGaplessSequences) }
    bench.closeAll()
    #expect(bench.poolAvailable == 64)
  }

  @Test("a full egress batch stops a tick; the rest follows, nobody twice and nobody not at all")
  func fullEgress() {
    let peers = (1...20).map { WorkerPeer($0, frequency: $0 == 1 ? 440 : 0) }
    for peer in peers.dropFirst() { peer.amplitude = 0 }
    let bench = WorkerBench(egressCapacity: 7, peers: peers)

    bench.run(seconds: 2)

    let counts = peers.dropFirst().map(\.sequences.count)
    #expect(counts.allSatisfy { $0 == counts.first })
    for peer in peers { #expect(peer.hasGaplessSequences) }
    #expect(peers[19].power(at: 440) > -30)
  }

  @Test("a shell that takes no events for long: lifecycle events are kept, reports give way")
  func fullRing() {
    var limits = MediaWorkerLimits()
    limits.legs = 8
    let peers = (1...4).map { WorkerPeer($0) }
    let bench = WorkerBench(limits: limits, peers: peers)
    bench.run(seconds: 0.2)
    let peer = peers[0]
    peer.isSending = false
    bench.events.removeAll()

    // Far more keys than the ring has room for, and no event taken meanwhile.
    for index in 0..<2_000 {
      var payload = [UInt8](repeating: 0, count: 4)
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      TelephoneEvent(code: 1, isEnd: true, attenuation: 0, duration: 800).write(into: &bytes, at: 0)
      peer.timestamp &+= 1_000
      bench.deliver(peer.rtp(payload, payloadType: 101, timestamp: peer.timestamp), from: peer.address)
      bench.worker.receive(&bench.ingress, now: bench.now, into: &bench.egress)
      if index % 100 == 99 { bench.now = bench.now + .seconds(1) }
    }
    #expect(bench.acceptsCommand)
    bench.worker.handle(.closeMeeting(peer.meeting), now: bench.now, into: &bench.egress)
    bench.flush()

    #expect(digits(bench).count > 1_000)
    #expect(bench.closed.count == 4)
    #expect(bench.acceptsCommand)
  }

  @Test("a leg that floods is held to its rate; the others do not notice")
  func flood() {
    let peers = [WorkerPeer(1, codec: .pcma, frequency: 440), WorkerPeer(2, frequency: 1_000), WorkerPeer(3)]
    let bench = WorkerBench(peers: peers)
    for _ in 0..<100 {
      for _ in 0..<50 { for packet in peers[0].nextPackets() { bench.deliver(packet, from: peers[0].address) } }
      bench.step()
    }
    #expect(bench.drops[.rateLimited] > 3_000)
    #expect(peers[2].power(at: 1_000) > -30)
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }

  @Test("a new SSRC is taken up after three packets, or at once when the old one was quiet; a stray one is not")
  func newSource() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2)]
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    peers[0].ssrc ^= 0x5555
    peers[0].timestamp = 12
    bench.run(seconds: 2)

    #expect(peers[1].power(at: 440, skipping: 1.5) > -30)
    #expect(bench.drops[.onProbation] == 2)
  }

  @Test("a worker that was stopped for long skips ticks, counts them and goes on in time")
  func stopped() {
    let peers = [WorkerPeer(1, codec: .pcma, frequency: 440), WorkerPeer(2, codec: .pcma)]
    peers[1].amplitude = 0
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    let before = peers[1].timestamps.last ?? 0
    bench.now = bench.now + .seconds(10)
    bench.run(seconds: 1)

    let after = peers[1].timestamps.last ?? 0
    #expect(abs(Int(after &- before) - 11 * 8_000) < 1_000)
    #expect((bench.report?.lateTicks ?? 0) > 400)
    #expect(peers[1].hasGaplessSequences)
    #expect(peers[1].sequences.count < 130)
  }

  @Test("the report of a second: legs, packets, slack and residence")
  func report() throws {
    let bench = WorkerBench(peers: [WorkerPeer(1, frequency: 440), WorkerPeer(2)])
    bench.run(seconds: 2.5)
    let report = try #require(bench.report)
    #expect(report.legs == 2 && report.meetings == 1)
    #expect(report.packetsIn > 150 && report.packetsOut > 80)
    #expect(report.slack.count == 50 && report.slack.p999 == 20_000)
    #expect((45...51).contains(report.residence.count))
    #expect(report.residence.p99 > 0 && report.residence.p99 <= 80_000)
    #expect(report.poolCapacity == bench.capacity)
  }
}
