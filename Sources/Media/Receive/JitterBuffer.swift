//  JitterBuffer.swift: received audio packets in order, and the decision what each tick plays (RFC 3550 §A.8 gives only the measure).
//  Walk: AudioReceiver.insert → JitterBuffer → AudioReceiver.render

import Primitives

/// What the play-out needs next.
@frozen public enum JitterStep: Sendable {
  /// Decode this packet: its buffer is the caller's from now on.
  case decode(AudioPacket, samples: Int)
  /// Audio is missing before this packet, which stays: rebuild `samples` from its in-band copy or invent them.
  case recover(from: AudioPacket, samples: Int)
  /// Audio is missing or late: invent `samples`.
  case conceal(samples: Int)
  /// Nothing to play: a pause of the sender, or an outage that has faded out.
  case pause
}

/// What the delay controller wants of this tick's PCM.
@frozen public enum StretchWish: Sendable, Equatable {
  case none
  /// Remove at most so many samples. `urgent`: the delay is above its ceiling, quality comes second.
  case accelerate(atMost: Int, urgent: Bool)
  /// Insert a pitch period.
  case decelerate
}

/// Packets of one stream, as buffer handles in a fixed ring ordered by media time, and its play-out clock.
///
/// All times are 48 kHz samples. *Delay* is how much later than with the fastest packet of the last seconds a sample is
/// played. The target is a high quantile of the packets' relative delays, at once raised by a late one and slowly lowered.
/// An empty buffer *holds* the clock while concealment plays: if the packet was late its audio is still heard and the delay
/// has grown by itself; if it was lost, what was invented stands in for it and the delay is as before. The delay shrinks
/// by time-stretching alone, except where nothing is being said.
public struct JitterBuffer: ~Copyable {
  @frozen public enum Phase: UInt8, Sendable { case idle, playing }

  struct Slot: BitwiseCopyable {
    var packet: AudioPacket
    var time: Int64
    var arrival: Instant
    var samples: Int32
    var quiet: Bool
  }

  static let mask = AudioLimits.jitterPackets - 1
  static let empty = Slot(
    packet: AudioPacket(
      buffer: PacketBuffer(index: 0), payloadOffset: 0, payloadCount: 0, sequence: 0, timestamp: 0, payloadType: 0),
    time: 0, arrival: .zero, samples: 0, quiet: false)

  /// `count` slots from `head`, ordered by time; the first `played` of them are kept only for a promotion.
  private var slots: InlineArray<128, Slot> = InlineArray(repeating: JitterBuffer.empty)
  private var head = 0
  public private(set) var count = 0
  private var played = 0

  public private(set) var phase = Phase.idle
  /// Media time up to which packets have been used.
  private var position: Int64 = 0
  /// Concealment played while the clock was held.
  public private(set) var held = 0
  private var lastSequence: UInt16 = 0
  /// The last restart followed the packet before it: a pause of the sender, nothing was lost.
  public private(set) var resumedWithoutLoss = false
  private var lastQuiet = true

  /// When the packet came that was decoded last.
  public private(set) var decodedArrival = Instant.zero

  // Media clock
  private var started = false
  private var clockScale: Int64 = 1
  private var newestTimestamp: UInt32 = 0
  private var newestTime: Int64 = 0
  private var newestSequence: UInt16 = 0
  /// Bit k: `newestSequence − k` has been here.
  private var seen: UInt64 = 0
  private var suspectedTransit: Int64?
  /// The last packet that left towards play-out or the pool: nothing before it comes in again.
  private var lastRemoved: UInt16?

  public private(set) var arrivals = ArrivalStatistics()

  // Delay control: the last ticks' earliness and unused samples.
  private var earliest = Int64.max
  private var spare = Int.max
  private var ticksMeasured = 0
  private var ticksSinceStretch = 0

  public init() {
    precondition(AudioLimits.jitterPackets == 128)
  }

  @inlinable static func samples(_ instant: Instant) -> Int64 { instant.nanoseconds / 125 &* 6 / 1000 }

  // MARK: Packets in

