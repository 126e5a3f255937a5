//  WorkerRepairTests.swift: in-band FEC goes to legs whose peers report loss, and to nobody else.

import Codecs
import Foundation
import Media
import Primitives
import RTP
import Testing

@Suite("In-band FEC for lossy paths")
struct WorkerRepairTests {
  private func report(_ peer: WorkerPeer, fraction: UInt8, to bench: WorkerBench) {
    let bytes = peer.rtcp { writer, bytes in
      _ = writer.receiverReport(ssrc: peer.ssrc, into: &bytes)
      _ = writer.reportBlock(
        RTCPReportBlock(
          ssrc: peer.configuration.ssrc, fractionLost: fraction, cumulativeLost: 0, extendedHighestSequence: 1,
          jitter: 0, lastSenderReport: 0, delaySinceLastSenderReport: 0), into: &bytes)
      _ = writer.bye(ssrc: peer.ssrc &+ 1, reason: RawSpan(), into: &bytes)
    }
    bench.deliver(bytes, from: peer.controlAddress)
    bench.receive()
  }

  /// Share of the packets since `first` that carry a copy of the one before.
  private func repairing(_ peer: WorkerPeer, from first: Int) -> Double {
    let recent = peer.payloads[first...]
    let count = recent.filter { payload in
      (try? OpusPacket(parsing: payload.span.bytes))?.hasFEC(in: payload.span.bytes) ?? false
    }.count
    return Double(count) / Double(max(1, recent.count))
  }

  private static func voice(_ shift: Int) -> (Int) -> Double {
    let samples = AudioSignals.voice(count: 48_000 * 4).map { Double($0) }
    return { samples[($0 + shift) % samples.count] }
  }

  @Test("two reports of 5 % begin it, half a minute of clean ones ends it; the others' packets stay as they are")
  func reported() throws {
    let peers = (1...5).map { WorkerPeer($0) }
    for (index, peer) in peers.enumerated() {
      peer.configuration.send.opus.inBandFEC = index != 4
      peer.keepsPayloads = true
      peer.signal = index < 2 ? Self.voice(index * 31_337) : { _ in 0 }
    }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 2)
    report(peers[2], fraction: 13, to: bench)
    bench.run(seconds: 0.5)
    var marks = peers.map(\.payloads.count)
    bench.run(seconds: 1)
    #expect(repairing(peers[2], from: marks[2]) == 0, "one report is chance")
    for index in [0, 2, 4] { report(peers[index], fraction: 13, to: bench) }
    report(peers[0], fraction: 13, to: bench)
    report(peers[4], fraction: 13, to: bench)
    let steady = largestStep(peers[2].heard[48_000...])
    let before = peers[2].heard.count
    bench.run(seconds: 0.5)
    marks = peers.map(\.payloads.count)
    bench.run(seconds: 2)

    #expect(repairing(peers[2], from: marks[2]) > 0.6)
    #expect(repairing(peers[0], from: marks[0]) > 0.6, "a talker hears his own group")
    for index in [1, 3] { #expect(repairing(peers[index], from: marks[index]) == 0) }
    #expect(repairing(peers[4], from: marks[4]) == 0, "it did not accept it")
    #expect(largestStep(peers[2].heard[before...]) < steady * 3 / 2)

    for _ in 0..<14 {
      for index in [0, 2] { report(peers[index], fraction: 0, to: bench) }
      bench.run(seconds: 2.5)
    }
    marks = peers.map(\.payloads.count)
    bench.run(seconds: 1)
    for index in 0..<5 { #expect(repairing(peers[index], from: marks[index]) == 0) }
    let changes = try #require(bench.report).repairChanges
    #expect(changes == 4)
    for peer in peers { #expect(peer.hasGaplessSequences) }
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }

  @Test("legs with FEC in both states come and go: every group is found again")
  func membership() throws {
    let peers = (1...4).map { WorkerPeer($0, frequency: $0 == 1 ? 440 : 0) }
    for peer in peers { peer.configuration.send.opus.inBandFEC = true }
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 0.5)
    for round in 0..<6 {
      for peer in peers { for _ in 0..<2 { report(peer, fraction: 60, to: bench) } }
      bench.run(seconds: 0.2)
      for index in 0..<4 where (round + index) % 2 == 0 {
        bench.handle(.closeLeg(peers[index].leg))
        bench.run(seconds: 0.1)
      }
      for index in 0..<4 where (round + index) % 2 == 0 {
        var again = peers[index].configuration
        again.packetMilliseconds = round % 3 == 2 ? 40 : 20
        bench.handle(.openLeg(again))
        bench.run(seconds: 0.1)
      }
    }
    #expect(bench.refusals.isEmpty)
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity && bench.legCount == 0)
  }
}
