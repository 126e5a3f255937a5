//  ToneDetector.swift: how much of one frequency a stretch of samples holds (Goertzel).

import Glibc

/// One frequency looked for in samples at 48 kHz.
public struct ToneDetector: Sendable {
  private let coefficient: Float

  public init(frequency: Double) {
    coefficient = Float(2 * cos(2 * Double.pi * frequency / 48_000))
  }

  /// - Parameter samples: full scale is 1.
  /// - Returns: the amplitude of the sine at that frequency, 0…1, for an unwindowed stretch.
  public func amplitude(in samples: Span<Float>) -> Float {
    guard samples.count > 0 else { return 0 }
    var last: Float = 0
    var lastButOne: Float = 0
    for index in 0..<samples.count {
      let next = samples[index] + coefficient * last - lastButOne
      lastButOne = last
      last = next
    }
    let power = last * last + lastButOne * lastButOne - coefficient * last * lastButOne
    return 2 * power.squareRoot() / Float(samples.count)
  }
}
