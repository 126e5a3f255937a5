//  ToneBank.swift: up to 16 frequencies looked for at once in a stretch of samples (Goertzel).

import Glibc

/// `ToneDetector` for many frequencies in one pass: sixteen recurrences that do not wait for each other.
public struct ToneBank: Sendable {
  public static let maximumCount = 16
  private let coefficients: SIMD16<Float>

  /// - Parameter frequencies: at most `maximumCount`, in Hz, of samples at 48 kHz.
  public init(frequencies: [Double]) {
    precondition(frequencies.count <= Self.maximumCount)
    var coefficients = SIMD16<Float>(repeating: 0)
    for (index, frequency) in frequencies.enumerated() {
      coefficients[index] = Float(2 * cos(2 * Double.pi * frequency / 48_000))
    }
    self.coefficients = coefficients
  }

  /// - Returns: the amplitude of each sine, 0…1, in the order of the frequencies; those beyond have no meaning.
  public func amplitudes(in samples: Span<Float>) -> SIMD16<Float> {
    guard samples.count > 0 else { return SIMD16(repeating: 0) }
    var last = SIMD16<Float>(repeating: 0)
    var lastButOne = SIMD16<Float>(repeating: 0)
    for index in 0..<samples.count {
      let next = samples[index] + coefficients * last - lastButOne
      lastButOne = last
      last = next
    }
    let power = last * last + lastButOne * lastButOne - coefficients * last * lastButOne
    return 2 * power.clamped(lowerBound: .zero, upperBound: SIMD16(repeating: .greatestFiniteMagnitude)).squareRoot()
      / Float(samples.count)
  }
}
