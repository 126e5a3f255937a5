//  JitterSimulation.swift: arrival patterns from a seed, and the jitter buffer and a fixed one played against them.

import Media
import Primitives

/// One packet's journey: 20 ms of audio each; `nil` arrival for a lost one. Milliseconds.
struct Arrival {
  var sequence: Int
  var sent: Double
  var arrived: Double?
}

struct JitterScore {
  /// Ticks with something concealed, of ticks while the sender spoke.
  var concealed = 0
  var ticks = 0
  var delaySum = 0.0
  var delayTicks = 0
  var worstDelay = 0.0
  var late = 0
  var stretches = 0
  var restarts = 0
  /// Arrival of the newest packet in a tick to the tick, milliseconds: what a worker reports as residence.
  var residence = ResidenceScore()
  /// The same of each sample that was played, with its own packet's arrival.
  var sampleResidence = ResidenceScore()
  /// Ticks in a row that played something that had lain here for more than the ceiling and a tick.
  var longestOverdue = 0
  private var overdue = 0

  mutating func played(oldest milliseconds: Double) {
    overdue = milliseconds > 220 ? overdue + 1 : 0
    longestOverdue = max(longestOverdue, overdue)
  }

  var meanDelay: Double { delaySum / Double(max(1, delayTicks)) }
}

/// Milliseconds in tenths, weighted by samples.
struct ResidenceScore {
  private var counts = [Int](repeating: 0, count: 4_000)
  private var total = 0
  private var sum = 0.0

  mutating func record(_ milliseconds: Double, samples: Int = 1) {
    counts[min(3_999, max(0, Int(milliseconds * 10)))] += samples
    total += samples
    sum += milliseconds * Double(samples)
  }

  mutating func add(_ other: ResidenceScore) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
    sum += other.sum
  }

  var mean: Double { sum / Double(max(1, total)) }

  /// Upper edge of the bin.
  func quantile(_ share: Double) -> Double {
    var seen = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if Double(seen) >= share * Double(total) { return Double(index + 1) / 10 }
    }
    return 0
  }
}

/// Which packets the samples came in that wait to be played.
private struct WaitingSamples {
  private var pieces: [(samples: Int, arrived: Double?)] = []

  mutating func append(_ samples: Int, arrived: Double?) { pieces.append((samples, arrived)) }
  mutating func clear() { pieces.removeAll() }

  mutating func stretch(by samples: Int) {
    guard !pieces.isEmpty else { return }
    if samples > 0 { pieces[0].samples += samples } else { _ = take(-samples) { _, _ in } }
  }

  mutating func take(_ wanted: Int, _ played: (Int, Double?) -> Void) -> Int {
    var rest = wanted
    while rest > 0, let first = pieces.first {
      let count = min(rest, first.samples)
      played(count, first.arrived)
      rest -= count
      if count == first.samples { pieces.removeFirst() } else { pieces[0].samples -= count }
    }
    return wanted - rest
  }
}

enum JitterSimulation {
  /// Plays a pattern through a `JitterBuffer`, with counts in place of PCM. `phase`: of the ticks, milliseconds.
  static func adaptive(
    _ arrivals: [Arrival], phase: Double = 7, skew: Double = 0, packetMilliseconds: Int = 20,
    inspect: (Double, Double) -> Void = { _, _ in }
  ) -> JitterScore {
    var score = JitterScore()
    var pool = PacketPool(capacity: 256)
    var buffer = JitterBuffer()
    let sorted = arrivals.filter { $0.arrived != nil }.sorted { ($0.arrived ?? 0) < ($1.arrived ?? 0) }
    var next = 0
    var available = 0
    // After the last packet there is nothing to conceal.
    let end = (sorted.last?.arrived ?? 0) - 20
    var time = phase
    var begun = false
    var waiting = WaitingSamples()
    while time < end {
      while next < sorted.count, let arrived = sorted[next].arrived, arrived <= time {
        let packet = sorted[next]
        next += 1
        guard let memory = pool.take() else { continue }
        let audio = AudioPacket(
          buffer: memory, payloadOffset: 12, payloadCount: 60, sequence: UInt16(truncatingIfNeeded: packet.sequence),
          timestamp: UInt32(truncatingIfNeeded: packet.sequence * 48 * packetMilliseconds &+ 4_294_900_000),
          payloadType: 111)
        do {
          try buffer.insert(
            audio, samples: 48 * packetMilliseconds, clockScale: 1, quiet: false,
            now: Instant(nanoseconds: Int64((1_000 + arrived) * 1e6)), pool: &pool)
        } catch {
          if error == .late { score.late += 1 }
          pool.give(memory)
        }
      }
      let now = Instant(nanoseconds: Int64((1_000 + time) * 1e6))
      if buffer.beginTick(now: now, pool: &pool) {
        available = 0
        waiting.clear()
        begun = true
        score.restarts += 1
      }
      var concealed = false
      var paused = false
      var newest: Double? = nil
      func fetch(_ wanted: Int) {
        while available < wanted && !paused {
          switch buffer.next(now: now, available: available, pool: &pool) {
          case .decode(let packet, let samples):
            pool.give(packet.buffer)
            available += samples
            let arrived = Double(buffer.decodedArrival.nanoseconds) / 1e6 - 1_000
            waiting.append(samples, arrived: arrived)
            newest = arrived
          case .recover(_, let samples), .conceal(let samples):
            available += samples
            waiting.append(samples, arrived: nil)
            concealed = true
          case .pause:
            paused = true
          }
        }
      }
      fetch(960)
      if !paused {
        // As AudioReceiver does it, with 400 samples for each period.
        stretching: for _ in 0..<JitterLimits.urgentPeriods {
          switch buffer.wish(now: now, available: available) {
          case .none: break stretching
          case .accelerate(let most, let urgent):
            let cut = min(most, 400)
            while available < 960 + cut, buffer.hasContiguous { fetch(available + 1) }
            guard available >= 960 + cut else { break stretching }
            available -= cut
            waiting.stretch(by: -cut)
            buffer.stretched(by: -cut)
            score.stretches += 1
            guard urgent else { break stretching }
          case .decelerate:
            available += 400
            waiting.stretch(by: 400)
            buffer.stretched(by: 400)
            score.stretches += 1
            break stretching
          }
        }
        let delay = Double(buffer.delay(now: now, available: available)) / 48
        score.delaySum += delay
        score.delayTicks += 1
        score.worstDelay = max(score.worstDelay, delay)
        inspect(time, delay)
      }
      if let newest = newest { score.residence.record(time - newest) }
      var oldest = 0.0
      _ = waiting.take(960) { samples, arrived in
        if let arrived { oldest = max(oldest, time - arrived) }
        if let arrived { score.sampleResidence.record(time - arrived, samples: samples) }
      }
      if begun {
        score.ticks += 1
        if concealed || paused { score.concealed += 1 }
      }
      score.played(oldest: oldest)
      available = paused ? 0 : available - 960
      if paused { waiting.clear() }
      time += 20 * (1 + skew * 1e-6)
    }
    buffer.reset(pool: &pool)
    precondition(pool.available == 256, "buffers in = buffers out")
    return score
  }

