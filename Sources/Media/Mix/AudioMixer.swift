//  AudioMixer.swift: one meeting's tick: who is heard, one total, mix-minus for talkers, one encode for each group.
//  Walk: AudioReceiver → AudioMixer → EncodeGroup → SendStream → DatagramBatch → MediaWorker.protectEgress

import MediaTransport
import Primitives
import RTP

/// Where the worker is in the present tick, and the memory it mixes in.
public struct AudioMixer: ~Copyable {
  /// A silent stream's keep-alive: every 400 ms.
  static let comfortTicks: Int64 = 20
  /// Datagrams that one leg may need in a tick: three of a forwarded stream and a report.
  public static let packetsPerLeg = 4

  var scratch = MixScratch()
  /// The meeting whose tick is not finished; −1 when none.
  private(set) var meeting = -1
  /// It has been mixed and encoded; what remains is sending.
  var isMixed = false
  /// The next of the meeting's legs to be sent to.
  var cursor = 0
  var places = TalkerPlaces()
  /// Talkers of other parts of the meeting who are in the mix.
  var remoteVoices = 0

  init() {}

  var isBusy: Bool { meeting >= 0 }

  mutating func begin(_ slot: Int) {
    meeting = slot
    isMixed = false
    cursor = 0
  }
}

extension MediaWorker {
  /// One meeting's tick, or the rest of it.
  /// - Returns: `false` when `egress` filled up, or had `limit` datagrams, before the end.
  mutating func tick(_ meeting: Int, now: Instant, into egress: inout DatagramBatch, limit: Int) -> Bool {
    precondition(egress.capacity >= AudioMixer.packetsPerLeg)
    if !mixer.isMixed {
      let begun = watch()
      chooseTalkers(of: meeting, now: now)
      lookAtTalkers(of: meeting, now: now)
      chooseSources(of: meeting)
      takeTalkers(of: meeting, now: now)
      mixer.remoteVoices = mixRemote(meeting)
      fillShared(meeting)
      fillOwn(meeting)
      noteTalkers(of: meeting, now: now)
      meetings[meeting].evidence.ticked(
        voices: mixer.places.heard.nonzeroBitCount &+ mixer.remoteVoices, limited: meetings[meeting].limiter.gain < 1,
        tick: schedule.tick)
      sampleEvidence(of: meeting, now: now)
      countTick(of: meeting, since: begun)
      mixer.isMixed = true
    }
    let limit = min(limit, egress.capacity &- AudioMixer.packetsPerLeg &+ 1)
    while mixer.cursor < meetings[meeting].legs.count {
      guard egress.count < limit else { return false }
      if mixer.cursor % Self.touchedAhead == 0 { touchLegs(of: meeting, from: mixer.cursor, bytes: Leg.sendBytes) }
      send(to: Int(meetings[meeting].legs[mixer.cursor]), of: meeting, now: now, into: &egress)
      mixer.cursor &+= 1
    }
    return true
  }

  private mutating func touchLegs(of meeting: Int, from first: Int, bytes: Int) {
    for index in first..<min(meetings[meeting].legs.count, first &+ Self.touchedAhead) {
      touched |= legs.touch(Int(meetings[meeting].legs[index]), bytes: bytes)
    }
  }

  // MARK: Who is heard

  private mutating func chooseTalkers(of meeting: Int, now: Instant) {
    let before = meetings[meeting].choice
    var choice = before
    var probe = ProbeSearch(cursor: meetings[meeting].probeCursor)
    choice.begin(limit: effort.talkers)
    for index in 0..<meetings[meeting].legs.count {
      if index % Self.touchedAhead == 0 { touchLegs(of: meeting, from: index, bytes: Leg.tickBytes) }
      let slot = Int(meetings[meeting].legs[index])
      tend(slot, now: now)
      Self.updateActivity(&legs[slot], now: now)
      guard legs[slot].activity.isTalking else { continue }
      let wasTalker = legs[slot].wasTalker
      if legs[slot].activity.isProbe {
        probe.consider(index, isFresh: legs[slot].activity.isFresh, isRunning: wasTalker)
        guard wasTalker else { continue }
      }
      choice.offer(slot, legs[slot].activity, wasTalker: wasTalker)
    }
    if let index = probe.found(pause: &meetings[meeting].probePause) {
      let slot = Int(meetings[meeting].legs[index])
      choice.offer(slot, legs[slot].activity, wasTalker: false)
      meetings[meeting].probeCursor = index &+ 1
    }
    admit(&choice, of: meeting)
    let leaving = keepLeavers(of: before, in: &choice)
    for index in 0..<before.count {
      legs[before[index]].talker = -1
      legs[before[index]].isLeaving = false
    }
    for index in 0..<choice.count {
      legs[choice[index]].talker = index
      legs[choice[index]].isLeaving = index >= choice.count &- leaving
    }
    for index in 0..<before.count where legs[before[index]].talker < 0 {
      returnEncoder(of: before[index], in: meeting)
    }
    meetings[meeting].choice = choice
  }

