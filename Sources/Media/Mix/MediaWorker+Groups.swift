//  MediaWorker+Groups.swift: talkers are decoded or forwarded as their listeners need it, and the groups get their packets.
//  Walk: MediaWorker.chooseSources → MediaWorker.takeTalkers → EncodeGroup → SendStream

import Primitives
import RTP

extension MediaWorker {
  // MARK: Talkers

  /// Each talker's tick: decoded where a group mixes him, only forwarded where none does.
  mutating func takeTalkers(of meeting: Int, now: Instant) {
    for place in 0..<meetings[meeting].choice.count {
      let slot = meetings[meeting].choice[place]
      let bit = TalkerPlaces.bit(place)
      guard mixer.places.rendered & bit == 0 else { continue }
      if mixer.places.wanted & bit != 0 {
        render(slot, of: meeting, now: now)
      } else if mixer.places.forwarded & bit != 0 {
        let rendering = legs[slot].audio.forward(now: now, pool: &pool)
        legs[slot].measuredLevel = legs[slot].audio.forwardedLevel
        legs[slot].isMixed = rendering != .silent
        if legs[slot].isMixed { mixer.places.heard |= bit }
        if legs[slot].audio.kept.tickCount > 0 {
          latency.mixed(arrival: legs[slot].audio.renderedArrival)
          meetings[meeting].alignment.note(legs[slot].audio.surplus)
          legs[slot].evidence.mixed(level: legs[slot].measuredLevel, tick: schedule.tick)
        }
      } else {
        legs[slot].audio.skip(now: now, pool: &pool)
        legs[slot].measuredLevel = legs[slot].nextLevel
        legs[slot].isMixed = false
      }
      if mixer.places.forwarded & bit != 0 {
        counters.forwards &+= UInt64(truncatingIfNeeded: legs[slot].audio.kept.tickCount)
      }
    }
  }

  /// Decodes a talker's tick, and adds it to the total if it is to be heard.
  mutating func render(_ slot: Int, of meeting: Int, now: Instant) {
    let place = legs[slot].talker
    let before = legs[slot].audio.statistics.decodes
    let begun = watch()
    if mixer.places.returning & TalkerPlaces.bit(place) != 0 {
      legs[slot].audio.rewind(lag: EncodeGroup.lag, pool: &pool)
    }
    let rendering = mixer.scratch.render(place, &legs[slot].audio, now: now, pool: &pool)
    counters.costs.decodeNanoseconds &+= watch(since: begun)
    counters.costs.talkerTicks &+= 1
    counters.decoded(legs[slot].audio.statistics.decodes &- before, as: legs[slot].audio.codec)
    let level = rendering == .silent ? -127 : mixer.scratch.level(of: place)
    legs[slot].measuredLevel = level
    legs[slot].nextLevel = level
    if legs[slot].audio.kept.tickCount > 0 {
      legs[slot].isUnderstated =
        level >= TalkerChoice.threshold && legs[slot].audio.claimedLevel < TalkerChoice.threshold
    }
    if rendering != .silent, amplifies(slot) {
      mixer.scratch.amplify(place, &legs[slot].automaticGain, level: level)
    }
    let wasMixed = legs[slot].isMixed
    let isLeaving = legs[slot].isLeaving
    legs[slot].isMixed =
      rendering != .silent && (isLeaving || legs[slot].activity.isProven || level >= TalkerChoice.threshold)
    mixer.places.rendered |= TalkerPlaces.bit(place)
    guard legs[slot].isMixed else { return }
    if isLeaving {
      mixer.scratch.fadeOut(place)
    } else if !wasMixed {
      mixer.scratch.fadeIn(place)
    }
    mixer.scratch.add(place)
    share(slot, of: meeting, begins: !wasMixed)
    mixer.places.voices |= TalkerPlaces.bit(place)
    mixer.places.heard |= TalkerPlaces.bit(place)
    if rendering == .spoken { latency.mixed(arrival: legs[slot].audio.renderedArrival) }
    meetings[meeting].alignment.note(legs[slot].audio.surplus)
    legs[slot].evidence.mixed(level: level, tick: schedule.tick)
  }

