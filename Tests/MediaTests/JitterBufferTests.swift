//  JitterBufferTests.swift: the adaptive buffer against arrival patterns, each compared with a fixed 60 ms buffer.

import Media
import Primitives
import Testing

@Suite("Jitter buffer")
struct JitterBufferTests {
  @Test("less delay than a fixed 60 ms buffer, and not more concealment", arguments: JitterSimulation.Pattern.allCases)
  func patterns(pattern: JitterSimulation.Pattern) {
    for seed: UInt64 in [42, 43] {
      let arrivals = JitterSimulation.arrivals(pattern, seconds: 60, seed: seed)

      let adaptive = JitterSimulation.adaptive(arrivals)
      let fixed = JitterSimulation.fixed(arrivals)

      print(
        "\(pattern) \(seed): concealed \(adaptive.concealed)/\(adaptive.ticks) (fixed \(fixed.concealed)), delay",
        "\(adaptive.meanDelay.rounded()) ms, worst \(adaptive.worstDelay.rounded()) (fixed",
        "\(fixed.meanDelay.rounded())), late \(adaptive.late), stretches \(adaptive.stretches),",
        "restarts \(adaptive.restarts)")
      // 0.3 % of the ticks are the price of learning: the first spikes of a path that was clean.
      #expect(adaptive.concealed <= fixed.concealed + adaptive.ticks * 3 / 1_000)
      // Where a packet in a hundred waits up to 90 ms, or one in 500 up to 180 ms, concealment wins over delay.
      switch pattern {
      case .spikes: #expect(adaptive.concealed < fixed.concealed)
      case .wifi: #expect(adaptive.meanDelay < fixed.meanDelay * 1.2)
      case .lte, .bursts, .reordered: #expect(adaptive.meanDelay < fixed.meanDelay)
      case .clean, .loss5, .loss20, .burstLoss, .duplicated: #expect(adaptive.meanDelay < fixed.meanDelay / 2)
      }
      #expect(adaptive.worstDelay <= 220)
    }
  }

  @Test("drift: for three hours the delay stays within a tick of its target", arguments: [200.0, -200, 1_000, -1_000])
  func drift(partsPerMillion: Double) {
    let arrivals = JitterSimulation.arrivals(.clean, seconds: 3 * 3_600, seed: 7, skew: partsPerMillion)
    var latest = 0.0
    var sum = 0.0

    let score = JitterSimulation.adaptive(arrivals) { time, delay in
      guard time > 2_000 else { return }
      latest = max(latest, delay)
      sum += delay
    }

    // At 1,000 ppm the least transit of the last ten seconds is 10 ms off.
    let isFast = abs(partsPerMillion) > 200
    #expect(score.concealed <= (isFast ? score.ticks / 1_000 : 0))
    #expect(score.restarts == 1)
    #expect(latest < (isFast ? 60 : 35))
    #expect(score.meanDelay < (isFast ? 25 : 18))
    #expect(score.sampleResidence.quantile(0.99) < 26)
  }

  @Test(
    "an outage of 3 s, lost or delivered late in one burst: play-out goes on with the newest, in one restart",
    arguments: [true, false])
  func outage(lost: Bool) {
    var arrivals = JitterSimulation.arrivals(.clean, seconds: 30, seed: 9)
    for index in 500..<650 { arrivals[index].arrived = lost ? nil : 13_015 }
    var afterwards = 0.0

    let score = JitterSimulation.adaptive(arrivals) { time, delay in
      if time > 16_000 { afterwards = max(afterwards, delay) }
    }

    #expect(score.restarts == 2)
    #expect((140...165).contains(score.concealed))
    #expect(afterwards < 70)
    #expect(score.worstDelay <= 220)
  }

  @Test(
    "a path that becomes 150 ms or 400 ms longer is followed, and the delay comes down again", arguments: [150.0, 400])
  func longerPath(milliseconds: Double) {
    var arrivals = JitterSimulation.arrivals(.clean, seconds: 60, seed: 3)
    for index in 1_000..<arrivals.count { arrivals[index].arrived = (arrivals[index].arrived ?? 0) + milliseconds }
    var afterwards = 0.0

    let score = JitterSimulation.adaptive(arrivals) { time, delay in
      if time > 55_000 { afterwards = max(afterwards, delay) }
    }

    #expect(score.concealed <= 30)
    #expect(afterwards < 60)
    #expect(score.worstDelay <= 220)
  }

  @Test("packets of 10, 40 and 60 ms", arguments: [10, 40, 60])
  func packetTimes(milliseconds: Int) {
    let arrivals = (0..<1_000).map {
      let sent = Double($0 * milliseconds)
      return Arrival(sequence: $0, sent: sent, arrived: sent + Double($0 * 7 % 5))
    }

    let score = JitterSimulation.adaptive(arrivals, packetMilliseconds: milliseconds)

    #expect(score.concealed < 8)
    #expect(score.restarts == 1)
    #expect(score.meanDelay < 70)
  }

  // MARK: Single packets

  private struct Bench: ~Copyable {
    var pool = PacketPool(capacity: 256)
    var buffer = JitterBuffer()

