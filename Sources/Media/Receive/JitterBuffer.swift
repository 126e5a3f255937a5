//  JitterBuffer.swift: received audio packets in order, and whose turn it is (RFC 3550 §A.8 gives only the measure).
//  Walk: AudioReceiver.insert → JitterBuffer → AudioReceiver.render

import Primitives

/// Packets of one stream, as buffer handles in a fixed ring ordered by media time, and its play-out clock.
///
/// All times are 48 kHz samples. *Delay* is how much later than with the fastest packet of the last seconds a sample is
/// played. The target is a high quantile of the packets' relative delays, at once raised by a late one and slowly lowered.
///
///     unheard ◀──skip── any phase        only the newest packets are kept, and nothing is done in a tick
///     unheard ──beginTick──▶ idle        waits until its first packet is as old as the target
///     idle ──beginTick──▶ playing        next, take
///     playing ──next, take──▶ idle       a pause of the sender, or an outage that has faded out
///
/// An empty buffer *holds* the clock while concealment plays: if the packet was late its audio is still heard and the delay
/// has grown by itself; if it was lost, what was invented stands in for it and the delay is as before. The delay shrinks
/// by time-stretching alone, except where nothing is being said.
public struct JitterBuffer: ~Copyable {
  @frozen public enum Phase: UInt8, Sendable { case unheard, idle, playing }

  struct Slot: BitwiseCopyable {
    var packet: AudioPacket
    var samples: UInt16
    var quiet: Bool
    /// Loudness as far as the packet shows it, −127…0 dBov.
    var level: Int8
    var time: Int64
    var arrival: Instant
  }

  static let mask = AudioLimits.jitterPackets - 1
  static let empty = Slot(
    packet: AudioPacket(
      buffer: PacketBuffer(index: 0), payloadOffset: 0, payloadCount: 0, sequence: 0, timestamp: 0, payloadType: 0),
    samples: 0, quiet: false, level: 0, time: 0, arrival: .zero)

  /// `count` slots from `head`, ordered by time.
  private var slots = FixedBlock<Slot>(count: AudioLimits.jitterPackets, repeating: JitterBuffer.empty)
  private var head = 0
  public private(set) var count = 0

  public internal(set) var phase = Phase.idle
  /// Media time up to which packets have been used.
  var position: Int64 = 0
  /// Concealment played while the clock was held.
  public internal(set) var held = 0
  var lastSequence: UInt16 = 0
  /// The last restart followed the packet before it: a pause of the sender, nothing was lost.
  public internal(set) var resumedWithoutLoss = false
  var lastQuiet = true

  /// When the packet came that was decoded last.
  public internal(set) var decodedArrival = Instant.zero

  // Media clock
  private(set) var started = false
  private var clockScale: Int64 = 1
  private var newestTimestamp: UInt32 = 0
  private var newestTime: Int64 = 0
  private var newestSequence: UInt16 = 0
  /// Bit k: `newestSequence − k` has been here.
  private var seen: UInt64 = 0
  private var suspectedTransit: Int64?
  /// The last packet that left towards play-out or the pool: nothing before it comes in again.
  var lastRemoved: UInt16?

  public internal(set) var arrivals = ArrivalStatistics()

  // Delay control: the last ticks' earliness and unused samples.
  var earliest = Int64.max
  var spare = Int.max
  var ticksMeasured = 0
  var ticksSinceStretch = 0
  var ticksSinceStart = 0

  public init() {
    precondition(AudioLimits.jitterPackets == 128 && AudioLimits.keptPackets == 3)
  }

  @inlinable static func samples(_ instant: Instant) -> Int64 { instant.nanoseconds / 125 &* 6 / 1000 }

  // MARK: Packets in

