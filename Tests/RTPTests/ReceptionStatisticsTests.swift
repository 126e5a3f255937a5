//  ReceptionStatisticsTests.swift: sequence, loss and jitter of one source (RFC 3550 A.1, A.3, A.8).

import Primitives
import RTP
import Testing

@Suite("Reception statistics (RFC 3550 A.1, A.3, A.8)")
struct ReceptionStatisticsTests {
  private func at(_ milliseconds: Int) -> Instant { .zero + .milliseconds(milliseconds) }

  /// Feeds sequence numbers at an even pace; `nil` where a packet was refused.
  private func feed(_ statistics: inout ReceptionStatistics, _ sequences: [UInt16]) -> [Int64?] {
    sequences.map { try? statistics.receive(sequence: $0, timestamp: 0, arrival: .zero) }
  }

  @Test("a source on probation is believed with the second packet in sequence")
  func probation() {
    var statistics = ReceptionStatistics(clockRate: 8_000)
    #expect(feed(&statistics, [10, 20, 30, 31, 32]) == [nil, nil, nil, 31, 32])
    #expect(statistics.isValid && statistics.received == 2 && statistics.expected == 2 && statistics.lost == 0)

    var strict = ReceptionStatistics(clockRate: 8_000, minimumSequential: 3)
    #expect(feed(&strict, [1, 2, 9, 10, 11]) == [nil, nil, nil, nil, 11])
  }