  /// Who was heard and is not chosen any more has a place for one more tick, in which the voice fades out: what is cut off
  /// clicks. Where that place is wanted, the softest newcomer waits for this tick, so there are never more decoders,
  /// encoders and frames than talkers.
  /// - Returns: how many; theirs are the last places.
  private func keepLeavers(of before: TalkerChoice, in choice: inout TalkerChoice) -> Int {
    var leaving = 0
    for index in 0..<before.count {
      let slot = before[index]
      guard legs[slot].wasTalker, legs[slot].isMixed, !choice.contains(slot) else { continue }
      if choice.isFull {
        for place in stride(from: choice.count &- 1 &- leaving, through: 0, by: -1)
        where !legs[choice[place]].wasTalker {
          choice.remove(choice[place])
          break
        }
      }
      guard !choice.isFull else { continue }
      choice.append(slot)
      leaving &+= 1
    }
    return leaving
  }

  private static func updateActivity(_ leg: inout Leg, now: Instant) {
    guard leg.isHeard, !leg.isKeyed else {
      leg.activity.silence()
      return
    }
    let estimate = leg.newest.level(now: now)
    if leg.wasTalker {
      leg.activity.measure(leg.measuredLevel, estimate: estimate)
    } else {
      leg.activity.estimate(estimate)
    }
  }

  /// The leg's own timers.
  private mutating func tend(_ slot: Int, now: Instant) {
    if legs[slot].isKeyed {
      if let press = legs[slot].dtmf.advance(to: now) { pressed(slot, press) }
      legs[slot].isKeyed = legs[slot].dtmf.mutes(at: now)
    }
    if legs[slot].fellSilent(at: now) {
      legs[slot].isSilent = true
      tell(slot, .silent(legs[slot].id)) {
        if $0.resumed { $0.resumed = false } else { $0.silent = true }
      }
    }
  }

  // MARK: Listeners

  /// A leg became a talker: it leaves its group with a copy of the group's encoder, so that its peer hears no seam.
  mutating func takeEncoder(for slot: Int, of meeting: Int) {
    let format = meetings[meeting].formats[legs[slot].format]
    let source = format.base < 0 ? format : meetings[meeting].formats[format.base]
    for index in 0..<source.ownCount {
      let group = Int(source.own[index])
      guard encoders[group].owner < 0 else { continue }
      encoders.withPair(group, format.shared) { $0.adopt($1, for: slot) }
      if encoders[group].source.forwarded == slot { encoders[group].fallSilent() }
      legs[slot].encoder = group
      legs[slot].limiter = meetings[meeting].limiter
      return
    }
  }

  /// A talker has stopped: from now on its peer hears the group's encoder, of which it has not had the last packets.
  ///
  /// Where nobody has listened to that one, it continues from the talker's own. Where others do, its next packet does not
  /// build on those before: a decoder with another past may play the difference at full scale.
  private mutating func returnEncoder(of slot: Int, in meeting: Int) {
    let own = legs[slot].encoder
    guard own >= 0 else { return }
    let format = legs[slot].format
    let shared = meetings[meeting].formats[format].shared
    if meetings[meeting].formats[format].listeners == 0 {
      encoders.withPair(shared, own) { $0.resume($1) }
      // A second one that returns in the same tick is one more listener.
      meetings[meeting].formats[format].listeners = 1
    } else if encoders[own].source.forwarded < 0 || encoders[own].source.forwarded != encoders[shared].source.forwarded
    {
      encoders[shared].beginAnew()
    }
    releaseEncoder(of: slot)
  }

  mutating func releaseEncoder(of slot: Int) {
    let group = legs[slot].encoder
    guard group >= 0 else { return }
    encoders[group].owner = -1
    encoders[group].source.end()
    encoders[group].pause()
    legs[slot].encoder = -1
  }

  // MARK: Send

  private mutating func send(to slot: Int, of meeting: Int, now: Instant, into egress: inout DatagramBatch) {
    let tick = schedule.tick
    if legs[slot].listens {
      let own = legs[slot].encoder
      let group = own >= 0 ? own : meetings[meeting].formats[legs[slot].format].shared
      let packets = encoders[group].packetCount
      for index in 0..<packets {
        Self.emit(slot, &legs[slot], encoders, group, index, tick: tick, &pool, &counters, into: &egress)
      }
      let wait = encoders[group].endsStream ? 1 : AudioMixer.comfortTicks
      if packets == 0, encoders[group].isQuiet, tick &- legs[slot].send.lastTick >= wait {
        Self.emit(slot, &legs[slot], encoders, group, nil, tick: tick, &pool, &counters, into: &egress)
      }
    }
    let isDue = legs[slot].rtcp.isDue(now: now, random: &random)
    if isDue || legs[slot].rtcp.usesFeedback && isDueEarly(slot, now: now) {
      sendReport(slot, goodbye: false, now: now, into: &egress)
    }
  }

