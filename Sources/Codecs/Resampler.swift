//  Resampler.swift: fixed-ratio polyphase conversion between 8 or 16 kHz and 48 kHz by a linear-phase FIR.

/// Converts one stream by 1:6, 1:3, 3:1 or 6:1. State is kept across frames; allocates in `init` and `clone` only.
///
/// Kaiser windows: pass band to 3.4 kHz (of 8 kHz) or 7 kHz (of 16 kHz), images and aliases of it below −60 dB. What lies
/// between the pass band and 0.57 of the low rate aliases into the transition band only. Group delay 1.75 ms (8 kHz) or
/// 1 ms (16 kHz).
///
/// Both directions are the same loop: a few phases, each the sum of `taps` shifted copies of one signal, so that the
/// compiler vectorises over the samples of the frame and no sum has to be re-ordered.
@safe public struct Resampler: ~Copyable {
  @frozen public enum Ratio: Sendable, BitwiseCopyable {
    case from8To48, from16To48, from48To8, from48To16

    var factor: Int {
      switch self {
      case .from8To48, .from48To8: 6
      case .from16To48, .from48To16: 3
      }
    }
    var raises: Bool { self == .from8To48 || self == .from16To48 }
    /// Taps of one phase.
    var taps: Int { factor == 6 ? 28 : 32 }
  }

  /// Samples at the lower rate that one turn of the loop converts.
  private static let block = 320

  public let ratio: Ratio
  private let factor: Int
  private let taps: Int
  /// `factor` phases of `taps` coefficients, oldest sample first.
  private let coefficients: UnsafeMutablePointer<Float>
  /// Raising: one line of `taps − 1 + block` samples. Lowering: `factor` such lines, one for each phase of the input.
  private let lines: UnsafeMutablePointer<Float>
  private let lineCount: Int
  /// One phase's sums.
  private let sums: UnsafeMutablePointer<Float>

  private var lineSize: Int { taps - 1 + Self.block }

  public init(_ ratio: Ratio) {
    self.ratio = ratio
    factor = ratio.factor
    taps = ratio.taps
    lineCount = ratio.raises ? 1 : factor
    unsafe coefficients = UnsafeMutablePointer<Float>.allocate(capacity: factor * taps)
    unsafe lines = UnsafeMutablePointer<Float>.allocate(capacity: lineCount * (taps - 1 + Self.block))
    unsafe sums = UnsafeMutablePointer<Float>.allocate(capacity: Self.block)
    unsafe lines.initialize(repeating: 0, count: lineCount * (taps - 1 + Self.block))
    unsafe sums.initialize(repeating: 0, count: Self.block)
    let prototype = FilterDesign.lowPass(count: factor * taps, cutoff: 0.5 / Double(factor), attenuation: 62)
    for phase in 0..<factor {
      for tap in 0..<taps {
        let value: Double
        if ratio.raises {
          // Output n·L + p takes the prototype's taps p, p + L, …, newest input first.
          value = prototype[phase + (taps - 1 - tap) * factor] * Double(factor)
        } else {
          // The input's phase p of a group of M; the newest sample of the group is the last.
          value = prototype[(taps - 1 - tap) * factor + (factor - 1 - phase)]
        }
        unsafe (coefficients + phase * taps + tap).initialize(to: Float(value))
      }
    }
  }

  private init(copying other: borrowing Resampler) {
    ratio = other.ratio
    factor = other.factor
    taps = other.taps
    lineCount = other.lineCount
    let lineSize = other.lineSize
    unsafe coefficients = UnsafeMutablePointer<Float>.allocate(capacity: factor * taps)
    unsafe lines = UnsafeMutablePointer<Float>.allocate(capacity: lineCount * lineSize)
    unsafe sums = UnsafeMutablePointer<Float>.allocate(capacity: Self.block)
    unsafe coefficients.initialize(from: other.coefficients, count: factor * taps)
    unsafe lines.initialize(from: other.lines, count: lineCount * lineSize)
    unsafe sums.initialize(repeating: 0, count: Self.block)
  }

  deinit {
    unsafe coefficients.deallocate()
    unsafe lines.deallocate()
    unsafe sums.deallocate()
  }

  public borrowing func clone() -> Resampler { Resampler(copying: self) }