  /// Takes one packet. On a throw its buffer still belongs to the caller.
  ///
  /// - Parameters:
  ///   - samples: its duration at 48 kHz, 1…5,760.
  ///   - clockScale: 48 kHz samples per RTP timestamp unit: 1 or 6.
  ///   - quiet: the packet says itself that nothing is to be heard (DTX).
  ///   - repeats: it carries a copy of the packet before it.
  /// - Throws: `.duplicate`, `.late`, `.overflow`, `.onProbation` (a clock jump that only one packet shows so far).
  public mutating func insert(
    _ packet: AudioPacket, samples: Int, clockScale: Int, quiet: Bool, repeats: Bool = false, now: Instant,
    pool: inout PacketPool
  ) throws(DropReason) {
    let arrival = Self.samples(now)
    let scale = Int64(clockScale)
    if started && scale != self.clockScale { reset(pool: &pool) }
    var time: Int64
    if started {
      time = newestTime &+ Int64(Int32(bitPattern: packet.timestamp &- newestTimestamp)) &* scale
      let jump = arrival &- time &- arrivals.base
      if jump > JitterLimits.clockJump || jump < -JitterLimits.clockJump {
        let transit = arrival &- time
        guard let suspected = suspectedTransit, abs(transit &- suspected) < JitterLimits.clockJump else {
          suspectedTransit = transit
          throw .onProbation
        }
        reset(pool: &pool)
        time = arrival
      }
    } else {
      time = arrival
    }
    suspectedTransit = nil
    let age = Int(Int16(bitPattern: newestSequence &- packet.sequence))
    if started && age >= 0 && age < 64 && time <= newestTime && seen & (1 << UInt64(age)) != 0 { throw .duplicate }
    let end = time &+ Int64(samples)

    // From the newest backwards: packets mostly come in order.
    var place = count
    while place > 0 {
      let other = slots[(head &+ place &- 1) & Self.mask]
      if other.packet.sequence == packet.sequence || other.time == time { throw .duplicate }
      if other.time < time { break }
      place &-= 1
    }
    if started {
      if let lastRemoved, time <= newestTime, Int16(bitPattern: packet.sequence &- lastRemoved) <= 0 {
        arrivals.late(by: arrival &- time &- arrivals.base)
        throw .late
      }
      let bound = played > 0 || phase == .idle ? position &- JitterLimits.lateWhileUnheard : position
      if end <= bound {
        arrivals.late(by: arrival &- time &- arrivals.base)
        throw .late
      }
      if place < played { throw .late }
    }
    if count == AudioLimits.jitterPackets {
      let oldest = slots[head]
      guard place > 0, played > 0 || arrival &- oldest.time &- arrivals.base > JitterLimits.ceiling else {
        throw .overflow
      }
      removeFirst(pool: &pool)
      place &-= 1
    }

    if !started {
      started = true
      self.clockScale = scale
      newestTimestamp = packet.timestamp
      newestTime = time
      newestSequence = packet.sequence
      seen = 1
      position = time
      arrivals.restart(transit: arrival &- time, at: arrival)
    } else if time > newestTime {
      // A copy of what was lost is of use only when the next packet is there in time.
      if repeats && age < -1 && age > -64 { arrivals.expectRecovery(samples: samples, until: arrival &+ 480_000) }
      newestTimestamp = packet.timestamp
      newestTime = time
      newestSequence = packet.sequence
      // A sequence that starts anew has no history.
      seen = age < 0 && age > -64 ? seen << UInt64(0 &- age) | 1 : 1
    } else if age >= 0 && age < 64 {
      seen |= 1 << UInt64(age)
    }
    arrivals.observe(transit: arrival &- time, at: arrival)
    var index = count
    while index > place {
      slots[(head &+ index) & Self.mask] = slots[(head &+ index &- 1) & Self.mask]
      index &-= 1
    }
    slots[(head &+ place) & Self.mask] = Slot(
      packet: packet, time: time, arrival: now, samples: Int32(samples), quiet: quiet)
    count &+= 1
  }

  /// Gives every buffer back and forgets clock and position; arrival statistics stay as a first guess.
  public mutating func reset(pool: inout PacketPool) {
    while count > 0 { removeFirst(pool: &pool) }
    played = 0
    started = false
    phase = .idle
    held = 0
    lastQuiet = true
    suspectedTransit = nil
    lastRemoved = nil
    forgetMeasures()
  }

