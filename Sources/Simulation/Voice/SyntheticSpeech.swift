//  SyntheticSpeech.swift: something that codecs take for speech, when no recording is at hand.

import Glibc
import Primitives

/// Vowels of changing pitch in syllables with pauses, as a pulse train through three resonances.
public enum SyntheticSpeech {
  private static let vowels: [[Double]] = [
    [730, 1_090, 2_440], [270, 2_290, 3_010], [300, 870, 2_240], [530, 1_840, 2_480],
  ]

  /// - Returns: mono samples at 48 kHz, full scale 1, peak about 0.3.
  public static func samples(seconds: Double, seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    let count = Int(seconds * 48_000)
    var output: [Float] = []
    output.reserveCapacity(count)
    let basePitch = 95 + Double(random.nextWord() % 90)
    var states = [(Double, Double)](repeating: (0, 0), count: 3)
    while output.count < count {
      let voiced = random.nextWord() % 5 != 0
      let length = 4_800 + Int(random.nextWord() % 9_600)
      let formants = vowels[Int(random.nextWord() % 4)]
      let pitch = basePitch * (0.9 + 0.2 * Double(random.nextWord() % 1_000) / 1_000)
      var phase = 0.0
      for index in 0..<min(length, count - output.count) {
        let envelope = sin(Double.pi * Double(index) / Double(length))
        phase += pitch / 48_000
        var excitation = 0.0
        if voiced, phase >= 1 { excitation = 1 }
        if phase >= 1 { phase -= 1 }
        excitation += (Double(random.nextWord() & 0xffff) / 65_536 - 0.5) * (voiced ? 0.02 : 0.002)
        var sum = 0.0
        for (band, frequency) in formants.enumerated() {
          let radius = exp(-Double.pi * 90 / 48_000)
          let angle = 2 * Double.pi * frequency / 48_000
          let next = excitation + 2 * radius * cos(angle) * states[band].0 - radius * radius * states[band].1
          states[band] = (next, states[band].0)
          sum += next / Double(band + 1) * sin(angle)
        }
        output.append(Float(max(-0.5, min(0.5, 0.12 * envelope * sum))))
      }
    }
    return output
  }
}
