//  LevelKernels.swift: how loud a frame is, in dBov (RFC 6464 §3: 0 is full scale).

public enum LevelKernels {
  /// Sum of squares; at most 2³⁰ per sample, so a frame of 5,760 fits easily.
  @inlinable public static func energy(_ samples: Span<Int16>) -> UInt64 {
    var sum: UInt64 = 0
    for i in 0..<samples.count {
      let value = Int32(samples[i])
      sum &+= UInt64(UInt32(bitPattern: value &* value))
    }
    return sum
  }

  /// −127…0 dBov of the frame's root mean square.
  @inlinable public static func level(_ samples: Span<Int16>) -> Int {
    level(energy: energy(samples), count: samples.count)
  }

  /// −127…0 dBov of `count` samples whose squares sum to `energy`.
  @inlinable public static func level(energy: UInt64, count: Int) -> Int {
    guard count > 0, energy > 0 else { return -127 }
    // 10·log₁₀(mean / 2³⁰) by the float's exponent and a parabola for its mantissa: within 0.05 dB, no libm.
    let mean = Float(energy) / Float(count)
    let bits = mean.bitPattern
    let exponent = Float(Int32(bitPattern: bits >> 23) &- 127)
    let fraction = Float(bitPattern: (bits & 0x7F_FFFF) | 0x3F80_0000) - 1
    let log2 = exponent + fraction * (1.4142 - 0.4142 * fraction)
    let decibels = (log2 - 30) * 3.0103
    return max(-127, min(0, Int(decibels.rounded(.toNearestOrAwayFromZero))))
  }
}
