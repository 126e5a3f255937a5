//  TalkerChoice.swift: who is loud enough, and for long enough, to be decoded and mixed.
//  Walk: AudioReceiver.level → TalkerChoice → AudioMixer

/// One leg's loudness over time.
///
/// Before a leg is decoded its loudness is an estimate: what its packets claim or look like. An Opus frame of a steady tone
/// and one of line noise 50 dB softer look alike, so a weak estimate only makes the leg a *probe*: one at a time is decoded,
/// unheard, until it is measured. What is measured counts from then on, and an estimate that proved wrong is not believed
/// again for a while: noise, and clients that lie about their level, take nobody's place for long.
struct TalkerActivity: BitwiseCopyable {
  /// Smoothed level in 1/16 dB above −127 dBov; rises by half of the difference each tick, falls by a sixteenth.
  private(set) var loudness: Int32 = 0
  /// Ticks that the leg stays a talker without being loud.
  private(set) var hold: Int32 = 0
  /// It was loud by measurement since it became a talker.
  private(set) var isProven = false
  private var newest = -127
  /// Ticks for which estimates of up to `refused` are not believed.
  private var doubt: Int32 = 0
  private var doubtTicks = Self.shortestDoubt
  private var refused = -127

  /// 1 s and 8 s: doubled each time that the estimate was wrong.
  static let shortestDoubt: Int32 = 50
  static let longestDoubt: Int32 = 400
  /// An estimate that much louder than the refused one is looked at anew.
  static let renewal = 6
  /// Estimates of at least this many dBov are believed at once.
  static let trusted = -45
  /// A probe that is not loud within 200 ms was wrong.
  static let probeTicks: Int32 = 10

  /// A leg that is not decoded.
  ///
  /// - Parameter level: −127…0 dBov.
  mutating func estimate(_ level: Int) {
    if doubt > 0 { doubt &-= 1 }
    isProven = false
    let isDoubted = doubt > 0 && level < refused &+ Self.renewal
    newest = isDoubted ? -127 : level
    update(level: newest)
    if isDoubted { hold = 0 }
  }

  /// A leg that is decoded.
  ///
  /// - Parameters:
  ///   - level: of what was heard of it in the last tick.
  ///   - estimate: of its newest packets.
  mutating func measure(_ level: Int, estimate: Int) {
    if level >= TalkerChoice.threshold {
      isProven = true
      doubtTicks = Self.shortestDoubt
    } else if isProbe {
      hold = min(hold, Self.probeTicks)
    }
    let before = loudness
    update(level: level)
    // Its first sound is still in the jitter buffer: it would lose its place to the next one, and win it back, for ever.
    if !isProven, hold >= TalkerChoice.holdTicks &- Self.probeTicks { loudness = max(loudness, before) }
    newest = max(newest, estimate)
    if hold == 0, !isProven {
      doubt = doubtTicks
      doubtTicks = min(doubtTicks &* 2, Self.longestDoubt)
      refused = newest
    }
  }

  private mutating func update(level: Int) {
    let now = Int32(clamping: (min(max(level, -127), 0) &+ 127) &* 16)
    loudness = now > loudness ? (loudness &+ now &+ 1) / 2 : loudness &- (loudness &- now &+ 15) / 16
    if level >= TalkerChoice.threshold {
      hold = TalkerChoice.holdTicks
    } else if hold > 0 {
      hold &-= 1
    }
  }

  mutating func silence() { self = TalkerActivity() }

  var isTalking: Bool { hold > 0 }
  /// Smoothed, −127…0 dBov.
  var level: Int { Int(loudness) / 16 &- 127 }
  /// Perhaps loud: to be looked at one at a time.
  var isProbe: Bool { !isProven && newest < Self.trusted }
  /// Never found to be wrong: looked at without delay.
  var isFresh: Bool { doubtTicks == Self.shortestDoubt }
}

