//  JitterPropertyTests.swift: whatever comes, in whatever order: nothing twice, nothing backwards, bounded, every buffer back.

import Media
import Primitives
import Testing

@Suite("Jitter buffer, properties")
struct JitterPropertyTests {
  private static let capacity = 512

  /// A sender that does everything wrong now and then, and a receiver that renders, forwards or skips as it likes.
  private struct Storm: ~Copyable {
    var random: RandomSource
    var pool = PacketPool(capacity: JitterPropertyTests.capacity)
    var buffer = JitterBuffer()
    var played: [UInt32] = []
    var mostHeld = 0

    init(seed: UInt64) { random = RandomSource(seed: seed) }

    func chance(_ percent: UInt64) -> Bool {
      var copy = random
      return copy.next() % 100 < percent
    }

    mutating func roll(_ bound: UInt64) -> UInt64 { random.next() % bound }

    /// - Parameter identity: where the packet lies in the sender's order; carried where a payload would be.
    mutating func insert(identity: UInt32, sequence: UInt16, timestamp: UInt32, samples: Int, at now: Instant) {
      guard let memory = pool.take() else { return }
      let packet = AudioPacket(
        buffer: memory, payloadOffset: UInt16(truncatingIfNeeded: identity >> 16),
        payloadCount: UInt16(truncatingIfNeeded: identity), sequence: sequence, timestamp: timestamp, payloadType: 1)
      do {
        try buffer.insert(
          packet, samples: samples, clockScale: 1, quiet: roll(50) == 0, level: -Int(roll(128)),
          repeats: roll(2) == 0, now: now, pool: &pool)
      } catch {
        pool.give(memory)
      }
      mostHeld = max(mostHeld, JitterPropertyTests.capacity - pool.available)
    }

    mutating func note(_ packet: AudioPacket) {
      played.append(UInt32(packet.payloadOffset) << 16 | UInt32(packet.payloadCount))
      pool.give(packet.buffer)
    }

    /// - Returns: steps that the tick took.
    mutating func render(at now: Instant) -> Int {
      var available = 0
      var steps = 0
      _ = buffer.beginTick(now: now, pool: &pool)
      while available < 960, steps < 1_000 {
        steps += 1
        switch buffer.next(now: now, available: available, pool: &pool) {
        case .decode(let packet, let samples):
          note(packet)
          available += samples
        case .recover(_, let samples), .conceal(let samples): available += samples
        case .pause: return steps
        }
      }
      _ = buffer.wish(now: now, available: available)
      return steps
    }

    mutating func forward(at now: Instant) -> Int {
      var steps = 0
      _ = buffer.beginTick(now: now, pool: &pool)
      while steps < 1_000 {
        steps += 1
        switch buffer.take(now: now, pool: &pool) {
        case .packet(let packet, _): note(packet)
        case .lost: continue
        case .wait, .pause: return steps
        }
      }
      return steps
    }

    mutating func close() -> Bool {
      buffer.reset(pool: &pool)
      return pool.available == JitterPropertyTests.capacity
    }
  }

  @Test("no packet is played twice, order holds while the sequence does, memory is bounded", arguments: 0..<40)
  func storm(seed: Int) {
    var storm = Storm(seed: UInt64(seed))
    var identity: UInt32 = 0
    var sequence = UInt16(truncatingIfNeeded: storm.roll(65_536))
    var timestamp = UInt32(truncatingIfNeeded: storm.random.next())
    var epoch: [UInt32: Int] = [:]
    var epochs = 0
    var flying: [(at: Int64, identity: UInt32, sequence: UInt16, timestamp: UInt32, samples: Int)] = []
    var mostSteps = 0
    for millisecond in 0..<Int64(20_000) {
      let now = Instant(nanoseconds: (5_000 + millisecond) * 1_000_000)
      if millisecond % 20 == 0 {
        let samples = [120, 240, 480, 960, 960, 960, 1_920, 2_880, 5_760][Int(storm.roll(9))]
        if storm.roll(200) == 0 {
          // Another clock, another numbering: what comes now may not be compared with what came before.
          if storm.roll(2) == 0 { timestamp &+= UInt32(truncatingIfNeeded: storm.random.next()) }
          if storm.roll(2) == 0 { sequence &+= UInt16(truncatingIfNeeded: storm.random.next()) }
          epochs += 1
        }
        epoch[identity] = epochs
        if storm.roll(10) > 0 {
          let packet = (
            at: millisecond + Int64(storm.roll(storm.roll(20) == 0 ? 500 : 40)), identity: identity,
            sequence: sequence, timestamp: timestamp, samples: samples
          )
          flying.append(packet)
          if storm.roll(10) == 0 {
            flying.append((packet.at + Int64(storm.roll(300)), identity, sequence, timestamp, samples))
          }
        }
        identity += 1
        sequence &+= 1
        timestamp &+= UInt32(samples)
      }
      for packet in flying where packet.at <= millisecond {
        storm.insert(
          identity: packet.identity, sequence: packet.sequence, timestamp: packet.timestamp, samples: packet.samples,
          at: now)
      }
      flying.removeAll { $0.at <= millisecond }
      if millisecond % 20 == 13 {
        switch (millisecond / 1_000 + Int64(seed)) % 4 {
        case 0: mostSteps = max(mostSteps, storm.forward(at: now))
        case 1 where millisecond % 2_000 < 500: storm.buffer.skip(pool: &storm.pool)
        default: mostSteps = max(mostSteps, storm.render(at: now))
        }
      }
    }

    let played = storm.played
    #expect(played.count > 200)
    #expect(Set(played).count == played.count, "seed \(seed): a packet was played twice")
    for (earlier, later) in zip(played, played.dropFirst()) where epoch[earlier] == epoch[later] {
      #expect(earlier < later, "seed \(seed): \(later) after \(earlier)")
    }
    #expect(mostSteps < 300)
    #expect(storm.mostHeld <= AudioLimits.jitterPackets + 1)
    let whole = storm.close()
    #expect(whole)
  }

