//  JitterBuffer+Playout.swift: packets out: what each tick plays, what is forwarded, what is kept of those nobody hears.
//  Walk: JitterBuffer → AudioReceiver.render, AudioReceiver.takePacket

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

/// What is next of a stream whose packets are forwarded undecoded.
@frozen public enum ForwardStep: Sendable {
  /// This packet's turn has come.
  case packet(AudioPacket, samples: Int)
  /// So much audio before the next packet never came, or too late. Ask again.
  case lost(samples: Int)
  /// Nothing more in this tick.
  case wait
  /// Nothing more before the sender speaks again.
  case pause
}

extension JitterBuffer {
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
    ticksSinceStart &+= 1
    guard phase != .playing, started else { return false }
    let time = Self.samples(now)
    if phase == .unheard {
      phase = .idle
      arrivals.refresh()
      dropStale(at: time, pool: &pool)
    }
    // What the sender itself calls silence is not played.
    while count > 0, slot(0).quiet {
      note(slot(0))
      position = max(position, slot(0).time &+ Int64(slot(0).samples))
      removeFirst(pool: &pool)
    }
    guard count > 0 else { return false }
    let newest = slot(count &- 1).time
    if time &- newest &- arrivals.base > JitterLimits.ceiling {
      // Even the newest packet is too late: the path has changed, not the packet.
      arrivals.restart(transit: time &- newest, at: time)
    }
    let target = Int64(arrivals.target)
    // Nothing is being said: too old audio is left out here rather than drained.
    if time &- slot(0).time &- arrivals.base > JitterLimits.ceiling {
      while count > 1, time &- slot(1).time &- arrivals.base >= target { removeFirst(pool: &pool) }
    }
    guard time &- slot(0).time &- arrivals.base >= target else { return false }
    phase = .playing
    held = 0
    position = slot(0).time
    resumedWithoutLoss = lastSequence == slot(0).packet.sequence &- 1
    lastSequence = slot(0).packet.sequence &- 1
    lastQuiet = false
    ticksSinceStart = 0
    forgetMeasures()
    return true
  }

  /// A promoted talker is played from his kept packets, so that the first syllable is whole; but not from what was silence,
  /// nor from packets of long ago.
  private mutating func dropStale(at time: Int64, pool: inout PacketPool) {
    let due = time &- arrivals.base &- Int64(arrivals.target)
    if count > 0, slot(count &- 1).time < due &- 1_920 { return removeAll(pool: &pool) }
    while count > 0, slot(0).time < due &- JitterLimits.lateWhileUnheard { removeFirst(pool: &pool) }
    // One packet before the first loud one is the beginning of its sound.
    while count > 1, slot(1).time <= due, slot(0).level < JitterLimits.softest, slot(1).level < JitterLimits.softest {
      removeFirst(pool: &pool)
    }
  }

  /// What to play next; asked until enough samples are there. `available` decoded samples wait.
  public mutating func next(now: Instant, available: Int, pool: inout PacketPool) -> JitterStep {
    guard phase == .playing else { return .pause }
    let time = Self.samples(now)
    while count > 0 {
      let slot = slot(0)
      let end = slot.time &+ Int64(slot.samples)
      if end <= position {
        removeFirst(pool: &pool)
        continue
      }
      if slot.time <= position &+ 60 {
        if slot.quiet {
          beginPause(pool: &pool)
          return .pause
        }
        measure(early: time &- slot.time &- arrivals.base, unused: available)
        play(slot)
        return .decode(takeFirst().packet, samples: Int(slot.samples))
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

  /// The next packet of a stream that is forwarded, as soon as it is as old as the target. Nothing is stretched or
  /// invented: the delay follows the target by packets that come a tick later or earlier, in order, with the sender's
  /// own timestamps between them. The packet's buffer is the caller's from now on.
  public mutating func take(now: Instant, pool: inout PacketPool) -> ForwardStep {
    guard phase == .playing else { return .pause }
    let time = Self.samples(now)
    held = 0
    while count > 0 {
      let slot = slot(0)
      let end = slot.time &+ Int64(slot.samples)
      if end <= position {
        removeFirst(pool: &pool)
        continue
      }
      let delay = time &- slot.time &- arrivals.base
      if slot.quiet {
        beginPause(pool: &pool)
        return .pause
      }
      guard delay >= Int64(arrivals.target) else { return .wait }
      let gap = slot.time &- position
      if gap > 60, slot.packet.sequence &- lastSequence != 1 {
        position = slot.time
        lastSequence = slot.packet.sequence &- 1
        return .lost(samples: Int(min(gap, JitterLimits.ceiling)))
      }
      if delay > JitterLimits.ceiling, count > 1 {
        // After an outage: what is too old to be heard is left out.
        removeFirst(pool: &pool)
        lastSequence = slot.packet.sequence
        position = end
        return .lost(samples: Int(slot.samples))
      }
      if ticksMeasured >= 50 { forgetMeasures() }
      measure(early: delay, unused: 0)
      play(slot)
      return .packet(takeFirst().packet, samples: Int(slot.samples))
    }
    guard time &- position &- arrivals.base < Int64(arrivals.target &+ JitterLimits.longestConcealment) else {
      phase = .idle
      return .pause
    }
    return .wait
  }

  private mutating func play(_ slot: Slot) {
    note(slot)
    decodedArrival = slot.arrival
    position = slot.time &+ Int64(slot.samples)
    held = 0
  }

  private mutating func beginPause(pool: inout PacketPool) {
    note(slot(0))
    position = slot(0).time &+ Int64(slot(0).samples)
    removeFirst(pool: &pool)
    phase = .idle
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

  /// Nobody hears the stream from now on: it keeps its newest packets by itself. Again and again costs nothing.
  @inline(__always) public mutating func skip(pool: inout PacketPool) {
    if phase != .unheard { leave(pool: &pool) }
  }

  private mutating func leave(pool: inout PacketPool) {
    phase = .unheard
    held = 0
    keepNewest(pool: &pool)
  }

  /// Whether a packet can be taken now, to give the stretcher something to shorten.
  public var hasContiguous: Bool {
    count > 0 && phase == .playing && slot(0).time <= position &+ 60 && !slot(0).quiet
  }
}