/// The K loudest of a meeting's talking legs, with hysteresis in favour of those already chosen.
struct TalkerChoice: BitwiseCopyable {
  /// Softer audio is nobody's voice: −55 dBov.
  static let threshold = -55
  /// 500 ms: pauses between words do not cost a talker the place, and a room falls silent softly.
  static let holdTicks: Int32 = 25
  /// A newcomer must be 6 dB louder than the softest talker to take that place.
  static let hysteresis: Int32 = 6 * 16

  /// Places: also those who fade out have one.
  let capacity: Int
  /// Who may be chosen now: `capacity`, or fewer under load.
  private(set) var limit: Int
  private(set) var count = 0
  private var legs: InlineArray<8, Int32> = InlineArray(repeating: -1)
  private var scores: InlineArray<8, Int32> = InlineArray(repeating: 0)

  init(limit: Int) {
    capacity = min(max(limit, 1), MediaWorkerLimits.maximumTalkers)
    self.limit = capacity
  }

  /// - Parameter limit: 1…`capacity`, clamped.
  mutating func begin(limit: Int) {
    count = 0
    self.limit = min(max(limit, 1), capacity)
  }

  /// Offers one leg; calls in any order.
  @inline(__always) mutating func offer(_ leg: Int, _ activity: TalkerActivity, wasTalker: Bool) {
    insert(leg, activity.loudness &+ (wasTalker ? Self.hysteresis : 0))
  }

  private mutating func insert(_ leg: Int, _ score: Int32) {
    if count == limit {
      guard score > scores[count &- 1] else { return }
      count &-= 1
    }
    var place = count
    while place > 0, scores[place &- 1] < score {
      legs[place] = legs[place &- 1]
      scores[place] = scores[place &- 1]
      place &-= 1
    }
    legs[place] = Int32(truncatingIfNeeded: leg)
    scores[place] = score
    count &+= 1
  }

  var isFull: Bool { count == capacity }

  func contains(_ leg: Int) -> Bool {
    for index in 0..<count where Int(legs[index]) == leg { return true }
    return false
  }

  /// Gives the last place, if there is one, to a leg that was not chosen.
  mutating func append(_ leg: Int) {
    guard count < capacity else { return }
    legs[count] = Int32(truncatingIfNeeded: leg)
    scores[count] = 0
    count &+= 1
  }

  /// What a place was given for; 0 for those who only fade out.
  func score(_ index: Int) -> Int32 { scores[index] }

  /// Keeps the first places only.
  mutating func truncate(to count: Int) { self.count = min(self.count, max(0, count)) }

  /// Loudest first.
  subscript(_ index: Int) -> Int { Int(legs[index]) }

  /// The same legs under other numbers.
  mutating func renumber(_ new: (Int32) -> Int32) {
    for index in 0..<count { legs[index] = new(legs[index]) }
  }

  /// A leg that leaves.
  mutating func remove(_ leg: Int) {
    for index in 0..<count where Int(legs[index]) == leg {
      for later in index..<(count &- 1) {
        legs[later] = legs[later &+ 1]
        scores[later] = scores[later &+ 1]
      }
      count &-= 1
      return
    }
  }
}

/// Who was last reported as heard: legs by name, because slots are used again.
struct ReportedTalkers: BitwiseCopyable {
  private(set) var count = 0
  private var legs: InlineArray<8, UInt32> = InlineArray(repeating: 0)

  mutating func append(_ leg: LegID) {
    guard count < MediaWorkerLimits.maximumTalkers else { return }
    legs[count] = leg.rawValue
    count &+= 1
  }

  subscript(_ index: Int) -> LegID { LegID(rawValue: legs[index]) }

  /// The same legs, and the same one in front.
  func sounds(like other: ReportedTalkers) -> Bool {
    guard count == other.count else { return false }
    guard count > 0 else { return true }
    guard legs[0] == other.legs[0] else { return false }
    for index in 1..<count {
      var found = false
      for place in 1..<count where other.legs[place] == legs[index] { found = true }
      if !found { return false }
    }
    return true
  }
}