  /// Writes one packet in the clear: `protectEgress` follows.
  /// - Parameter index: of the group's packets; `nil` for its comfort packet.
  private static func emit(
    _ slot: Int, _ leg: inout Leg, _ encoders: borrowing SlotTable<EncodeGroup>, _ group: Int, _ index: Int?,
    tick: Int64, _ pool: inout PacketPool, _ counters: inout WorkerCounters, into egress: inout DatagramBatch
  ) {
    let prepared: EncodedAudio? = if let index { encoders[group].packet(index) } else { encoders[group].comfort }
    guard let packet = prepared else { return }
    guard let buffer = pool.take() else {
      counters.drops.count(.poolExhausted)
      leg.evidence.unsent &+= 1
      return
    }
    let written = pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) -> Int? in
      if let index { return encoders[group].write(index, into: &bytes, &leg.send, tick: tick) }
      return encoders[group].writeComfort(packet, into: &bytes, &leg.send, tick: tick)
    }
    guard let written else {
      pool.give(buffer)
      return
    }
    var datagram = Datagram(buffer: buffer, count: written, socket: leg.mediaSocket, peer: leg.media.address)
    if !leg.isPlain { datagram.leg = Int32(truncatingIfNeeded: slot) }
    guard egress.append(datagram) else {
      pool.give(buffer)
      return
    }
    leg.send.sent(packet, tick: tick)
    if index == nil {
      leg.evidence.comfort &+= 1
    } else if encoders[group].source.forwarded >= 0 {
      leg.evidence.forwarded &+= 1
    }
  }

  private mutating func isDueEarly(_ slot: Int, now: Instant) -> Bool {
    let lost = legs[slot].stream.packetsLost
    return legs[slot].rtcp.isDueEarly(lost: lost, now: now, random: &random)
  }

  /// One RTCP compound to the leg's peer, in the clear: `protectEgress` follows.
  mutating func sendReport(_ slot: Int, goodbye: Bool, now: Instant, into egress: inout DatagramBatch) {
    legs[slot].assess(now: now)
    let mux = legs[slot].rtcpMux
    let path = mux ? legs[slot].media : legs[slot].control
    guard path.canSend else {
      legs[slot].rtcp.sent(count: 0, send: legs[slot].send, now: now, random: &random)
      return
    }
    guard let buffer = pool.take() else {
      counters.drops.count(.poolExhausted)
      return
    }
    let wall = configuration.clock.wallTime(at: now)
    do throws(DropReason) {
      let count = try Self.writeReport(
        &legs[slot], buffer, pool, goodbye: goodbye, tick: schedule.tick, wall: wall, now: now)
      let socket = mux ? legs[slot].mediaSocket : legs[slot].controlSocket
      var datagram = Datagram(buffer: buffer, count: count, socket: socket, peer: path.address)
      datagram.isControl = true
      if !legs[slot].isPlain { datagram.leg = Int32(truncatingIfNeeded: slot) }
      guard egress.append(datagram) else { throw .queueFull }
      legs[slot].rtcp.sent(count: count &+ legs[slot].growth, send: legs[slot].send, now: now, random: &random)
    } catch {
      counters.drops.count(error)
      pool.give(buffer)
    }
  }

  private static func writeReport(
    _ leg: inout Leg, _ buffer: PacketBuffer, _ pool: borrowing PacketPool, goodbye: Bool, tick: Int64,
    wall: WallTime, now: Instant
  ) throws(DropReason) -> Int {
    let block = leg.stream.reportBlock(now: now)
    let metrics = leg.rtcp.extendsReports ? leg.metrics : nil
    return try pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) throws(DropReason) -> Int in
      let written = leg.rtcp.write(
        send: leg.send, block: block, metrics: metrics, wall: wall, timestamp: leg.send.reportTimestamp(at: tick),
        goodbye: goodbye, now: now, into: &bytes)
      guard let written else { throw .tooLong }
      return written
    }
  }

  // MARK: Report who is heard

  private mutating func noteTalkers(of meeting: Int, now: Instant) {
    guard !meetings[meeting].wantsReport, now - meetings[meeting].lastReport >= .seconds(1),
      reportsTalkers(of: meeting), !talkers(of: meeting).sounds(like: meetings[meeting].reported)
    else { return }
    meetings[meeting].wantsReport = true
    meetings[meeting].lastReport = now
    meetingsToReport.append(Int32(truncatingIfNeeded: meeting))
  }
}