  @Test(
    "audio stays here for more than 200 ms for a quarter of a second at most, whatever the path does", arguments: 0..<20
  )
  func ceiling(seed: Int) {
    var random = RandomSource(seed: UInt64(seed) + 900)
    var path = 50.0
    var last = 0.0
    let arrivals = (0..<6_000).map { index -> Arrival in
      let sent = Double(index) * 20
      // The path wanders, jumps by up to a second, and queues.
      path = max(0, path + Double.random(in: -3...3, using: &random))
      if random.next() % 400 == 0 { path = Double.random(in: 0...1_000, using: &random) }
      last = max(last, sent + path + Double.random(in: 0...10, using: &random))
      return Arrival(sequence: index, sent: sent, arrived: random.next() % 20 == 0 ? nil : last)
    }

    let score = JitterSimulation.adaptive(arrivals)

    #expect(score.longestOverdue <= 12, "seed \(seed): \(score.longestOverdue) ticks above the ceiling")
  }

  @Test("a stream that nobody hears holds three packets, in order, and is played from them at once")
  func unheard() {
    var pool = PacketPool(capacity: 64)
    var buffer = JitterBuffer()
    func now(_ milliseconds: Int) -> Instant { Instant(nanoseconds: Int64(milliseconds + 1_000) * 1_000_000) }
    func insert(_ index: Int, at milliseconds: Int, level: Int = -30) -> DropReason? {
      guard let memory = pool.take() else { return .poolExhausted }
      let packet = AudioPacket(
        buffer: memory, payloadOffset: 12, payloadCount: 60, sequence: UInt16(index), timestamp: UInt32(index * 960),
        payloadType: 1)
      do {
        try buffer.insert(
          packet, samples: 960, clockScale: 1, quiet: false, level: level, now: now(milliseconds), pool: &pool)
        return nil
      } catch {
        pool.give(memory)
        return error
      }
    }
    func decoded(at milliseconds: Int) -> [UInt16] {
      guard buffer.beginTick(now: now(milliseconds), pool: &pool) || buffer.phase == .playing else { return [] }
      if case .decode(let packet, _) = buffer.next(now: now(milliseconds), available: 0, pool: &pool) {
        pool.give(packet.buffer)
        return [packet.sequence]
      }
      return []
    }
    buffer.skip(pool: &pool)

    for index in 0..<40 { #expect(insert(index == 38 ? 39 : index == 39 ? 38 : index, at: index * 20) == nil) }
    do {
      let held = buffer.count
      #expect(held == 3)
      #expect(pool.available == 61)
    }
    #expect(insert(30, at: 790) != nil, "older than what is kept")
    #expect(decoded(at: 790) == [37])
    #expect(decoded(at: 810) == [38])
    buffer.skip(pool: &pool)
    // Softer than anybody's speech, then somebody: one soft packet before the first loud one is played.
    for index in 40..<45 { #expect(insert(index, at: index * 20, level: index < 44 ? -75 : -20) == nil) }
    #expect(decoded(at: 905) == [43])
    buffer.skip(pool: &pool)
    // The stream has ended long ago: nothing is played of it.
    #expect(decoded(at: 2_000) == [])
    buffer.reset(pool: &pool)
    #expect(pool.available == 64)
  }
}