  private mutating func removeFirst(pool: inout PacketPool) {
    pool.give(slots[head].packet.buffer)
    lastRemoved = slots[head].packet.sequence
    head = (head &+ 1) & Self.mask
    count &-= 1
    if played > 0 { played &-= 1 }
  }

  // MARK: Packets out

  /// Delay of the next sample to be played, `available` decoded ones of which wait.
  public func delay(now: Instant, available: Int) -> Int {
    guard started, phase == .playing else { return 0 }
    return Int(Self.samples(now) &+ Int64(available) &- position &- arrivals.base)
  }

  /// Begins a tick: leaves the idle phase when there is enough to play.
  ///
  /// - Returns: `true` when play-out starts with this tick: whatever was decoded before is another talk spurt.
  public mutating func beginTick(now: Instant, pool: inout PacketPool) -> Bool {
    ticksSinceStretch &+= 1
    guard phase == .idle, started else { return false }
    let time = Self.samples(now)
    // What the sender itself calls silence is not played.
    while count > played, slots[(head &+ played) & Self.mask].quiet {
      let slot = slots[(head &+ played) & Self.mask]
      note(slot)
      dropUnplayed(pool: &pool)
    }
    guard count > played else { return false }
    let newest = slots[(head &+ count &- 1) & Self.mask]
    if time &- newest.time &- arrivals.base > JitterLimits.ceiling {
      // Even the newest packet is too late: the path has changed, not the packet.
      arrivals.restart(transit: time &- newest.time, at: time)
    }
    let target = Int64(arrivals.target)
    // Nothing is being said: too old audio is left out here rather than drained.
    if time &- slots[head].time &- arrivals.base > JitterLimits.ceiling {
      while count > 1, time &- slots[(head &+ 1) & Self.mask].time &- arrivals.base >= target {
        removeFirst(pool: &pool)
      }
      played = 0
    }
    // A promoted talker is played from his kept packets, so that the first syllable is whole.
    guard time &- slots[(head &+ played) & Self.mask].time &- arrivals.base >= target else { return false }
    played = 0
    phase = .playing
    held = 0
    position = slots[head].time
    resumedWithoutLoss = lastSequence == slots[head].packet.sequence &- 1
    lastSequence = slots[head].packet.sequence &- 1
    forgetMeasures()
    return true
  }

  /// What to play next; asked until enough samples are there. `available` decoded samples wait.
  public mutating func next(now: Instant, available: Int, pool: inout PacketPool) -> JitterStep {
    guard phase == .playing else { return .pause }
    let time = Self.samples(now)
    while count > 0 {
      let slot = slots[head]
      let end = slot.time &+ Int64(slot.samples)
      if end <= position {
        removeFirst(pool: &pool)
        continue
      }
      if slot.time <= position &+ 60 {
        if slot.quiet {
          note(slot)
          position = end
          removeFirst(pool: &pool)
          phase = .idle
          return .pause
        }
        measure(early: time &- slot.time &- arrivals.base, unused: available)
        note(slot)
        decodedArrival = slot.arrival
        position = end
        held = 0
        lastRemoved = slot.packet.sequence
        head = (head &+ 1) & Self.mask
        count &-= 1
        return .decode(slot.packet, samples: Int(slot.samples))
      }
      // A gap before the next packet.
      var gap = Int(slot.time &- position)
      if held > 0 {
        // What was invented while waiting stands in for what never came.
        let covered = min(gap, held)
        position = position &+ Int64(covered)
        held &-= covered
        if slot.packet.sequence &- lastSequence == 1 && gap > covered { return pauseByGap() }
        continue
      }
      if slot.packet.sequence &- lastSequence == 1 || lastQuiet { return pauseByGap() }
      if gap > JitterLimits.longestConcealment { return pauseByGap() }
      gap = min(gap, 960)
      // Codecs conceal in units of 2.5 ms.
      let samples = max(120, (gap &+ 60) / 120 &* 120)
      position = position &+ Int64(samples)
      let last = slot.time &- position < 120
      if last { lastSequence = slot.packet.sequence &- 1 }
      return last ? .recover(from: slot.packet, samples: samples) : .conceal(samples: samples)
    }
    if lastQuiet || held >= JitterLimits.longestConcealment {
      phase = .idle
      return .pause
    }
    held &+= 480
    return .conceal(samples: 480)
  }

