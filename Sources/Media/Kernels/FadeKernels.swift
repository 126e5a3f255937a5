//  FadeKernels.swift: linear fades, so that a talker who enters or leaves a mix makes no click.

public enum FadeKernels {
  /// `samples[i] *= i / count`
  @inlinable public static func fadeIn(_ samples: inout MutableSpan<Int16>) {
    ramp(&samples, from: 0, to: 1)
  }

  /// `samples[i] *= 1 − i / count`
  @inlinable public static func fadeOut(_ samples: inout MutableSpan<Int16>) {
    ramp(&samples, from: 1, to: 0)
  }

  /// A straight line of gain, both in 0…1.
  @inlinable public static func ramp(_ samples: inout MutableSpan<Int16>, from: Float, to: Float) {
    let count = samples.count
    let step = (to - from) / Float(max(1, count))
    for i in 0..<count {
      let value = Float(samples[i]) * (from + step * Float(Int32(truncatingIfNeeded: i)))
      samples[i] = Int16(truncatingIfNeeded: (value + 12_582_912).bitPattern)
    }
  }
}
