//  CodecTestSupport.swift: signals and measures that the codec tests share.

import Foundation

/// FNV-1a over bytes, to compare with vectors made elsewhere.
func fnv(_ bytes: some Sequence<UInt8>) -> UInt64 {
  bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}

func littleEndian(_ samples: [Int16]) -> [UInt8] {
  samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
}

func tone(_ frequency: Double, rate: Double, count: Int, amplitude: Double = 10_000) -> [Int16] {
  (0..<count).map { Int16(amplitude * sin(2 * .pi * frequency * Double($0) / rate)) }
}

/// A voice-like signal at 48 kHz: a gliding pulse train through two resonances, with syllables.
func voice(count: Int) -> [Int16] {
  var phase = 0.0
  var states = [(0.0, 0.0), (0.0, 0.0)]
  return (0..<count).map { index in
    let time = Double(index) / 48_000
    phase += (120 + 20 * sin(2 * .pi * 1.3 * time)) / 48_000
    var excitation = 0.0
    if phase >= 1 {
      phase -= 1
      excitation = 1
    }
    var sum = 0.0
    for (k, formant) in [(600.0, 80.0), (1_500.0, 120.0)].enumerated() {
      let r = exp(-.pi * formant.1 / 48_000)
      let y = excitation + 2 * r * cos(2 * .pi * formant.0 / 48_000) * states[k].0 - r * r * states[k].1
      states[k] = (y, states[k].0)
      sum += y
    }
    let syllable = 0.6 + 0.4 * sin(2 * .pi * 3 * time)
    return Int16(max(-30_000, min(30_000, sum * 900 * syllable)))
  }
}

/// Power of one frequency in a signal, as the amplitude of that sine.
func amplitude(of frequency: Double, in samples: some Collection<Int16>, rate: Double) -> Double {
  var real = 0.0
  var imaginary = 0.0
  var weight = 0.0
  let count = Double(samples.count)
  for (index, sample) in samples.enumerated() {
    // Blackman–Harris-like window, so that a strong tone does not leak into the measured bin.
    let x = 2 * .pi * Double(index) / count
    let window = 0.35875 - 0.48829 * cos(x) + 0.14128 * cos(2 * x) - 0.01168 * cos(3 * x)
    let angle = 2 * .pi * frequency * Double(index) / rate
    real += window * Double(sample) * cos(angle)
    imaginary += window * Double(sample) * sin(angle)
    weight += window
  }
  return 2 * (real * real + imaginary * imaginary).squareRoot() / weight
}

/// Best signal-to-noise ratio in dB over delays, output compared with input.
func signalToNoise(_ input: [Int16], _ output: [Int16], delays: some Sequence<Int>, skip: Int) -> Double {
  delays.map { delay in
    var signal = 0.0
    var noise = 0.0
    for index in skip..<(input.count - 1) where index + delay < output.count && index + delay >= 0 {
      let difference = Double(output[index + delay]) - Double(input[index])
      signal += Double(input[index]) * Double(input[index])
      noise += difference * difference
    }
    return 10 * log10(signal / max(1, noise))
  }.max() ?? -100
}

/// Best normalised correlation over delays.
func correlation(_ input: [Int16], _ output: [Int16], delays: some Sequence<Int>, skip: Int) -> Double {
  delays.map { delay in
    var product = 0.0
    var a = 1.0
    var b = 1.0
    for index in stride(from: skip, to: input.count, by: 2) where index + delay < output.count {
      let x = Double(input[index])
      let y = Double(output[index + delay])
      product += x * y
      a += x * x
      b += y * y
    }
    return product / (a * b).squareRoot()
  }.max() ?? -1
}
