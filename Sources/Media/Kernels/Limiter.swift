//  Limiter.swift: keeps a mix inside Int16 by a smooth gain, looking ahead within the tick.

/// The limiter of one mix (one value per encode group; copied when a listener changes group): call once a tick.
///
/// No delay. The frame is cut into 20 blocks of 1 ms; each block's peak bounds the gain at both of its ends, the gain
/// falls towards a peak over up to 3 ms before it, rises by 1 % a millisecond after it, and runs straight between. What the
/// first millisecond of a frame cannot prepare for (the frame before is gone already) is bent by a smooth knee above
/// −1 dBFS: the result never wraps, never reaches full scale and has no corner.
@frozen public struct Limiter: Sendable, BitwiseCopyable {
  /// −1 dBFS: what the gain aims at; above it lies the knee.
  public static let threshold: Float = 29_204
  static let blockSamples = 48
  static let blocks = 20
  /// Lowest share to which the gain may fall within a millisecond before a peak, and rise after it.
  static let attack: Float = 0.6
  static let release: Float = 1.01

  /// Gain at the end of the last frame, 0…1.
  public private(set) var gain: Float = 1

  @inlinable public init() {}

  /// - Parameters:
  ///   - mix: 960 samples, |sample| ≤ 2²³.
  ///   - output: 960 samples, |sample| < 32,768.
  public mutating func process(_ mix: Span<Int32>, into output: inout MutableSpan<Int16>) {
    precondition(mix.count == Self.blocks * Self.blockSamples && output.count == mix.count)
    // Mostly there is nothing to do but to copy: one pass finds that out.
    let peak = Self.saturate(mix, into: &output)
    if gain >= 1 && peak <= Int32(Self.threshold) { return }
    var nodes = InlineArray<21, Float>(repeating: 1)
    let needed = Self.needed(mix)
    nodes[0] = gain
    for block in 0..<Self.blocks {
      let following = block + 1 < Self.blocks ? needed[block + 1] : 1
      nodes[block + 1] = min(1, min(needed[block], following))
    }
    // Down before a peak, but never above what the peak needs …
    for block in stride(from: Self.blocks - 1, to: 0, by: -1) {
      nodes[block] = min(nodes[block], nodes[block + 1] / Self.attack)
    }
    // … and slowly up after it.
    for block in 1...Self.blocks { nodes[block] = min(nodes[block], nodes[block - 1] * Self.release + 0.0005) }
    for block in 0..<Self.blocks {
      let from = nodes[block]
      let step = (nodes[block + 1] - from) / Float(Self.blockSamples)
      let range = Self.range(of: block)
      var bent = output._mutatingExtracting(range)
      Self.bend(mix.extracting(range), into: &bent, from: from, step: step)
    }
    gain = nodes[Self.blocks]
  }

  private static func range(of block: Int) -> Range<Int> {
    block &* blockSamples..<(block &+ 1) &* blockSamples
  }

  private static func bend(_ mix: Span<Int32>, into output: inout MutableSpan<Int16>, from: Float, step: Float) {
    precondition(mix.count == blockSamples && output.count == blockSamples)
    for k in 0..<blockSamples {
      output[k] = bent(Float(mix[k]) * (from + step * Float(Int32(truncatingIfNeeded: k))))
    }
  }

  /// `output[i] = mix[i]`, saturated.
  /// - Returns: the largest magnitude.
  private static func saturate(_ mix: Span<Int32>, into output: inout MutableSpan<Int16>) -> Int32 {
    precondition(mix.count == output.count)
    var high: Int32 = 0
    var low: Int32 = 0
    for i in 0..<mix.count {
      let value = mix[i]
      output[i] = Int16(clamping: value)
      high = max(high, value)
      low = min(low, value)
    }
    return max(high, 0 &- low)
  }

  /// Largest magnitude. Highest and lowest apart: `abs` traps on −2³¹ and keeps the loop from being vectorised.
  private static func peak(_ mix: Span<Int32>) -> Int32 {
    var high: Int32 = 0
    var low: Int32 = 0
    for i in 0..<mix.count {
      high = max(high, mix[i])
      low = min(low, mix[i])
    }
    return max(high, 0 &- low)
  }

  private static func needed(_ mix: Span<Int32>) -> InlineArray<20, Float> {
    var result = InlineArray<20, Float>(repeating: 1)
    for block in 0..<blocks {
      let peak = peak(mix.extracting(range(of: block)))
      if Float(peak) > threshold { result[block] = threshold / Float(peak) }
    }
    return result
  }

  /// Straight to the threshold, then e / (1 + e) of the head-room: continuous with its slope.
  @inline(__always) private static func bent(_ value: Float) -> Int16 {
    let room: Float = 32_700 - threshold
    let magnitude = abs(value)
    let excess = max(0, magnitude - threshold) / room
    let bounded = min(magnitude, threshold) + room * (excess / (1 + excess))
    let signed = value < 0 ? 0 - bounded : bounded
    return Int16(truncatingIfNeeded: (signed + 12_582_912).bitPattern)
  }
}
