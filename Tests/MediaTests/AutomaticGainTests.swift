//  AutomaticGainTests.swift: levels before and after, on speech of every loudness, on noise, in pauses, at full scale.

import Foundation
import Media
import Primitives
import Testing

@Suite("Automatic gain")
struct AutomaticGainTests {
  /// Speech in phrases of 2 s with pauses of 1 s, at `level` dBov while it goes on, over noise at `noise` dBov.
  private static func material(seconds: Int, level: Double?, noise: Double, seed: UInt64 = 3) -> [Int16] {
    var random = RandomSource(seed: seed)
    let count = seconds * 48_000
    let voice = AudioSignals.voice(count: count).map(Double.init)
    let power = voice.reduce(0) { $0 + $1 * $1 } / Double(count)
    let gain = level.map { 32_768 * pow(10, $0 / 20) / power.squareRoot() } ?? 0
    let hiss = 32_768 * pow(10, noise / 20) * 3.0.squareRoot()
    return voice.indices.map { index in
      let speaks = index % 144_000 < 96_000
      let value = (speaks ? voice[index] * gain : 0) + Double.random(in: -1...1, using: &random) * hiss
      return Int16(max(-32_768, min(32_767, value)))
    }
  }

  private struct Trace {
    var output: [Int16] = []
    var gains: [Float] = []
    var before = 0.0
    var after = 0.0
    /// The background in the pauses.
    var noiseBefore = 0.0
    var noiseAfter = 0.0
  }

  private static func level(_ samples: some Collection<Int16>) -> Double {
    let power = samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, samples.count))
    return 10 * log10(power / (32_768 * 32_768) + 1e-13)
  }

  private static func run(_ input: [Int16]) -> Trace {
    var trace = Trace()
    var gain = AutomaticGain()
    for start in stride(from: 0, to: input.count - 959, by: 960) {
      var frame = Array(input[start..<start + 960])
      let level = LevelKernels.level(frame.span)
      var span = frame.mutableSpan
      gain.process(&span, level: level)
      trace.output += frame
      trace.gains.append(gain.gain)
    }
    // The last whole phrase, and the pause after it.
    let phrase = (input.count / 144_000 - 1) * 144_000
    trace.before = level(input[phrase..<phrase + 96_000])
    trace.after = level(trace.output[phrase..<phrase + 96_000])
    trace.noiseBefore = level(input[phrase + 98_000..<phrase + 144_000])
    trace.noiseAfter = level(trace.output[phrase + 98_000..<phrase + 144_000])
    return trace
  }

  @Test(
    "speech from −45 to −8 dBov comes to −23 ± 3 dBov, as far as 18 and −12 dB reach",
    arguments: [-45.0, -38, -30, -23, -15, -8])
  func speech(level: Double) {
    let input = Self.material(seconds: 30, level: level, noise: -75)

    let trace = Self.run(input)

    let reachable = level + max(-12, min(18, -23 - level))
    print(
      "AGC: speech \(Self.rounded(trace.before)) → \(Self.rounded(trace.after)) dBov, background",
      "\(Self.rounded(trace.noiseBefore)) → \(Self.rounded(trace.noiseAfter)), gain \(trace.gains.last ?? 0)")
    #expect(abs(trace.after - reachable) < 3)
    // Slowly: never faster than 3 dB a second up, 10 down, but for peaks out of range.
    for (earlier, later) in zip(trace.gains, trace.gains.dropFirst()) {
      #expect(later - earlier <= 0.061)
      #expect(earlier - later <= 0.201)
    }
    let loudest = input.map { abs(Int($0)) }.max() ?? 0
    #expect(trace.output.allSatisfy { abs(Int($0)) <= max(29_300, loudest) })
  }

  @Test("nothing but noise, of any loudness, is never raised or lowered", arguments: [-90.0, -65, -45, -25])
  func noise(level: Double) {
    let input = Self.material(seconds: 20, level: nil, noise: level)

    let trace = Self.run(input)

    #expect(trace.gains.allSatisfy { $0 == 0 })
    #expect(trace.output == input)
  }

  @Test("in pauses the gain stands still: the background does not come up")
  func pauses() {
    let trace = Self.run(Self.material(seconds: 30, level: -35, noise: -62))

    for phrase in 4..<9 {
      // From 200 ms after the phrase to the next one.
      let pause = trace.gains[(phrase * 150 + 110)..<(phrase * 150 + 149)]
      #expect((pause.max() ?? 0) - (pause.min() ?? 0) == 0)
    }
    #expect(trace.after > trace.before + 8)
    #expect(abs((trace.noiseAfter - trace.noiseBefore) - (trace.after - trace.before)) < 1.5)
  }

  @Test("a shout after soft speech is turned down at once: no wrap, hardly a clipped sample, no click")
  func shout() {
    let soft = Self.material(seconds: 21, level: -40, noise: -80)
    let input = soft + AudioSignals.tone(700, count: 96_000, amplitude: 30_000)

    let trace = Self.run(input)

    let loud = trace.output[soft.count...]
    #expect((loud.dropFirst(48).map { abs(Int($0)) }.max() ?? 0) <= 30_000)
    #expect(loud.filter { $0 == .max || $0 == .min }.count < 48)
    #expect(largestStep(loud.dropFirst(48)) <= largestStep(input[soft.count...]))
    #expect((trace.gains.last ?? 1) < 0.1)
  }

  @Test("with no gain the samples pass bit by bit")
  func transparent() {
    let input = Self.material(seconds: 12, level: -23, noise: -80)

    let trace = Self.run(input)

    #expect(trace.gains.allSatisfy { abs($0) < 2 })
    let untouched = zip(trace.gains.indices, trace.gains).prefix { $0.1 == 0 }.count
    #expect(Array(trace.output.prefix(untouched * 960)) == Array(input.prefix(untouched * 960)))
  }

  private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