  /// Takes one packet. On a throw its buffer still belongs to the caller.
  ///
  /// - Parameters:
  ///   - samples: its duration at 48 kHz, 1…5,760.
  ///   - clockScale: 48 kHz samples per RTP timestamp unit: 1 or 6.
  ///   - quiet: the packet says itself that nothing is to be heard (DTX).
  ///   - level: loudness as far as it can be told, −127…0 dBov.
  ///   - repeats: it carries a copy of the packet before it.
  /// - Throws: `.duplicate`, `.late`, `.overflow`, `.onProbation` (a clock jump that only one packet shows so far).
  public mutating func insert(
    _ packet: AudioPacket, samples: Int, clockScale: Int, quiet: Bool, level: Int = 0, repeats: Bool = false,
    now: Instant, pool: inout PacketPool
  ) throws(DropReason) {
    let arrival = Self.samples(now)
    if started && Int64(clockScale) != self.clockScale { reset(pool: &pool) }
    let time = try mediaTime(of: packet, arrival: arrival, clockScale: Int64(clockScale), pool: &pool)
    let age = Int(Int16(bitPattern: newestSequence &- packet.sequence))
    if started && age >= 0 && age < 64 && time <= newestTime && seen & (1 << UInt64(age)) != 0 { throw .duplicate }
    let place = try place(of: packet, at: time)
    if started, isLate(packet, end: time &+ Int64(samples), at: time) {
      arrivals.late(by: arrival &- time &- arrivals.base)
      throw .late
    }
    if phase == .unheard {
      // What nobody hears makes room at once, and the oldest goes for the newest.
      guard place > 0 || count < AudioLimits.keptPackets else { throw .late }
    } else if count == AudioLimits.jitterPackets {
      guard place > 0, arrival &- slots[head].time &- arrivals.base > JitterLimits.ceiling else { throw .overflow }
    }
    note(packet, at: time, age: age, samples: samples, clockScale: Int64(clockScale), arrival: arrival)
    if repeats && age < -1 && age > -64 && time == newestTime {
      // A copy of what was lost is of use only when the next packet is there in time.
      arrivals.expectRecovery(samples: samples, until: arrival &+ 480_000)
    }
    arrivals.observe(transit: arrival &- time, at: arrival, retargets: phase != .unheard)
    let slot = Slot(
      packet: packet, samples: UInt16(clamping: samples), quiet: quiet,
      level: Int8(truncatingIfNeeded: max(-127, min(0, level))), time: time, arrival: now)
    if phase == .unheard { keep(slot, at: place, pool: &pool) } else { add(slot, at: place, pool: &pool) }
  }

  /// - Throws: `.onProbation` for the first packet of another clock.
  private mutating func mediaTime(
    of packet: AudioPacket, arrival: Int64, clockScale: Int64, pool: inout PacketPool
  ) throws(DropReason) -> Int64 {
    guard started else { return arrival }
    let time = newestTime &+ Int64(Int32(bitPattern: packet.timestamp &- newestTimestamp)) &* clockScale
    let transit = arrival &- time
    let jump = transit &- arrivals.base
    // A later packet with audio from before everything that was played is another clock as well.
    let isEarlier = time &+ JitterLimits.lateWhileUnheard < position
    if jump > JitterLimits.clockJump || jump < -JitterLimits.clockJump
      || isEarlier && Int16(bitPattern: packet.sequence &- newestSequence) > 0
    {
      guard let suspected = suspectedTransit, abs(transit &- suspected) < JitterLimits.clockJump else {
        suspectedTransit = transit
        throw .onProbation
      }
      reset(pool: &pool)
      return arrival
    }
    suspectedTransit = nil
    return time
  }

  // `mutating` here and below only so that they work in place: the compiler copies the whole value for a plain method.

  /// From the newest backwards: packets mostly come in order.
  /// - Returns: how many of the waiting ones come before it.
  private mutating func place(of packet: AudioPacket, at time: Int64) throws(DropReason) -> Int {
    var place = count
    while place > 0 {
      let index = (head &+ place &- 1) & Self.mask
      if slots[index].packet.sequence == packet.sequence || slots[index].time == time { throw .duplicate }
      if slots[index].time < time { break }
      place &-= 1
    }
    return place
  }

  private mutating func isLate(_ packet: AudioPacket, end: Int64, at time: Int64) -> Bool {
    if let lastRemoved, time <= newestTime, Int16(bitPattern: packet.sequence &- lastRemoved) <= 0 { return true }
    return switch phase {
    case .unheard: false
    case .idle: end <= position &- JitterLimits.lateWhileUnheard
    case .playing: end <= position
    }
  }