  @Test("an authenticated source is believed at once")
  func authenticated() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    #expect(feed(&statistics, [65_535, 0, 1]) == [65_535, 65_536, 65_537])
    #expect(statistics.expected == 3 && statistics.lost == 0)
  }

  @Test("wraps, reordering across the wrap, duplicates")
  func wraps() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    #expect(
      feed(&statistics, [65_534, 0, 65_535, 1, 1, 65_500]) == [65_534, 65_536, 65_535, 65_537, 65_537, 65_500])
    #expect(statistics.extendedHighest == 65_537)
    #expect(statistics.lost == -2 && statistics.expected == 4)
  }

  @Test("packets older than the first extend below zero")
  func beforeFirst() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    #expect(feed(&statistics, [1, 65_535]) == [1, -1])
  }

  @Test("a jump is believed with its second packet, and numbers go on growing")
  func jump() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    #expect(feed(&statistics, [100, 101, 20_000, 102]) == [100, 101, nil, 102])
    #expect(feed(&statistics, [30_000, 30_001, 30_002]) == [nil, 65_536 + 30_001, 65_536 + 30_002])
    #expect(statistics.restarts == 1 && statistics.received == 2 && statistics.expected == 2)
    // To the reporter this is a new beginning (RFC 3550 A.1).
    #expect(statistics.reportBlock(ssrc: 1, now: .zero).extendedHighestSequence == 30_002)
    #expect(statistics.reportBlock(ssrc: 1, now: .zero).cumulativeLost == 0)
  }

  @Test("MAX_DROPOUT and MAX_MISORDER at their limits")
  func limits() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    #expect(feed(&statistics, [10_000, 12_999]) == [10_000, 12_999])
    #expect(feed(&statistics, [15_999]) == [nil])
    #expect(feed(&statistics, [12_900]) == [12_900])
    #expect(feed(&statistics, [12_899]) == [nil])
  }

  @Test("the last number of the ring confirms a jump as well")
  func jumpAcrossWrap() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    #expect(feed(&statistics, [30_000, 65_535, 0]) == [30_000, nil, 65_536])
  }

  @Test("fraction and cumulative loss per interval")
  func loss() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    _ = feed(&statistics, [0, 1, 2, 4, 5, 6, 8, 9])
    var block = statistics.reportBlock(ssrc: 9, now: .zero)
    #expect(block.ssrc == 9 && block.cumulativeLost == 2 && block.fractionLost == 51)
    #expect(block.extendedHighestSequence == 9)

    _ = feed(&statistics, [10, 11])
    block = statistics.reportBlock(ssrc: 9, now: .zero)
    #expect(block.cumulativeLost == 2 && block.fractionLost == 0)

    _ = feed(&statistics, [12, 12, 12, 14])  // duplicates outnumber the loss of this interval
    block = statistics.reportBlock(ssrc: 9, now: .zero)
    #expect(block.cumulativeLost == 1 && block.fractionLost == 0)

    #expect(statistics.reportBlock(ssrc: 9, now: .zero).fractionLost == 0)
  }

  @Test("cumulative loss is clamped to 24 bits")
  func clamped() {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    var sequence: UInt16 = 0
    for _ in 0..<3_000 {
      sequence &+= 2_999
      _ = feed(&statistics, [sequence])
    }
    #expect(statistics.lost > 0x7f_ffff)
    #expect(statistics.reportBlock(ssrc: 1, now: .zero).cumulativeLost == 0x7f_ffff)
  }

  @Test("jitter: nothing at an even pace, near the mean of uneven ones, over the timestamp's wrap")
  func jitter() throws {
    var even = ReceptionStatistics(clockRate: 48_000, minimumSequential: 0)
    var uneven = ReceptionStatistics(clockRate: 48_000, minimumSequential: 0)
    for index in 0..<1_000 {
      let timestamp = UInt32.max - 9_600 &+ UInt32(index) * 960
      _ = try even.receive(sequence: UInt16(index), timestamp: timestamp, arrival: at(20 * index))
      let late = index % 2 == 0 ? 0 : 10
      _ = try uneven.receive(sequence: UInt16(index), timestamp: timestamp, arrival: at(20 * index + late))
    }
    #expect(even.jitter == 0)
    #expect((470...480).contains(uneven.jitter))  // 10 ms are 480 units
  }

  @Test("packets that do not measure leave jitter alone; invented timestamps do not overflow it")
  func jitterBounds() throws {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    _ = try statistics.receive(sequence: 0, timestamp: 0, arrival: at(0))
    _ = try statistics.receive(sequence: 1, timestamp: 0, arrival: at(500), measuresJitter: false)
    #expect(statistics.jitter == 0)
    for index in 2..<500 as Range<UInt16> {
      _ = try statistics.receive(sequence: index, timestamp: index % 2 == 0 ? 0 : 1 << 31, arrival: at(0))
    }
    #expect(statistics.jitter <= 1 << 27)
  }

  @Test("LSR and DLSR, and the round trip they give")
  func roundTrip() throws {
    var statistics = ReceptionStatistics(clockRate: 8_000, minimumSequential: 0)
    _ = feed(&statistics, [1])
    #expect(statistics.reportBlock(ssrc: 1, now: at(100)).lastSenderReport == 0)
    #expect(statistics.reportBlock(ssrc: 1, now: at(100)).delaySinceLastSenderReport == 0)

    let sent = WallTime(microseconds: 1_700_000_000_000_000)
    statistics.senderReportReceived(ntp: sent.ntp, arrival: at(1_040))
    let block = statistics.reportBlock(ssrc: 1, now: at(6_290))
    #expect(block.delaySinceLastSenderReport == 5_250 * 65_536 / 1_000)

    // 40 ms there, 5.25 s at the peer, 60 ms back.
    let arrival = WallTime(microseconds: sent.microseconds + 5_350_000)
    let trip = try #require(RoundTrip.time(of: block, arrival: arrival.ntp))
    #expect(abs(trip.milliseconds - 100) < 0.1)
  }

  @Test("round trips that cannot be")
  func impossible() {
    var block = RTCPReportBlock(
      ssrc: 1, fractionLost: 0, cumulativeLost: 0, extendedHighestSequence: 0, jitter: 0)
    #expect(RoundTrip.time(of: block, arrival: 1 << 32) == nil)
    block.lastSenderReport = 10 << 16
    #expect(RoundTrip.time(of: block, arrival: 10 << 32) == .zero)
    block.delaySinceLastSenderReport = 6_553
    #expect(RoundTrip.time(of: block, arrival: 10 << 32) == .zero)
    block.delaySinceLastSenderReport = 1 << 16
    #expect(RoundTrip.time(of: block, arrival: 10 << 32) == nil)
    block.delaySinceLastSenderReport = 0
    #expect(RoundTrip.time(of: block, arrival: 70 << 32) == .seconds(60))
    #expect(RoundTrip.time(of: block, arrival: 71 << 32) == nil)
    #expect(RoundTrip.delay(.seconds(-1)) == 0)
    #expect(RoundTrip.delay(.seconds(65_536)) == .max)
    #expect(RoundTrip.delay(.milliseconds(500)) == 32_768)
  }
}