  private mutating func pauseByGap() -> JitterStep {
    phase = .idle
    held = 0
    return .pause
  }

  private mutating func note(_ slot: Slot) {
    lastSequence = slot.packet.sequence
    lastQuiet = slot.quiet
  }

  private mutating func dropUnplayed(pool: inout PacketPool) {
    // Only whole prefixes leave the ring: kept packets are older than a pause anyway.
    while played > 0 { removeFirst(pool: &pool) }
    position = max(position, slots[head].time &+ Int64(slots[head].samples))
    removeFirst(pool: &pool)
  }

  /// One tick of a stream that nobody hears: packets whose time has come are released, but for the last few.
  public mutating func skip(now: Instant, pool: inout PacketPool) {
    ticksSinceStretch &+= 1
    guard started else { return }
    phase = .idle
    held = 0
    let due = Self.samples(now) &- arrivals.base &- Int64(arrivals.target)
    while played < count, slots[(head &+ played) & Self.mask].time < due {
      let slot = slots[(head &+ played) & Self.mask]
      note(slot)
      position = max(position, slot.time &+ Int64(slot.samples))
      if slot.quiet {
        dropUnplayed(pool: &pool)
      } else {
        played &+= 1
      }
    }
    while played > AudioLimits.keptPackets { removeFirst(pool: &pool) }
    // Kept packets of long ago are no beginning of anything.
    while played > 0, slots[head].time < due &- JitterLimits.lateWhileUnheard { removeFirst(pool: &pool) }
  }

  // MARK: Delay control

  private mutating func measure(early: Int64, unused: Int) {
    earliest = min(earliest, early)
    spare = min(spare, unused)
    ticksMeasured &+= 1
  }

  private mutating func forgetMeasures() {
    earliest = .max
    spare = .max
    ticksMeasured = 0
  }

  /// What this tick's PCM should undergo. Ask once a tick, when its packets are decoded.
  public mutating func wish(now: Instant, available: Int) -> StretchWish {
    guard phase == .playing, held == 0, ticksMeasured > 0 else { return .none }
    let excess = delay(now: now, available: available) &- Int(JitterLimits.ceiling)
    if excess > 0 { return .accelerate(atMost: max(excess, 720), urgent: true) }
    let target = Int64(arrivals.target)
    let surplus = earliest &- target
    if surplus < -120 {
      guard ticksSinceStretch >= 2 else { return .none }
      return .decelerate
    }
    // Whole ticks by which packets come early, and samples that lie unused when the next packet is taken.
    let slack = Int(surplus / 960) &* 960 &+ spare
    let patience = slack > 1_920 ? 2 : slack > 960 ? 4 : 8
    if ticksMeasured >= patience && slack >= 360 { return .accelerate(atMost: slack, urgent: false) }
    if ticksMeasured >= 50 { forgetMeasures() }
    return .none
  }

  /// The stretcher removed (negative) or inserted (positive) `samples`.
  public mutating func stretched(by samples: Int) {
    ticksSinceStretch = 0
    forgetMeasures()
  }

  /// Whether a packet can be taken now, to give the stretcher something to shorten.
  public var hasContiguous: Bool {
    count > 0 && phase == .playing && slots[head].time <= position &+ 60 && !slots[head].quiet
  }
}

/// Bounds of the play-out delay, 48 kHz samples.
@frozen public enum JitterLimits {
  /// 200 ms
  public static let ceiling: Int64 = 9_600
  /// 20 ms
  public static let floor = 960
  /// The target stays so far below the ceiling that a tick's phase fits: 180 ms.
  public static let highestTarget = 8_640
  /// Before anything is known: 40 ms.
  public static let firstTarget = 1_920
  /// Concealment of one gap, faded out by then: 120 ms.
  static let longestConcealment = 5_760
  /// A packet a second away from the others' clock belongs to another clock.
  static let clockJump: Int64 = 48_000
  /// A stream that is not heard still takes packets that are so late: 80 ms.
  static let lateWhileUnheard: Int64 = 3_840
}
