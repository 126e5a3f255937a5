//  Resampler.swift: fixed-ratio polyphase conversion between 8, 16, 24 or 32 kHz and 48 kHz by a linear-phase FIR.

/// Converts one stream to or from 48 kHz. State is kept across frames; allocates in `init` and `clone` only.
///
/// Kaiser windows: flat to 0.3 dB in the pass band of `Ratio.passBand`, images and aliases of it below −60 dB. What lies
/// between the pass band and 0.57 of the low rate aliases into the transition band only. Group delay: `Ratio.delay`.
///
/// A ratio of L:M takes M samples and makes L, a *group*. Every one of the L is the sum of `taps` shifted copies of each of
/// M signals, the input's first, second … samples of all groups: so the compiler vectorises over the groups of a frame,
/// and no sum has to be re-ordered.
@safe public struct Resampler: ~Copyable {
  @frozen public enum Ratio: CaseIterable, Sendable, BitwiseCopyable {
    case from8To48, from16To48, from24To48, from32To48, from48To8, from48To16, from48To24, from48To32

    /// Samples that a group makes.
    public var raises: Int {
      switch self {
      case .from8To48: 6
      case .from16To48, .from32To48: 3
      case .from24To48, .from48To32: 2
      case .from48To8, .from48To16, .from48To24: 1
      }
    }
    /// Samples that a group takes.
    public var lowers: Int {
      switch self {
      case .from48To8: 6
      case .from48To16, .from48To32: 3
      case .from48To24, .from32To48: 2
      case .from8To48, .from16To48, .from24To48: 1
      }
    }
    /// Hz.
    public var inputRate: Int { raises > lowers ? 48_000 * lowers / raises : 48_000 }
    public var outputRate: Int { raises > lowers ? 48_000 : 48_000 * raises / lowers }
    /// Of one phase and one of the input's signals.
    var taps: Int {
      switch self {
      case .from8To48, .from48To8: 28
      case .from16To48, .from48To16: 32
      case .from24To48, .from48To24: 36
      case .from32To48, .from48To32: 20
      }
    }
    /// Hz up to which the signal passes whole.
    public var passBand: Double {
      switch self {
      case .from8To48, .from48To8: 3_400
      case .from16To48, .from48To16: 7_000
      case .from24To48, .from48To24: 10_500
      case .from32To48, .from48To32: 14_000
      }
    }
    /// Seconds.
    public var delay: Double { Double(raises * lowers * taps - 1) / 2 / Double(inputRate * raises) }
  }

  /// Groups that one turn of the loop converts.
  private static let block = 320

  public let ratio: Ratio
  private let raises: Int
  private let lowers: Int
  private let taps: Int
  /// For each of the L outputs of a group, each of the M inputs: `taps` coefficients, oldest sample first.
  private let coefficients: UnsafeMutablePointer<Float>
  /// M lines of `taps − 1 + block` samples.
  private let lines: UnsafeMutablePointer<Float>
  /// One output's sums.
  private let sums: UnsafeMutablePointer<Float>

  private var lineSize: Int { taps - 1 + Self.block }

  public init(_ ratio: Ratio) {
    self.init(empty: ratio)
    // At L times the input's rate: the lower of the two rates bounds the band.
    let prototype = FilterDesign.lowPass(
      count: raises * lowers * taps, cutoff: 0.5 / Double(max(raises, lowers)), attenuation: 62)
    for output in 0..<raises {
      for input in 0..<lowers {
        for tap in 0..<taps {
          // Output L·m + p takes of input M·i + q the prototype at LM·(m − i) + M·p − L·q; the delay of (M − 1)·L makes that
          // positive.
          let place = raises * lowers * (taps - 1 - tap) + lowers * output - raises * input + (lowers - 1) * raises
          let value = place < prototype.count ? prototype[place] * Double(raises) : 0
          unsafe coefficients[(output * lowers + input) * taps + tap] = Float(value)
        }
      }
    }
  }

  private init(empty ratio: Ratio) {
    self.ratio = ratio
    raises = ratio.raises
    lowers = ratio.lowers
    taps = ratio.taps
    unsafe coefficients = UnsafeMutablePointer<Float>.allocate(capacity: raises * lowers * taps)
    unsafe lines = UnsafeMutablePointer<Float>.allocate(capacity: lowers * (taps - 1 + Self.block))
    unsafe sums = UnsafeMutablePointer<Float>.allocate(capacity: Self.block)
    unsafe coefficients.initialize(repeating: 0, count: raises * lowers * taps)
    unsafe lines.initialize(repeating: 0, count: lowers * (taps - 1 + Self.block))
    unsafe sums.initialize(repeating: 0, count: Self.block)
  }

