//  MediaWorker+Cascade.swift: one meeting on several workers: each decodes, mixes and sends for its own legs.
//  Walk: AudioMixer.chooseTalkers → admit; renderTalkers → share; → mixRemote → the other parts' next tick
//
//  All parts tick in the same phase of the same clock. In tick n a part weighs its own candidates against what the others
//  said in tick n−1, decodes those of its own who are among the loudest K of the whole meeting, sends their frames, just
//  as they are in its total, to the other parts, and adds what those sent in tick n−1. So everybody hears the exact sum of
//  who is heard, without himself, and a talker of another part one tick later.

import Primitives

extension MediaWorker {
  // MARK: Parts come and go

  /// A meeting that is not here has no parts.
  mutating func linkMeeting(_ id: MeetingID, _ parts: MeetingParts) {
    guard let slot = meetingSlots[id.rawValue] else { return }
    var parts = parts
    parts.peers.removeAll { $0 == configuration.worker }
    let link = meetings[slot].link
    if parts.peers.isEmpty {
      unlinkMeeting(slot)
    } else if link >= 0 {
      links[link].update(parts)
    } else {
      meetings[slot].link = links.insert(MeetingLink(parts))
    }
  }

  mutating func unlinkMeeting(_ slot: Int) {
    let link = meetings[slot].link
    guard link >= 0 else { return }
    _ = links.remove(link)
    meetings[slot].link = -1
  }

  // MARK: Who is heard

  /// Keeps those of this part's candidates who are among the loudest of the whole meeting, and notes all of them for the
  /// other parts.
  ///
  /// - Parameter choice: this part's loudest, in order.
  mutating func admit(_ choice: inout TalkerChoice, of meeting: Int) {
    let link = meetings[meeting].link
    guard link >= 0 else { return }
    var admitted = 0
    while admitted < choice.count {
      let ahead = links[link].ahead(of: choice.score(admitted), worker: configuration.worker, tick: schedule.tick)
      guard admitted &+ ahead < choice.limit else { break }
      admitted &+= 1
    }
    links[link].own.removeAll()
    for index in 0..<choice.count {
      let slot = choice[index]
      // A probe is not known to be loud: it takes nobody's place in another part.
      guard !legs[slot].activity.isProbe else { continue }
      var candidate = LinkCandidate()
      candidate.leg = legs[slot].id.rawValue
      candidate.score = choice.score(index)
      if index < admitted, !legs[slot].wasTalker { candidate.score &+= TalkerChoice.hysteresis }
      candidate.isProven = legs[slot].activity.isProven
      links[link].own.append(candidate)
    }
    choice.truncate(to: admitted)
  }

  // MARK: Voices

  /// A talker's frame has gone into this part's total: the other parts get it.
  mutating func share(_ slot: Int, of meeting: Int, begins: Bool) {
    let link = meetings[meeting].link
    guard link >= 0 else { return }
    var message = LinkMessage(.voice)
    message.meeting = meetings[meeting].id.rawValue
    message.leg = legs[slot].id.rawValue
    message.tick = schedule.tick
    message.arrival = legs[slot].audio.renderedArrival
    message.level = Int8(clamping: legs[slot].measuredLevel)
    message.count = UInt16(MixScratch.samples)
    var flags: VoiceFlags = []
    if begins { flags.insert(.begins) }
    if legs[slot].isLeaving { flags.insert(.ends) }
    message.flags = flags.rawValue
    mixer.scratch.copy(legs[slot].talker, to: &message.block)
    for index in 0..<links[link].peers.count { sendLink(message, to: links[link].peers[index].worker) }
    links[link].heard(message.leg, isLeaving: legs[slot].isLeaving)
  }

  /// Tells the other parts who was a candidate and who was heard in this tick, and adds their voices to the total.
  ///
  /// - Returns: voices added.
  mutating func mixRemote(_ meeting: Int) -> Int {
    let link = meetings[meeting].link
    guard link >= 0 else { return 0 }
    let tick = schedule.tick
    var message = LinkMessage(.candidates)
    message.meeting = meetings[meeting].id.rawValue
    message.tick = tick
    message.count = UInt16(links[link].own.count)
    var block = message.block.mutableSpan
    for index in 0..<links[link].own.count { links[link].own[index].write(index, into: &block) }
    for index in 0..<links[link].peers.count { sendLink(message, to: links[link].peers[index].worker) }
    let mixed = links[link].mix(tick: tick, into: &mixer.scratch, latency: &latency)
    counters.linkFramesLost &+= UInt64(truncatingIfNeeded: mixed.lost)
    return mixed.voices
  }

  // MARK: What comes in

  /// A message about a meeting or from a worker that this part does not know belongs to a part that is just opening or
  /// closing: it means nothing.
  mutating func receivePart(_ message: borrowing LinkMessage, from worker: Int) {
    guard let slot = meetingSlots[message.meeting] else { return }
    let link = meetings[slot].link
    guard link >= 0, let peer = links[link].index(of: worker) else { return }
    if message.kind == .candidates {
      links[link].take(message, peer: peer)
      return
    }
    switch links[link].voices.take(message, from: worker) {
    case .taken: break
    case .late: counters.linkFramesLate &+= 1
    case .full: counters.linkOverflow &+= 1
    }
  }

  // MARK: Who is reported

  /// Whether this part tells who is heard.
  func reportsTalkers(of meeting: Int) -> Bool {
    let link = meetings[meeting].link
    return link < 0 || links[link].reportsTalkers
  }

  /// Who is heard in the whole meeting, loudest first.
  func talkersOfAllParts(_ meeting: Int) -> ReportedTalkers {
    let link = meetings[meeting].link
    var ranked = LinkCandidates()
    for index in 0..<meetings[meeting].choice.count {
      let slot = meetings[meeting].choice[index]
      guard legs[slot].activity.isProven, !legs[slot].isLeaving else { continue }
      var candidate = LinkCandidate()
      candidate.leg = legs[slot].id.rawValue
      candidate.score = meetings[meeting].choice.score(index)
      ranked.insert(candidate)
    }
    for index in 0..<links[link].peers.count where links[link].peers[index].isFresh(at: schedule.tick) {
      let candidates = links[link].peers[index].candidates
      for place in 0..<candidates.count
      where candidates[place].isHeard && candidates[place].isProven && !candidates[place].isLeaving {
        ranked.insert(candidates[place])
      }
    }
    var talkers = ReportedTalkers()
    for index in 0..<ranked.count { talkers.append(LegID(rawValue: ranked[index].leg)) }
    return talkers
  }
}
