//  MediaWorker+Sources.swift: what each encode group hears in a tick: the mix, or one talker's packets as they are.
//  Walk: TalkerChoice → MediaWorker.chooseSources → GroupSource

import Primitives

extension MediaWorker {
  /// Who listens to what, and who of the talkers can be heard now. Who is only perhaps a talker is decoded here.
  mutating func lookAtTalkers(of meeting: Int, now: Instant) {
    mixer.places = TalkerPlaces()
    mixer.scratch.clear()
    meetings[meeting].alignment.begin()
    for index in 0..<meetings[meeting].formats.count { meetings[meeting].formats[index].listeners = 0 }
    for index in 0..<meetings[meeting].legs.count {
      let slot = Int(meetings[meeting].legs[index])
      guard legs[slot].talker < 0 else { continue }
      legs[slot].audio.skip(now: now, pool: &pool)
      legs[slot].isMixed = false
      if legs[slot].listens { meetings[meeting].formats[legs[slot].format].listeners &+= 1 }
    }
    for place in 0..<meetings[meeting].choice.count {
      let slot = meetings[meeting].choice[place]
      legs[slot].audio.beginTick()
      if legs[slot].activity.isProbe, !legs[slot].isLeaving {
        render(slot, of: meeting, now: now)
        if legs[slot].isMixed { mixer.places.audible |= TalkerPlaces.bit(place) }
      } else {
        // What is due now, or else what was heard last.
        let due = legs[slot].audio.dueLevel(now: now)
        let isKnown = legs[slot].isMixed && (due == nil || !legs[slot].audio.isForwarding)
        legs[slot].nextLevel = max(due ?? -127, isKnown ? legs[slot].measuredLevel : -127)
        if legs[slot].nextLevel >= TalkerChoice.threshold { mixer.places.audible |= TalkerPlaces.bit(place) }
      }
      let isAudible = mixer.places.audible & TalkerPlaces.bit(place) != 0
      guard legs[slot].listens else {
        releaseEncoder(of: slot)
        continue
      }
      if isAudible || legs[slot].isLeaving || legs[slot].activity.isProven {
        if legs[slot].encoder < 0 { takeEncoder(for: slot, of: meeting) }
      } else {
        // Not in the mix: it hears what all hear.
        releaseEncoder(of: slot)
        meetings[meeting].formats[legs[slot].format].listeners &+= 1
      }
    }
  }

  /// Decides for each group, and from that for each talker, whether it is decoded, forwarded or neither.
  mutating func chooseSources(of meeting: Int) {
    let all = TalkerPlaces.bit(meetings[meeting].choice.count) &- 1
    if meetings[meeting].link >= 0 { mixer.places.wanted = all }
    for index in 0..<meetings[meeting].formats.count where meetings[meeting].formats[index].legs > 0 {
      let group = meetings[meeting].formats[index].shared
      let isHeard = meetings[meeting].formats[index].listeners > 0
      decide(group, of: meeting, format: index, others: all, isHeard: isHeard)
    }
    for place in 0..<meetings[meeting].choice.count {
      let slot = meetings[meeting].choice[place]
      let group = legs[slot].encoder
      guard group >= 0 else { continue }
      decide(
        group, of: meeting, format: legs[slot].format, others: all & ~TalkerPlaces.bit(place), isHeard: true)
    }
    for place in 0..<meetings[meeting].choice.count where mixer.places.forwarded & TalkerPlaces.bit(place) != 0 {
      let slot = meetings[meeting].choice[place]
      if !legs[slot].audio.hasLevels, legs[slot].nextLevel < TalkerChoice.threshold || legs[slot].isUnderstated,
        legs[slot].isUnderstated || legs[slot].activity.hold <= Self.holdWhenChecked
      {
        mixer.places.wanted |= TalkerPlaces.bit(place)
      }
    }
  }

  /// Whom only his packets' looks call silent is decoded once before he loses his place, though still forwarded: SILK takes
  /// music and steady tones for noise.
  private static let holdWhenChecked: Int32 = 12

  /// - Parameter others: places of those that the group's listeners can hear.
  private mutating func decide(_ group: Int, of meeting: Int, format: Int, others: UInt32, isHeard: Bool) {
    var hearing = Hearing.silence
    if isHeard {
      if meetings[meeting].link >= 0 {
        hearing = .mix  // other parts may have talkers, and need this part's decoded
      } else if others != 0 {
        hearing = self.hearing(group, of: meeting, format: format, others: others)
      }
    }
    encoders[group].hearing = hearing
    switch hearing {
    case .silence: break
    case .mix:
      mixer.places.wanted |= others
      let current = encoders[group].source.forwarded
      if current >= 0, legs[current].talker >= 0 {
        mixer.places.returning |= TalkerPlaces.bit(legs[current].talker)
      }
    case .forward(let slot): mixer.places.forwarded |= TalkerPlaces.bit(legs[slot].talker)
    }
  }

  private mutating func hearing(_ group: Int, of meeting: Int, format: Int, others: UInt32) -> Hearing {
    let audible = mixer.places.audible & others
    let sole = audible.nonzeroBitCount == 1 ? meetings[meeting].choice[audible.trailingZeroBitCount] : -1
    let current = encoders[group].source.forwarded
    if current >= 0 {
      let isTalker = legs[current].talker >= 0
      if isTalker, !legs[current].isLeaving {
        if audible == 0 || sole == current {
          return suits(current, meeting, format) ? .forward(current) : .mix
        }
      } else if isTalker, legs[current].measuredLevel >= TalkerChoice.threshold {
        return .mix  // muted in mid-speech: he fades out
      } else if audible == 0 {
        return .silence
      }
      // He is silent, or has stopped, and another begins.
      return sole >= 0 && sole != current && mayBegin(sole, meeting, format) ? .forward(sole) : .mix
    }
    encoders[group].source.note(alone: sole)
    guard sole >= 0, !legs[sole].isLeaving, suits(sole, meeting, format) else { return .mix }
    if encoders[group].isPaused, mayBegin(sole, meeting, format) { return .forward(sole) }
    let level = max(legs[sole].isMixed ? legs[sole].measuredLevel : -127, legs[sole].nextLevel)
    let mayForward = encoders[group].source.mayForward(level: level, loudness: legs[sole].activity.level)
    return mayForward ? .forward(sole) : .mix
  }

  /// The others hear it at another loudness than its packets have.
  func amplifies(_ slot: Int) -> Bool { legs[slot].configuration.automaticGain ?? configuration.automaticGain }

  private func suits(_ slot: Int, _ meeting: Int, _ format: Int) -> Bool {
    configuration.forwards && !amplifies(slot)
      && (meetings[meeting].formats[format].base < 0 || legs[slot].audio.shape.hasFEC)
      && legs[slot].audio.shape.suits(
        meetings[meeting].formats[format].format,
        packetMilliseconds: meetings[meeting].formats[format].packetMilliseconds)
  }

  /// A stream may be forwarded from its first packet on: SILK, which a decoder that has had silence begins afresh. CELT's
  /// first frames would be played by the loudness of what was before, too softly.
  private func mayBegin(_ slot: Int, _ meeting: Int, _ format: Int) -> Bool {
    !legs[slot].isLeaving && legs[slot].audio.shape.mode != .celt && suits(slot, meeting, format)
  }
}
