//  Meeting.swift: one mix: its legs, who of them is heard, and the encode groups they share.

import Primitives

/// One format in use by listeners of a meeting.
struct MeetingFormat: BitwiseCopyable {
  /// Payload type 0: listeners who differ only in that share an encoder.
  var format: AudioFormat
  var packetMilliseconds: Int
  /// Legs that use it; 0 when the place is free.
  var legs = 0
  /// Legs that hear the shared mix in it, in the present tick.
  var listeners = 0
  /// The worker's encode group of all who are no talkers.
  var shared = -1
  /// Groups for talkers, as many as talkers can use this format.
  var own: InlineArray<8, Int32> = InlineArray(repeating: -1)
  var ownCount = 0
  /// Where the same format for lossy paths stands, with in-band copies; −1 when it has none.
  var repaired = -1
  /// It is such a one, of the format at this place; −1 otherwise. Its legs count there as well, and its talkers' groups
  /// come from there.
  var base = -1
}

struct Meeting: ~Copyable {
  let id: MeetingID
  /// Which of the worker's tick phases it has, and which it was given.
  var phase: Int
  let firstPhase: Int
  var alignment = TickAlignment()
  /// The last tick that it has had, here or on another worker.
  var lastTick = Int64.min
  /// Its neighbours in the phase, −1 at the ends.
  var next = -1
  var previous = -1
  /// Of the worker's links, when other workers have parts of it; else −1.
  var link = -1

  var legs: BoundedList<Int32>
  var formats: BoundedList<MeetingFormat>
  var choice: TalkerChoice
  /// Of the mix that all but the talkers hear.
  var limiter = Limiter()
  /// Ticks until a leg that was probed before may be probed again.
  var probePause: Int32 = 0
  /// Where in `legs` the search for the next probe begins.
  var probeCursor = 0

  var reported = ReportedTalkers()
  var lastReport = Instant(nanoseconds: .min / 2)
  var wantsReport = false
  var evidence = MeetingEvidence()

  init(id: MeetingID, phase: Int, talkers: Int) {
    self.id = id
    self.phase = phase
    firstPhase = phase
    legs = BoundedList(capacity: 8)
    formats = BoundedList(capacity: 2)
    choice = TalkerChoice(limit: talkers)
  }

  /// The encode groups of all formats, shared and own; also those that wait for legs on lossy paths.
  func eachEncoder(_ body: (Int32) -> Void) {
    for place in 0..<formats.count where formats[place].shared >= 0 {
      body(Int32(truncatingIfNeeded: formats[place].shared))
      for own in 0..<formats[place].ownCount { body(formats[place].own[own]) }
    }
  }

  /// Gives every leg and every encode group its number in other tables; −1 stays.
  mutating func renumber(legs newLeg: (Int32) -> Int32, encoders newEncoder: (Int32) -> Int32) {
    for place in 0..<legs.count { legs[place] = newLeg(legs[place]) }
    choice.renumber(newLeg)
    for place in 0..<formats.count where formats[place].shared >= 0 {
      formats[place].shared = Int(newEncoder(Int32(truncatingIfNeeded: formats[place].shared)))
      for own in 0..<formats[place].ownCount { formats[place].own[own] = newEncoder(formats[place].own[own]) }
    }
  }

  /// The place of a format already in use.
  func place(of format: AudioFormat, packetMilliseconds: Int) -> Int? {
    for index in 0..<formats.count
    where formats[index].legs > 0 && formats[index].base < 0 && formats[index].packetMilliseconds == packetMilliseconds
      && formats[index].format == format
    {
      return index
    }
    return nil
  }

  /// A free place for one more format; `nil` at the limit.
  mutating func freePlace(limit: Int) -> Int? {
    var used = 0
    var free: Int?
    for index in 0..<formats.count where formats[index].base < 0 {
      if formats[index].legs > 0 { used += 1 } else if free == nil { free = index }
    }
    guard used < limit else { return nil }
    if let free { return free }
    formats.reserve(formats.count + 1)
    formats.append(MeetingFormat(format: AudioFormat(codec: .pcmu, payloadType: 0), packetMilliseconds: 20))
    return formats.count - 1
  }
}
