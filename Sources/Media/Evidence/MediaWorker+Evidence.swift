//  MediaWorker+Evidence.swift: once a second, what is known of each leg, into a queue that the shell empties.
//  Walk: AudioMixer.tick → MediaWorker.sampleEvidence → takeEvidence ⇢ the control thread's history

import Primitives

extension MediaWorker {
  /// Ticks of a leg's second.
  static let evidenceTicks: Int64 = 50

  /// The oldest leg's second not yet taken. Those that nobody takes are lost once the queue is full, and counted.
  public mutating func takeEvidence() -> LegSecond? { evidence.pop() }

  /// Ends the seconds of a fiftieth of the meeting's legs.
  mutating func sampleEvidence(of meeting: Int, now: Instant) {
    let tick = schedule.tick
    let step = tick % Self.evidenceTicks
    let count = meetings[meeting].legs.count
    if step < meetings[meeting].evidence.step {
      // A new round; legs that the last one owes come first: ticks may have been skipped.
      sampleEvidence(of: meeting, upTo: count, now: now)
      meetings[meeting].evidence.cursor = 0
    }
    meetings[meeting].evidence.step = step
    let due = count &* Int(step &+ 1) / Int(Self.evidenceTicks)
    sampleEvidence(of: meeting, upTo: due, now: now)
  }

  private mutating func sampleEvidence(of meeting: Int, upTo end: Int, now: Instant) {
    while meetings[meeting].evidence.cursor < end {
      let slot = Int(meetings[meeting].legs[meetings[meeting].evidence.cursor])
      meetings[meeting].evidence.cursor &+= 1
      if let second = legSecond(slot, of: meeting, now: now), !evidence.push(second) { counters.evidenceLost &+= 1 }
    }
  }

  /// Packets of any leg that this worker dropped for want of room, ever; wraps.
  var hostDrops: UInt32 {
    UInt32(
      truncatingIfNeeded: counters.drops[.poolExhausted] &+ counters.drops[.sendFailed] &+ counters.drops[.queueFull])
  }

  /// - Returns: `nil` where less than a tick has passed, and for the first moment of a leg.
  private mutating func legSecond(_ slot: Int, of meeting: Int, now: Instant) -> LegSecond? {
    let tick = schedule.tick
    var totals = legs[slot].totals
    totals.hostDrops = hostDrops
    defer { legs[slot].evidence.beginSecond(tick: tick, totals: totals) }
    let last = legs[slot].evidence.lastTick
    guard last > .min, tick > last else { return nil }
    let ticks = Int(clamping: tick &- last)
    var second = legs[slot].second(until: totals, now: now)
    second.ticks = UInt8(clamping: ticks)
    second.overload = leftOut
    second.lateness = meetings[meeting].evidence.worst(of: ticks, endingAt: tick)
    let mask = MeetingEvidence.mask(of: ticks, endingAt: tick)
    let own = legs[slot].evidence.mixedTicks
    let heard = meetings[meeting].evidence
    second.mixed = UInt8(clamping: (own & mask).nonzeroBitCount)
    second.audible = UInt8(clamping: ((own & heard.chorusTicks | ~own & heard.voicedTicks) & mask).nonzeroBitCount)
    let turnedDown = own & legs[slot].evidence.limitedTicks | ~own & heard.limitedTicks
    second.limited = UInt8(clamping: (turnedDown & mask).nonzeroBitCount)
    return second
  }
}

extension MediaWorker {
  /// As `LegSecond.overload`.
  var leftOut: UInt8 {
    let fewer = configuration.limits.talkers - min(effort.talkers, configuration.limits.talkers)
    if fewer > 0 { return UInt8(clamping: 1 + fewer) }
    return effort.complexity < EncodingEffort.full.complexity ? 1 : 0
  }
}

// MARK: The worker's own time

extension MediaWorker {
  /// Now, by the stopwatch; 0 without one.
  @inline(__always) func watch() -> Int64 { configuration.stopwatch?() ?? 0 }

  @inline(__always) func watch(since begun: Int64) -> UInt64 { UInt64(clamping: watch() &- begun) }

  /// A tick is ready to be sent: what it took, decoders and encoders included.
  mutating func countTick(of meeting: Int, since begun: Int64) {
    counters.costs.legTicks &+= UInt64(truncatingIfNeeded: meetings[meeting].legs.count)
    counters.costs.meetingTicks &+= 1
    counters.ticking &+= watch(since: begun)
  }
}