  /// The reference: a fixed 60 ms buffer that knows the path's least delay beforehand. Ticks as above.
  static func fixed(_ arrivals: [Arrival], milliseconds: Double = 60, phase: Double = 7) -> JitterScore {
    var score = JitterScore()
    let least = arrivals.compactMap { packet in packet.arrived.map { $0 - packet.sent } }.min() ?? 0
    var heard: [Int: Double] = [:]
    for packet in arrivals {
      guard let arrived = packet.arrived else { continue }
      heard[packet.sequence] = min(arrived, heard[packet.sequence] ?? .infinity)
    }
    for packet in arrivals where packet.sequence >= 0 {
      let due = packet.sent + least + milliseconds
      let tick = phase + ((due - phase) / 20).rounded(.up) * 20
      score.ticks += 1
      score.delaySum += tick - packet.sent - least
      score.delayTicks += 1
      if (heard[packet.sequence] ?? .infinity) > tick { score.concealed += 1 }
    }
    return score
  }

  enum Pattern: String, CaseIterable {
    case clean, wifi, lte, loss5, loss20, burstLoss, bursts, spikes, reordered, duplicated
  }

  /// `seconds` of one pattern. Packets of a queue do not overtake each other, except where the pattern says so.
  static func arrivals(_ pattern: Pattern, seconds: Int, seed: UInt64, skew: Double = 0) -> [Arrival] {
    var random = RandomSource(seed: seed)
    func uniform(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &random) }
    func exponential(_ mean: Double) -> Double {
      // −ln(u) by counting halvings: near enough to an exponential, without libm.
      var sum = 0.0
      for _ in 0..<12 { sum += uniform(0...1) }
      let gaussian = sum - 6
      return mean * gaussian * gaussian
    }
    var result: [Arrival] = []
    var blockedUntil = 0.0
    var last = 0.0
    var losing = 0
    for index in 0..<(seconds * 50) {
      let sent = Double(index) * 20 * (1 + skew * 1e-6)
      var delay: Double
      switch pattern {
      case .clean, .reordered, .duplicated: delay = 20 + uniform(0...2)
      case .loss5, .loss20, .burstLoss: delay = 20 + uniform(0...8)
      case .bursts:
        // Sent when the radio wakes up, each 60 ms: three packets at once.
        delay = 15 + ((sent + 15) / 60).rounded(.up) * 60 - (sent + 15) + uniform(0...2)
      case .wifi:
        delay = 10 + exponential(4)
        if uniform(0...1) < 0.01 { blockedUntil = sent + uniform(30...90) }
      case .lte:
        delay = 35 + (uniform(0...25) / 5).rounded() * 5
        if uniform(0...1) < 0.003 { blockedUntil = sent + uniform(60...120) }
      case .spikes:
        delay = 20 + uniform(0...5)
        if uniform(0...1) < 0.002 { blockedUntil = sent + uniform(80...180) }
      }
      var arrived = max(sent + delay, last)
      if sent + delay < blockedUntil { arrived = max(last, blockedUntil) }
      switch pattern {
      case .reordered where uniform(0...1) < 0.05: arrived += uniform(20...35)
      case .loss5, .loss20:
        if uniform(0...1) < (pattern == .loss5 ? 0.05 : 0.2) {
          result.append(Arrival(sequence: index, sent: sent, arrived: nil))
          continue
        }
        last = arrived
      case .burstLoss:
        if losing == 0, uniform(0...1) < 0.004 { losing = Int.random(in: 3...8, using: &random) }
        if losing > 0 {
          losing -= 1
          result.append(Arrival(sequence: index, sent: sent, arrived: nil))
          continue
        }
        last = arrived
      default: last = arrived
      }
      result.append(Arrival(sequence: index, sent: sent, arrived: arrived))
      if pattern == .duplicated, uniform(0...1) < 0.2 {
        result.append(Arrival(sequence: index, sent: sent, arrived: arrived + uniform(0...60)))
      }
    }
    return result
  }
}