  /// Continues from where `other` is.
  /// - Returns: `false`, nothing changed, when the ratios differ.
  public mutating func adopt(_ other: borrowing Resampler) -> Bool {
    guard ratio == other.ratio else { return false }
    unsafe lines.update(from: other.lines, count: lineCount * lineSize)
    return true
  }

  public mutating func reset() { unsafe lines.update(repeating: 0, count: lineCount * lineSize) }

  /// Converts a whole frame.
  ///
  /// - Precondition: raising: `output.count == factor · input.count`; lowering: `input.count == factor · output.count`.
  public mutating func process(_ input: Span<Int16>, into output: inout MutableSpan<Int16>) {
    let raises = ratio.raises
    let low = raises ? input.count : output.count
    precondition(raises ? output.count == factor * low : input.count == factor * low)
    var start = 0
    while start < low {
      let count = min(Self.block, low - start)
      if raises {
        raise(input, from: start, count: count, into: &output)
      } else {
        lower(input, from: start, count: count, into: &output)
      }
      start += count
    }
  }

  private mutating func raise(
    _ input: Span<Int16>, from start: Int, count: Int, into output: inout MutableSpan<Int16>
  ) {
    // start + count ≤ input.count; count ≤ block, so the line's end is not passed.
    let line = unsafe lines
    for i in 0..<count { unsafe line[taps &- 1 &+ i] = Float(input[unchecked: start &+ i]) }
    for phase in 0..<factor {
      unsafe Self.filter(line, coefficients + phase &* taps, taps: taps, into: sums, count: count, adds: false)
      // factor · (start + count) ≤ output.count
      var target = factor &* start &+ phase
      for i in 0..<count {
        unsafe output[unchecked: target] = Self.rounded(sums[i])
        target &+= factor
      }
    }
    unsafe Self.keep(line, taps &- 1, after: count)
  }

  private mutating func lower(
    _ input: Span<Int16>, from start: Int, count: Int, into output: inout MutableSpan<Int16>
  ) {
    for phase in 0..<factor {
      let line = unsafe lines + phase &* lineSize
      // factor · (start + count) ≤ input.count
      var source = factor &* start &+ phase
      for i in 0..<count {
        unsafe line[taps &- 1 &+ i] = Float(input[unchecked: source])
        source &+= factor
      }
      unsafe Self.filter(line, coefficients + phase &* taps, taps: taps, into: sums, count: count, adds: phase > 0)
      unsafe Self.keep(line, taps &- 1, after: count)
    }
    for i in 0..<count { unsafe output[unchecked: start &+ i] = Self.rounded(sums[i]) }
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
        unsafe sums[n] += (c0 * x[n] + c1 * x[n &+ 1]) + (c2 * x[n &+ 2] + c3 * x[n &+ 3])
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

/// Windowed-sinc low-pass filters, made at set-up.
enum FilterDesign {
  /// - Parameters:
  ///   - cutoff: the −6 dB point as a share of the sample rate.
  ///   - attenuation: of the stop band, dB, 50 or more.
  /// - Returns: symmetric coefficients with sum 1.
  static func lowPass(count: Int, cutoff: Double, attenuation: Double) -> [Double] {
    let beta = 0.1102 * (attenuation - 8.7)
    let middle = Double(count - 1) / 2
    var result = (0..<count).map { index -> Double in
      let x = Double(index) - middle
      let sinc = x == 0 ? 2 * cutoff : sine(2 * Double.pi * cutoff * x) / (Double.pi * x)
      let ratio = x / middle
      return sinc * bessel(beta * max(0, 1 - ratio * ratio).squareRoot()) / bessel(beta)
    }
    let sum = result.reduce(0, +)
    for index in result.indices { result[index] /= sum }
    return result
  }

  /// Modified Bessel function of the first kind, order 0.
  private static func bessel(_ x: Double) -> Double {
    var term = 1.0
    var sum = 1.0
    for k in 1...40 {
      let factor = x / (2 * Double(k))
      term *= factor * factor
      sum += term
    }
    return sum
  }

  /// sin by its series on −π…π: no libm in this layer, and speed does not matter at set-up.
  static func sine(_ angle: Double) -> Double {
    let x = angle - (angle / (2 * Double.pi)).rounded() * 2 * Double.pi
    var term = x
    var sum = x
    for k in 1...14 {
      term *= -x * x / Double((2 * k) * (2 * k + 1))
      sum += term
    }
    return sum
  }
}
