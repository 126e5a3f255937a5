//  RandomSource.swift: random numbers as a value: unpredictable in production, repeatable from a seed.

/// A ChaCha20 key stream (RFC 8439 §2.3) read as random numbers.
///
/// Seeded with 32 bytes from the system it is fit for keys, tags and branch tokens; seeded with a number it makes a
/// simulation repeatable. A core owns one and never asks the system for randomness.
public struct RandomSource: RandomNumberGenerator, Sendable {
  private var key: InlineArray<8, UInt32>
  private var block: InlineArray<16, UInt32> = InlineArray(repeating: 0)
  private var counter: UInt64 = 0
  private var used = 16

  /// - Parameter seed: 32 bytes of entropy; shorter is padded with zeros, longer is cut.
  public init(seed: [UInt8]) {
    var key = InlineArray<8, UInt32>(repeating: 0)
    for index in 0..<min(32, seed.count) {
      key[index / 4] |= UInt32(seed[index]) << UInt32(8 * (index % 4))
    }
    self.key = key
  }

  /// A repeatable source for simulation and tests. Never for keys that matter.
  public init(seed: UInt64) {
    self.init(seed: (0..<8).map { UInt8(truncatingIfNeeded: seed >> UInt64(8 * $0)) })
  }

  public mutating func next() -> UInt64 {
    let low = nextWord()
    return UInt64(nextWord()) << 32 | UInt64(low)
  }

  public mutating func nextWord() -> UInt32 {
    if used == 16 { refill() }
    defer { used += 1 }
    return block[used]
  }

  public mutating func bytes(_ count: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    while result.count < count {
      let word = nextWord()
      for shift in stride(from: UInt32(0), to: 32, by: 8) where result.count < count {
        result.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return result
  }

  /// `count` characters of `[a-z2-7]`, 5 bits each: for tags, branches and identifiers (RFC 3261 §19.3 wants ≥ 32 bits).
  public mutating func token(_ count: Int) -> String {
    let alphabet: StaticString = "abcdefghijklmnopqrstuvwxyz234567"
    var text = ""
    for _ in 0..<count {
      let letter = alphabet.withUTF8Buffer { unsafe $0[Int(nextWord() & 31)] }
      text.unicodeScalars.append(Unicode.Scalar(letter))
    }
    return text
  }

  private mutating func refill() {
    var initial = InlineArray<16, UInt32>(repeating: 0)
    initial[0] = 0x6170_7865
    initial[1] = 0x3320_646e
    initial[2] = 0x7962_2d32
    initial[3] = 0x6b20_6574
    for index in 0..<8 { initial[4 + index] = key[index] }
    initial[12] = UInt32(truncatingIfNeeded: counter)
    initial[13] = UInt32(truncatingIfNeeded: counter >> 32)
    var state = initial
    for _ in 0..<10 {
      Self.quarterRound(&state, 0, 4, 8, 12)
      Self.quarterRound(&state, 1, 5, 9, 13)
      Self.quarterRound(&state, 2, 6, 10, 14)
      Self.quarterRound(&state, 3, 7, 11, 15)
      Self.quarterRound(&state, 0, 5, 10, 15)
      Self.quarterRound(&state, 1, 6, 11, 12)
      Self.quarterRound(&state, 2, 7, 8, 13)
      Self.quarterRound(&state, 3, 4, 9, 14)
    }
    for index in 0..<16 { block[index] = state[index] &+ initial[index] }
    counter &+= 1
    used = 0
  }

  private static func quarterRound(
    _ state: inout InlineArray<16, UInt32>, _ a: Int, _ b: Int, _ c: Int, _ d: Int
  ) {
    func rotated(_ word: UInt32, _ bits: UInt32) -> UInt32 { word << bits | word >> (32 - bits) }
    state[a] = state[a] &+ state[b]
    state[d] = rotated(state[d] ^ state[a], 16)
    state[c] = state[c] &+ state[d]
    state[b] = rotated(state[b] ^ state[c], 12)
    state[a] = state[a] &+ state[b]
    state[d] = rotated(state[d] ^ state[a], 8)
    state[c] = state[c] &+ state[d]
    state[b] = rotated(state[b] ^ state[c], 7)
  }
}