  // MARK: Groups

  mutating func fillShared(_ meeting: Int) {
    var level: AudioLevel?
    for index in 0..<meetings[meeting].formats.count where meetings[meeting].formats[index].legs > 0 {
      let group = meetings[meeting].formats[index].shared
      guard beginMix(group, without: 0) else { continue }
      let mixed = level ?? mixer.scratch.mixAll(&meetings[meeting].limiter)
      level = mixed
      encodeMix(group, level: mixed)
    }
  }

  mutating func fillOwn(_ meeting: Int) {
    for place in 0..<meetings[meeting].choice.count {
      let slot = meetings[meeting].choice[place]
      let group = legs[slot].encoder
      guard group >= 0, beginMix(group, without: TalkerPlaces.bit(place)) else { continue }
      let own = mixer.places.voices & TalkerPlaces.bit(place) != 0
      let level = mixer.scratch.mixMinus(own ? place : nil, &legs[slot].limiter)
      if legs[slot].limiter.gain < 1 { legs[slot].evidence.limited(tick: schedule.tick) }
      encodeMix(group, level: level)
    }
  }

  /// Does all of the group's tick but encoding the mix.
  /// - Returns: whether that is what remains.
  private mutating func beginMix(_ group: Int, without own: UInt32) -> Bool {
    switch encoders[group].hearing {
    case .silence:
      encoders[group].fallSilent()
      return false
    case .forward(let slot):
      forward(slot, to: group)
      return false
    case .mix:
      if encoders[group].source.forwarded >= 0 { leaveForwarding(group) }
      if mixer.places.voices & ~own == 0, mixer.remoteVoices == 0 {
        encoders[group].fallSilent()
        return false
      }
      return true
    }
  }

  private mutating func encodeMix(_ group: Int, level: AudioLevel) {
    let begun = watch()
    let frames = mixer.scratch.encode(
      for: &encoders[group], level: level, tick: schedule.tick, complexity: effort.complexity)
    counters.costs.encodeNanoseconds &+= watch(since: begun)
    counters.encoded(UInt64(truncatingIfNeeded: frames), as: encoders[group].encoder.format.codec)
  }

  private mutating func forward(_ slot: Int, to group: Int) {
    if encoders[group].source.forwarded != slot {
      counters.timelines = counters.timelines &+ 1 | 1
      if !encoders[group].isPaused { counters.switches &+= 1 }
      encoders[group].source.begin(slot, timeline: counters.timelines & 0xffff)
    }
    let level = legs[slot].measuredLevel
    encoders[group].beginForwarding(
      level: AudioLevel(attenuation: UInt8(clamping: 0 &- level), voice: level > TalkerChoice.threshold))
    let samples = Int(legs[slot].audio.shape.samples)
    for index in 0..<legs[slot].audio.kept.tickCount {
      let packet = legs[slot].audio.kept.ofTick(index)
      AudioReceiver.withPayload(of: packet, pool: pool) { bytes in
        encoders[group].forward(packet, bytes, samples: samples, tick: schedule.tick)
      }
    }
  }

  /// From a talker's packets to the mix: the encoder is warmed up with what his listeners heard last.
  private mutating func leaveForwarding(_ group: Int) {
    let slot = encoders[group].source.forwarded
    let place = legs[slot].talker
    counters.switches &+= 1
    encoders[group].source.end()
    var frames: Int?
    if place >= 0, mixer.places.rendered & TalkerPlaces.bit(place) != 0 {
      frames = mixer.scratch.takePast(of: &legs[slot].audio) ? mixer.scratch.warmUp(&encoders[group]) : nil
    }
    if frames == nil { encoders[group].fallSilent() }
    counters.encoded(UInt64(truncatingIfNeeded: frames ?? 0), as: .opus)
  }
}