    mutating func insert(
      _ sequence: UInt16, timestamp: UInt32, at milliseconds: Int, scale: Int = 1, quiet: Bool = false
    ) -> DropReason? {
      guard let memory = pool.take() else { return .poolExhausted }
      let packet = AudioPacket(
        buffer: memory, payloadOffset: 12, payloadCount: 60, sequence: sequence, timestamp: timestamp, payloadType: 1)
      do {
        try buffer.insert(
          packet, samples: 960, clockScale: scale, quiet: quiet, now: now(milliseconds), pool: &pool)
        return nil
      } catch {
        pool.give(memory)
        return error
      }
    }

    func now(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds + 10_000) * 1_000_000) }

    /// Plays one tick; returns the sequences decoded.
    mutating func tick(at milliseconds: Int) -> [UInt16] {
      var result: [UInt16] = []
      var available = 0
      _ = buffer.beginTick(now: now(milliseconds), pool: &pool)
      while available < 960 {
        switch buffer.next(now: now(milliseconds), available: available, pool: &pool) {
        case .decode(let packet, let samples):
          pool.give(packet.buffer)
          result.append(packet.sequence)
          available += samples
        case .recover(_, let samples), .conceal(let samples): available += samples
        case .pause: return result
        }
      }
      return result
    }

    mutating func close() -> Bool {
      buffer.reset(pool: &pool)
      return pool.available == 256
    }
  }

  @Test(
    "duplicates, also of what was played, and late packets are refused; order is restored; sequence and timestamp wrap")
  func order() {
    var bench = Bench()
    let base: UInt32 = 4_294_966_000
    #expect(bench.insert(65_534, timestamp: base, at: 0) == nil)
    #expect(bench.insert(0, timestamp: base &+ 1_920, at: 40) == nil)
    #expect(bench.insert(65_535, timestamp: base &+ 960, at: 41) == nil)
    #expect(bench.insert(0, timestamp: base &+ 1_920, at: 41) == .duplicate)

    #expect(bench.tick(at: 41) == [65_534])
    #expect(bench.tick(at: 61) == [65_535])
    #expect(bench.insert(65_534, timestamp: base, at: 62) == .duplicate)
    #expect(bench.insert(65_533, timestamp: base &- 960, at: 62) == .late)
    #expect(bench.tick(at: 81) == [0])
    let whole = bench.close()
    #expect(whole)
  }

  @Test("the ring is bounded: full of packets that are not yet too old, it refuses the next")
  func overflow() {
    var bench = Bench()
    var refused: [DropReason] = []
    for index in 0..<140 {
      // All at once, ever further in the future.
      if let reason = bench.insert(UInt16(index), timestamp: UInt32(index * 120), at: 0) { refused.append(reason) }
    }
    do {
      let count = bench.buffer.count
      #expect(count == AudioLimits.jitterPackets)
    }
    #expect(refused.allSatisfy { $0 == .overflow } && refused.count <= 12)
    let whole = bench.close()
    #expect(whole)
  }

  @Test("a clock jump is believed at its second packet; a change of clock rate at once")
  func jumps() {
    var bench = Bench()
    #expect(bench.insert(1, timestamp: 1_000, at: 0) == nil)
    #expect(bench.insert(2, timestamp: 1_960, at: 20) == nil)
    #expect(bench.insert(3, timestamp: 500_000_000, at: 40) == .onProbation)
    #expect(bench.insert(4, timestamp: 2_920 + 960, at: 60) == nil, "a stray packet moved nothing")
    #expect(bench.insert(5, timestamp: 500_000_000, at: 80) == .onProbation)
    #expect(bench.insert(6, timestamp: 500_000_960, at: 100) == nil)
    do {
      let count = bench.buffer.count
      #expect(count == 1)
    }
    #expect(bench.insert(7, timestamp: 77, at: 120, scale: 6) == nil)
    do {
      let count = bench.buffer.count
      #expect(count == 1)
    }
    let whole = bench.close()
    #expect(whole)
  }

  @Test("a pause of the sender (sequence goes on, timestamp jumps) conceals nothing and starts a new spurt")
  func pauses() {
    var bench = Bench()
    var played: [UInt16] = []
    for index in 0..<10 {
      #expect(bench.insert(UInt16(index), timestamp: UInt32(index * 960), at: index * 20, quiet: index == 9) == nil)
      played += bench.tick(at: index * 20 + 5)
    }
    for index in 10..<110 { played += bench.tick(at: index * 20 + 5) }
    do {
      let phase = bench.buffer.phase
      #expect(phase == .idle)
    }
    for index in 110..<120 {
      #expect(bench.insert(UInt16(index - 100), timestamp: UInt32(index * 960), at: index * 20) == nil)
      played += bench.tick(at: index * 20 + 5)
    }
    for index in 120..<124 { played += bench.tick(at: index * 20 + 5) }

    #expect(played == Array(0..<9) + Array(10..<20))
    let withoutLoss = bench.buffer.resumedWithoutLoss
    #expect(withoutLoss)
    let whole = bench.close()
    #expect(whole)
  }
}