  deinit {
    unsafe coefficients.deallocate()
    unsafe lines.deallocate()
    unsafe sums.deallocate()
  }

  /// Another one with the same past.
  public borrowing func clone() -> Resampler {
    let other = Resampler(empty: ratio)
    unsafe other.coefficients.update(from: coefficients, count: raises * lowers * taps)
    unsafe other.lines.update(from: lines, count: lowers * lineSize)
    return other
  }

  /// Continues from where `other` is.
  /// - Returns: `false`, nothing changed, when the ratios differ.
  public mutating func adopt(_ other: borrowing Resampler) -> Bool {
    guard ratio == other.ratio else { return false }
    unsafe lines.update(from: other.lines, count: lowers * lineSize)
    return true
  }

  public mutating func reset() { unsafe lines.update(repeating: 0, count: lowers * lineSize) }

  /// Converts a whole frame.
  ///
  /// - Precondition: whole groups: `input.count == lowers · n` and `output.count == raises · n`.
  public mutating func process(_ input: Span<Int16>, into output: inout MutableSpan<Int16>) {
    let groups = input.count / lowers
    precondition(input.count == groups * lowers && output.count == groups * raises)
    var start = 0
    while start < groups {
      let count = min(Self.block, groups - start)
      convert(input, from: start, count: count, into: &output)
      start += count
    }
  }

  private mutating func convert(
    _ input: Span<Int16>, from start: Int, count: Int, into output: inout MutableSpan<Int16>
  ) {
    for phase in 0..<lowers {
      // lowers · (start + count) ≤ input.count; count ≤ block, so the line's end is not passed.
      let line = unsafe lines + (phase &* lineSize &+ taps &- 1)
      if lowers == 1 {
        for i in 0..<count { unsafe line[i] = Float(input[unchecked: start &+ i]) }
      } else {
        var source = lowers &* start &+ phase
        for i in 0..<count {
          unsafe line[i] = Float(input[unchecked: source])
          source &+= lowers
        }
      }
    }
    for phase in 0..<raises {
      for line in 0..<lowers {
        unsafe Self.filter(
          lines + line &* lineSize, coefficients + (phase &* lowers &+ line) &* taps, taps: taps, into: sums,
          count: count, adds: line > 0)
      }
      // raises · (start + count) ≤ output.count
      var target = raises &* start &+ phase
      for i in 0..<count {
        unsafe output[unchecked: target] = Self.rounded(sums[i])
        target &+= raises
      }
    }
    for line in 0..<lowers { unsafe Self.keep(lines + line &* lineSize, taps &- 1, after: count) }
  }

  /// `sums[n] (+)= Σ coefficients[t] · line[n + t]`; the line has `count + taps − 1` samples.
  @inline(__always) private static func filter(
    _ line: UnsafeMutablePointer<Float>, _ coefficients: UnsafeMutablePointer<Float>, taps: Int,
    into sums: UnsafeMutablePointer<Float>, count: Int, adds: Bool
  ) {
    if !adds { for n in 0..<count { unsafe sums[n] = 0 } }
    var tap = 0
    // Four taps a turn: a quarter of the loads and stores of the sums. `taps` is a multiple of 4.
    while tap < taps {
      let c0 = unsafe coefficients[tap]
      let c1 = unsafe coefficients[tap &+ 1]
      let c2 = unsafe coefficients[tap &+ 2]
      let c3 = unsafe coefficients[tap &+ 3]
      let x = unsafe line + tap
      for n in 0..<count {
        let first = unsafe (c0 * x[n]).addingProduct(c1, x[n &+ 1])
        let second = unsafe sums[n].addingProduct(c2, x[n &+ 2]).addingProduct(c3, x[n &+ 3])
        unsafe sums[n] = first + second
      }
      tap &+= 4
    }
  }

  /// Moves the last `history` samples before position `history + count` to the front.
  @inline(__always) private static func keep(_ line: UnsafeMutablePointer<Float>, _ history: Int, after count: Int) {
    // May overlap when the frame is shorter than the history: forward copy of lower addresses is right.
    for i in 0..<history { unsafe line[i] = line[count &+ i] }
  }

  @inline(__always) private static func rounded(_ value: Float) -> Int16 {
    let clamped = max(-32_768, min(32_767, value))
    // Adding 1.5 · 2²³ leaves the rounded integer in the low mantissa bits: vectorises, unlike `Int16(_:)`.
    return Int16(truncatingIfNeeded: (clamped + 12_582_912).bitPattern)
  }
}