@Suite("RTCP timer (RFC 3550 §6.3, A.7)")
struct RTCPScheduleTests {
  @Test("two members: the first compound after 1.03…3.08 s, then every 2.05…6.16 s, 5 s minimum over e − 3/2")
  func twoMembers() {
    var random = RandomSource(seed: 77)
    var total = 0.0
    for _ in 0..<500 {
      var schedule = RTCPSchedule(sessionBandwidth: 64_000, now: .zero, random: &random)
      let first = (schedule.deadline - .zero).seconds
      #expect(first >= 2.5 * 0.5 / 1.21828 - 0.001 && first <= 2.5 * 1.5 / 1.21828 + 0.001)
      schedule.sent(count: 72, now: schedule.deadline, random: &random)
      let next = (schedule.deadline - .zero).seconds - first
      #expect(next >= 5 * 0.5 / 1.21828 - 0.001 && next <= 5 * 1.5 / 1.21828 + 0.001)
      total += next
    }
    #expect(abs(total / 500 - 5 / 1.21828) < 0.2)
  }

  @Test("a compound goes out at a mean of 5 s with reconsideration")
  func meanInterval() {
    var random = RandomSource(seed: 78)
    var schedule = RTCPSchedule(sessionBandwidth: 64_000, now: .zero, random: &random)
    var sent = 0
    while schedule.deadline < .zero + .seconds(5_000) {
      let now = schedule.deadline
      #expect(!schedule.isDue(now: now - .nanoseconds(1), random: &random))
      guard schedule.isDue(now: now, random: &random) else { continue }
      sent += 1
      schedule.sent(count: 80, now: now, random: &random)
    }
    #expect((900...1_100).contains(sent))
  }

  @Test("one early compound between two regular ones; the next regular one is put off, never brought forward")
  func early() {
    var random = RandomSource(seed: 80)
    for _ in 0..<200 {
      var schedule = RTCPSchedule(sessionBandwidth: 64_000, minimum: .seconds(1), now: .zero, random: &random)
      schedule.sent(count: 80, now: schedule.deadline, random: &random)
      let planned = schedule.deadline
      #expect(!schedule.beginEarly(now: planned, random: &random))

      #expect(schedule.beginEarly(now: planned - .milliseconds(100), random: &random))
      schedule.sentEarly(count: 60)
      #expect(schedule.deadline >= planned && schedule.deadline <= planned + .seconds(3))
      #expect(!schedule.beginEarly(now: planned - .milliseconds(50), random: &random))

      schedule.sent(count: 80, now: schedule.deadline, random: &random)
      #expect(schedule.allowsEarly)
    }
  }

  @Test("a group that grew postpones; members that leave bring it forward")
  func reconsideration() {
    var random = RandomSource(seed: 79)
    var schedule = RTCPSchedule(sessionBandwidth: 8_000, now: .zero, random: &random)
    let planned = schedule.deadline
    schedule.setMembers(1_000, senders: 0)
    #expect(!schedule.isDue(now: planned, random: &random))
    let postponed = schedule.deadline
    #expect(postponed > planned)

    for _ in 0..<998 { schedule.memberLeft(now: planned) }
    #expect(schedule.members == 2)
    #expect(schedule.deadline < postponed && schedule.deadline >= planned)
    for _ in 0..<5 { schedule.memberLeft(now: planned) }
    #expect(schedule.members == 1)
  }

  @Test("size and number of members make the interval; senders have their quarter")
  func bandwidth() {
    var random = RandomSource(seed: 80)
    var schedule = RTCPSchedule(
      sessionBandwidth: 64_000, minimum: .milliseconds(1), firstSize: 172, now: .zero, random: &random)
    #expect(abs(schedule.deterministicInterval.seconds - 200.0 * 2 / 400) < 0.001)
    schedule.setMembers(100, senders: 10)
    #expect(abs(schedule.deterministicInterval.seconds - 200.0 * 90 / 300) < 0.001)
    schedule.isSender = true
    #expect(abs(schedule.deterministicInterval.seconds - 200.0 * 10 / 100) < 0.001)
    for _ in 0..<200 { schedule.received(count: 372) }
    #expect(abs(schedule.averageSize - 400) < 1)
  }

  @Test("absurd numbers neither trap nor stop the timer")
  func absurd() {
    var random = RandomSource(seed: 81)
    var schedule = RTCPSchedule(sessionBandwidth: 0, minimum: .seconds(-5), now: .never, random: &random)
    schedule.setMembers(.max, senders: .max)
    schedule.received(count: .max)
    schedule.sent(count: .min, now: .zero, random: &random)
    #expect(schedule.deadline <= .zero + .seconds(86_401))
    schedule.setMembers(-5, senders: -5)
    schedule.memberLeft(now: .zero)
    #expect(schedule.members == 1)
  }
}