extension Leg {
  /// As they stand; what the worker knows is not in them.
  var totals: LegTotals {
    var totals = LegTotals()
    totals.received = UInt32(truncatingIfNeeded: stream.packets)
    totals.lost = Int32(truncatingIfNeeded: stream.packetsLost)
    totals.reordered = stream.packetsReordered
    totals.duplicate = UInt32(truncatingIfNeeded: audio.statistics.packetsDuplicate)
    totals.late = UInt32(truncatingIfNeeded: audio.statistics.packetsLate)
    totals.dropped = UInt32(truncatingIfNeeded: dropped)
    totals.concealed = UInt32(truncatingIfNeeded: audio.statistics.framesConcealed)
    totals.recovered = UInt32(truncatingIfNeeded: audio.statistics.framesRecovered)
    totals.stretched = UInt32(truncatingIfNeeded: audio.statistics.accelerations &+ audio.statistics.decelerations)
    totals.restarts = UInt32(truncatingIfNeeded: audio.statistics.restarts)
    totals.sent = UInt32(truncatingIfNeeded: send.packets)
    totals.control = UInt32(truncatingIfNeeded: rtcp.packetsReceived)
    totals.remoteReports = rtcp.remote.reports
    return totals
  }

  /// What has changed since the last second, and how the leg stands.
  func second(until totals: LegTotals, now: Instant) -> LegSecond {
    let before = evidence.before
    var second = LegSecond(leg: id)
    second.second = UInt32(clamping: now.nanoseconds / 1_000_000_000)
    second.flags = flags
    if totals.hostDrops != before.hostDrops { second.flags.insert(.hostDropped) }
    second.level = isHeard ? max(evidence.level, Int8(clamping: audio.level(now: now))) : -127
    second.concealed = UInt8(clamping: totals.concealed &- before.concealed)
    second.recovered = UInt8(clamping: totals.recovered &- before.recovered)
    second.stretched = UInt8(clamping: totals.stretched &- before.stretched)
    second.restarts = UInt8(clamping: totals.restarts &- before.restarts)
    second.duplicate = UInt8(clamping: totals.duplicate &- before.duplicate)
    second.reordered = UInt8(clamping: totals.reordered &- before.reordered)
    second.received = UInt16(clamping: totals.received &- before.received)
    second.lost = Int16(clamping: totals.lost &- before.lost)
    second.late = UInt16(clamping: totals.late &- before.late)
    let dropped = Int64(totals.dropped &- before.dropped)
    second.refused = UInt16(clamping: dropped &- Int64(second.late) &- Int64(second.duplicate))
    second.jitter = Self.tenths(stream.jitter, clockRate: stream.clockRate)
    if wasTalker { second.delay = UInt16(clamping: audio.statistics.delaySamples &* 10 / 48) }
    second.quiet = UInt16(clamping: (now - lastHeard).nanoseconds / 10_000_000)
    second.control = UInt8(clamping: totals.control &- before.control)
    second.sent = UInt16(clamping: totals.sent &- before.sent)
    second.forwarded = UInt8(clamping: evidence.forwarded)
    second.comfort = UInt8(clamping: evidence.comfort)
    second.unsent = UInt16(clamping: evidence.unsent)
    second.remoteReports = UInt8(clamping: totals.remoteReports &- before.remoteReports)
    second.remoteFractionLost = rtcp.remoteFractionLost
    if rtcp.remote.reports > 0 {
      second.remoteAge = UInt8(clamping: (now - rtcp.remote.lastReport).nanoseconds / 1_000_000_000)
      second.remoteJitter = Self.tenths(rtcp.remote.jitter, clockRate: send.clockRate)
      second.remoteExpected = rtcp.remote.expected
      second.remoteReceived = rtcp.remote.received
    }
    second.opinion = UInt8(clamping: statistics.opinionIn / 2)
    second.roundTrip = UInt16(clamping: rtcp.roundTripMicroseconds / 100)
    second.opinion = UInt8(clamping: rtcp.quality.opinionIn / 2)
    return second
  }

  private var flags: LegFlags {
    var flags: LegFlags = []
    if configuration.receives { flags.insert(.receives) }
    if configuration.sends { flags.insert(.sends) }
    if ingressBlocked { flags.insert(.ingressBlocked) }
    if egressBlocked { flags.insert(.egressBlocked) }
    if wasHeard { flags.insert(.wasHeard) }
    if isSilent { flags.insert(.isSilent) }
    if media.canSend { flags.insert(.hasPath) }
    if saidGoodbye { flags.insert(.saidGoodbye) }
    if isPlain { flags.insert(.isPlain) }
    return flags
  }

  /// RTP timestamp units as tenths of a millisecond.
  private static func tenths(_ units: UInt32, clockRate: UInt32) -> UInt16 {
    UInt16(clamping: UInt64(units) &* 10_000 / UInt64(max(1, clockRate)))
  }
}