  private mutating func note(
    _ packet: AudioPacket, at time: Int64, age: Int, samples: Int, clockScale: Int64, arrival: Int64
  ) {
    if !started {
      started = true
      self.clockScale = clockScale
      seen = 1
      position = time
      arrivals.restart(transit: arrival &- time, at: arrival)
    } else if time > newestTime {
      // A sequence that starts anew has no history.
      seen = age < 0 && age > -64 ? seen << UInt64(0 &- age) | 1 : 1
    } else {
      if age >= 0 && age < 64 { seen |= 1 << UInt64(age) }
      return
    }
    newestTimestamp = packet.timestamp
    newestTime = time
    newestSequence = packet.sequence
  }

  private mutating func add(_ slot: Slot, at wanted: Int, pool: inout PacketPool) {
    var place = wanted
    if count == AudioLimits.jitterPackets {
      removeFirst(pool: &pool)
      place &-= 1
    }
    var index = count
    while index > place {
      slots[(head &+ index) & Self.mask] = slots[(head &+ index &- 1) & Self.mask]
      index &-= 1
    }
    slots[(head &+ place) & Self.mask] = slot
    count &+= 1
  }

  /// Of a stream that nobody hears: always in the ring's first slots, so that a thousand of them stay in the cache.
  private mutating func keep(_ slot: Slot, at wanted: Int, pool: inout PacketPool) {
    var place = wanted
    if slot.quiet {
      // Here a pause begins or goes on: nothing before it is the beginning of what comes after it.
      removeAll(pool: &pool)
      pool.give(slot.packet.buffer)
      lastRemoved = slot.packet.sequence
      return
    }
    if count == AudioLimits.keptPackets {
      pool.give(slots[0].packet.buffer)
      lastRemoved = slots[0].packet.sequence
      count &-= 1
      place &-= 1
      for index in 0..<count { slots[index] = slots[index &+ 1] }
    }
    var index = count
    while index > place {
      slots[index] = slots[index &- 1]
      index &-= 1
    }
    slots[place] = slot
    count &+= 1
  }

  /// Gives every buffer back and forgets clock and position; arrival statistics stay as a first guess.
  public mutating func reset(pool: inout PacketPool) {
    removeAll(pool: &pool)
    started = false
    if phase == .playing { phase = .idle }
    held = 0
    lastQuiet = true
    suspectedTransit = nil
    lastRemoved = nil
    forgetMeasures()
  }

  // MARK: The ring

  /// - Precondition: `index < count`.
  @inline(__always) func slot(_ index: Int) -> Slot { slots[(head &+ index) & Self.mask] }

  /// Takes the first packet out; its buffer is the caller's.
  mutating func takeFirst() -> Slot {
    let slot = slots[head]
    lastRemoved = slot.packet.sequence
    head = (head &+ 1) & Self.mask
    count &-= 1
    return slot
  }

  /// Every packet goes into a buffer of another pool; places, clock and statistics stay.
  ///
  /// - Returns: packets that found no buffer there: they are lost.
  mutating func relocate(from old: inout PacketPool, to new: inout PacketPool) -> Int {
    var kept = 0
    for index in 0..<count {
      var slot = slot(index)
      guard let packet = slot.packet.moved(from: &old, to: &new) else { continue }
      slot.packet = packet
      slots[(head &+ kept) & Self.mask] = slot
      kept &+= 1
    }
    let lost = count &- kept
    count = kept
    return lost
  }

  mutating func removeFirst(pool: inout PacketPool) { pool.give(takeFirst().packet.buffer) }

  mutating func removeAll(pool: inout PacketPool) {
    while count > 0 { removeFirst(pool: &pool) }
    head = 0
  }

  /// Nobody hears the stream any more: its newest packets are kept, in the ring's first slots.
  mutating func keepNewest(pool: inout PacketPool) {
    while count > AudioLimits.keptPackets { removeFirst(pool: &pool) }
    var kept: InlineArray<3, Slot> = InlineArray(repeating: Self.empty)
    for index in 0..<count { kept[index] = slot(index) }
    for index in 0..<count { slots[index] = kept[index] }
    head = 0
  }
}
