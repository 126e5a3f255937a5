//  BurstStatisticsTests.swift: losses alone and in bursts; timestamps as wall-clock time.

import Primitives
import RTP
import Testing

@Suite("Loss bursts (RFC 3611 §4.7.2)")
struct BurstStatisticsTests {
  /// Feeds packets; `.` arrives, `x` is lost.
  private func feed(_ pattern: String, into bursts: inout BurstStatistics, from start: Int64 = 65_530) {
    for (index, character) in pattern.enumerated() where character == "." { bursts.receive(start + Int64(index)) }
  }

  @Test("no loss: one gap as long as the call")
  func clean() {
    var bursts = BurstStatistics()
    feed(String(repeating: ".", count: 500), into: &bursts)

    let metrics = bursts.metrics(packetMilliseconds: 20)

    #expect(bursts.lost == 0 && bursts.received == 500)
    #expect(metrics.burstDensity == 0 && metrics.burstDuration == 0 && metrics.gapDensity == 0)
    #expect(abs(Int(metrics.gapDuration) - 10_000) <= 500)
    #expect(bursts.burstRatio(since: BurstStatistics()) == 1)
  }

  @Test("losses 16 and more apart stand alone, nearer ones are a burst")
  func alone() {
    var apart = BurstStatistics()
    var near = BurstStatistics()
    let gap = String(repeating: ".", count: 40)
    for index in 0..<10 {
      feed(gap + "x" + gap, into: &apart, from: Int64(index) * 81)
      feed(gap + "x.....x..x" + gap, into: &near, from: Int64(index) * 90)
    }

    let single = apart.metrics(packetMilliseconds: 20)
    let burst = near.metrics(packetMilliseconds: 20)

    #expect(apart.lost == 10 && apart.runs == 10)
    #expect(single.burstDensity == 0 && single.gapDensity == UInt8(10 * 256 / 810))
    #expect(near.lost == 30 && near.runs == 30)
    // 3 of 10 packets of each burst, 200 ms.
    #expect(abs(Int(burst.burstDensity) - 77) <= 4 && abs(Int(burst.burstDuration) - 200) <= 20)
    #expect(burst.gapDensity == 0 && abs(Int(burst.gapDuration) - 1_450) <= 200)
  }

  @Test("BurstR: 1 for losses one by one, 3 for runs of three at 5 %")
  func ratio() {
    var random = BurstStatistics()
    var bursty = BurstStatistics()
    for index in 0..<200 {
      feed("x" + String(repeating: ".", count: 19), into: &random, from: Int64(index) * 20 + 1)
      feed("xxx" + String(repeating: ".", count: 57), into: &bursty, from: Int64(index) * 60 + 1)
    }

    #expect(random.burstRatio(since: BurstStatistics()) == 1)
    #expect(abs(bursty.burstRatio(since: BurstStatistics()) - 3 * 0.95) < 0.02)
    #expect(bursty.burstRatio(since: bursty) == 1)
  }

  @Test("late packets were not lost; restarts and the first packet lose nothing")
  func late() {
    var bursts = BurstStatistics()

    for extended in [100, 101, 103, 102, 104, 104, 5_000_000, 5_000_001] as [Int64] { bursts.receive(extended) }

    #expect(bursts.lost == 0 && bursts.received == 8)
  }

  @Test("random sequence numbers trap nowhere")
  func noise() {
    var random = RandomSource(seed: 1)
    var bursts = BurstStatistics()
    for _ in 0..<20_000 {
      let far = Int64(bitPattern: random.next())
      bursts.receive(Bool.random(using: &random) ? far : far % 100)
    }
    _ = bursts.metrics(packetMilliseconds: 60)
    _ = bursts.burstRatio(since: BurstStatistics())
  }

  @Test("RTP to wall clock, before and after the report, over the wrap")
  func clock() {
    let report = RTCPSenderInfo(ntp: 1_000 << 32, rtpTimestamp: 0xffff_ff00, packetCount: 0, octetCount: 0)
    let mapping = RTPClockMapping(report, arrival: .zero)

    #expect(mapping.ntpTime(of: 0xffff_ff00, clockRate: 48_000) == 1_000 << 32)
    #expect(mapping.ntpTime(of: 0xffff_ff00 &+ 72_000, clockRate: 48_000) == 1_001 << 32 + 1 << 31)
    #expect(mapping.ntpTime(of: 0xffff_ff00 &- 4_000, clockRate: 8_000) == 1_000 << 32 - 1 << 31)
  }
}
