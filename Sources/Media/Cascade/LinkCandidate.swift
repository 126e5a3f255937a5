//  LinkCandidate.swift: who of a part may be heard in the whole meeting, and who is.

import Primitives

/// One of a part's loudest legs.
struct LinkCandidate: BitwiseCopyable {
  var leg: UInt32 = 0
  /// As `TalkerChoice` counts, hysteresis included for who is heard.
  var score: Int32 = 0
  /// Its voice of this tick is on its way to the other parts.
  var isHeard = false
  /// That voice fades out: it is the last.
  var isLeaving = false
  /// By measurement, not only by what its packets look like.
  var isProven = false

  /// Values of a message's block.
  static let values = 5

  func write(_ index: Int, into block: inout MutableSpan<Int16>) {
    let place = index &* Self.values
    block[place] = Int16(truncatingIfNeeded: leg)
    block[place &+ 1] = Int16(truncatingIfNeeded: leg >> 16)
    block[place &+ 2] = Int16(truncatingIfNeeded: score)
    block[place &+ 3] = Int16(truncatingIfNeeded: score >> 16)
    block[place &+ 4] = (isHeard ? 1 : 0) | (isProven ? 2 : 0) | (isLeaving ? 4 : 0)
  }

  init() {}

  init(_ index: Int, of block: Span<Int16>) {
    let place = index &* Self.values
    leg = UInt32(UInt16(bitPattern: block[place])) | UInt32(UInt16(bitPattern: block[place &+ 1])) << 16
    score = Int32(
      bitPattern: UInt32(UInt16(bitPattern: block[place &+ 2])) | UInt32(UInt16(bitPattern: block[place &+ 3])) << 16)
    isHeard = block[place &+ 4] & 1 != 0
    isProven = block[place &+ 4] & 2 != 0
    isLeaving = block[place &+ 4] & 4 != 0
  }
}

/// A part's loudest, loudest first, and who fades out: at most twice `MediaWorkerLimits.maximumTalkers`.
struct LinkCandidates: BitwiseCopyable {
  static let capacity = 2 * MediaWorkerLimits.maximumTalkers
  private(set) var count = 0
  private var list: InlineArray<16, LinkCandidate> = InlineArray(repeating: LinkCandidate())

  subscript(_ index: Int) -> LinkCandidate {
    get { list[index] }
    set { list[index] = newValue }
  }

  mutating func append(_ candidate: LinkCandidate) {
    guard count < Self.capacity else { return }
    list[count] = candidate
    count &+= 1
  }

  mutating func removeAll() { count = 0 }

  /// In the order of scores; the softest goes when there are too many.
  mutating func insert(_ candidate: LinkCandidate) {
    var place = count
    while place > 0, list[place &- 1].score < candidate.score { place &-= 1 }
    guard place < Self.capacity else { return }
    count = min(count &+ 1, Self.capacity)
    var last = count &- 1
    while last > place {
      list[last] = list[last &- 1]
      last &-= 1
    }
    list[place] = candidate
  }

  /// How many of them come before a candidate with this score.
  func ahead(of score: Int32, winsTies: Bool) -> Int {
    var ahead = 0
    for index in 0..<count where list[index].score > score || (winsTies && list[index].score == score) { ahead &+= 1 }
    return ahead
  }
}
