//  FilterDesign.swift: windowed-sinc low-pass filters (Kaiser).

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
