//  KernelTests.swift: every kernel against a plain reference on random input; the limiter's promises.

import Foundation
import Media
import Primitives
import Testing

@Suite("Media kernels")
struct KernelTests {
  private static func random(_ seed: UInt64, count: Int = 960) -> [Int16] {
    var source = RandomSource(seed: seed)
    return (0..<count).map { _ in Int16.random(in: .min ... .max, using: &source) }
  }

  @Test("add, mixMinus and saturate equal the plain sums, at any size", arguments: [0, 1, 15, 960])
  func mix(count: Int) {
    let inputs = (0..<12).map { Self.random(UInt64($0), count: count) }
    var total = [Int32](repeating: 0, count: count)
    var expected = [Int](repeating: 0, count: count)
    for input in inputs {
      var span = total.mutableSpan
      MixKernels.add(input.span, to: &span)
      for index in 0..<count { expected[index] += Int(input[index]) }
    }
    #expect(total.map(Int.init) == expected)

    let own = inputs[3]
    var exact = [Int32](repeating: 0, count: count)
    var exactSpan = exact.mutableSpan
    MixKernels.mixMinus(&exactSpan, total: total.span, own: own.span)
    #expect(exact.map(Int.init) == (0..<count).map { expected[$0] - Int(inputs[3][$0]) })

    var saturated = [Int16](repeating: 0, count: count)
    var saturatedSpan = saturated.mutableSpan
    MixKernels.mixMinus(&saturatedSpan, total: total.span, own: own.span)
    #expect(saturated == exact.map { Int16(clamping: $0) })

    var all = [Int16](repeating: 0, count: count)
    var allSpan = all.mutableSpan
    MixKernels.saturate(total.span, into: &allSpan)
    #expect(all == total.map { Int16(clamping: $0) })

    var cleared = total.mutableSpan
    MixKernels.clear(&cleared)
    #expect(total.allSatisfy { $0 == 0 })
  }

  @Test("energy is the sum of squares; the level is 10·log₁₀ of the mean within half a decibel's rounding")
  func levels() {
    for (seed, divisor) in [(UInt64(1), 1), (2, 10), (3, 100), (4, 3_000)] {
      let samples = Self.random(seed).map { $0 / Int16(divisor) }
      let sum = samples.reduce(0.0) { $0 + Double($1) * Double($1) }

      #expect(Double(LevelKernels.energy(samples.span)) == sum)
      let exact = 10 * log10(sum / 960 / 1_073_741_824)
      #expect(abs(Double(LevelKernels.level(samples.span)) - exact) < 0.6)
    }
    let silence = [Int16](repeating: 0, count: 960)
    #expect(LevelKernels.level(silence.span) == -127)
    let full = [Int16](repeating: .min, count: 960)
    #expect(LevelKernels.level(full.span) == 0)
  }

  @Test("fades start and end where they should, and are straight")
  func fades() {
    var rising = [Int16](repeating: 10_000, count: 960)
    var span = rising.mutableSpan
    FadeKernels.fadeIn(&span)
    #expect(rising[0] == 0 && rising[480] == 5_000 && rising[959] == 9_990)

    var falling = [Int16](repeating: -10_000, count: 960)
    var fallingSpan = falling.mutableSpan
    FadeKernels.fadeOut(&fallingSpan)
    #expect(falling[0] == -10_000 && falling[480] == -5_000 && abs(Int(falling[959])) <= 11)
  }

  // MARK: Limiter

  private static func limit(_ mix: [Int32], _ limiter: inout Limiter) -> [Int16] {
    var output = [Int16](repeating: 0, count: 960)
    var result: [Int16] = []
    for start in stride(from: 0, to: mix.count, by: 960) {
      let frame = Array(mix[start..<(start + 960)])
      var span = output.mutableSpan
      limiter.process(frame.span, into: &span)
      result += output
    }
    return result
  }

  @Test("a mix inside the range passes untouched")
  func transparent() {
    var limiter = Limiter()
    let mix = (0..<9_600).map { Int32(28_000 * sin(Double($0) / 17)) }

    #expect(Self.limit(mix, &limiter) == mix.map { Int16($0) })
    #expect(limiter.gain == 1)
  }

  @Test(
    "never full scale, never wrapped, no corner: steps stay in proportion to the input's",
    arguments: [1.1, 2, 8, 64, 256])
  func bounded(gain: Double) {
    var limiter = Limiter()
    // A soft tone, then a loud one that begins anywhere in a frame, then soft again.
    let mix = (0..<48_000).map { index -> Int32 in
      let amplitude = (10_123..<30_000).contains(index) ? 32_767 * gain : 3_000
      return Int32(amplitude * sin(2 * .pi * 440 * Double(index) / 48_000))
    }

    let output = Self.limit(mix, &limiter)

    let peak = output.map { abs(Int($0)) }.max() ?? 0
    #expect(peak <= 32_700)
    #expect(peak > 24_000)
    for index in output.indices where abs(mix[index]) > 200 { #expect((output[index] < 0) == (mix[index] < 0)) }
    // Settled: a sine of at most full scale moves by at most 1,887 a sample.
    let settled = output[12_000..<29_000]
    #expect(zip(settled, settled.dropFirst()).allSatisfy { abs(Int($0) - Int($1)) < 2_000 })
    // The gain comes back within a second and a half at worst.
    var quiet = [Int32](repeating: 0, count: 960 * 75)
    quiet[0] = 1
    _ = Self.limit(quiet, &limiter)
    #expect(limiter.gain > 0.99)
  }

  @Test("random mixes of 256 legs stay inside, and a limited tone stays a tone")
  func extremes() {
    var limiter = Limiter()
    var source = RandomSource(seed: 8)
    let noise = (0..<9_600).map { _ in Int32.random(in: -8_388_608...8_388_607, using: &source) }
    #expect(Self.limit(noise, &limiter).allSatisfy { abs(Int($0)) <= 32_700 })

    var fresh = Limiter()
    let tone = (0..<48_000).map { Int32(60_000 * sin(2 * .pi * 1_000 * Double($0) / 48_000)) }
    let output = Self.limit(tone, &fresh)[9_600...]
    var harmonic = (0.0, 0.0)
    var fundamental = (0.0, 0.0)
    for (index, sample) in output.enumerated() {
      let angle = 2 * .pi * 1_000 * Double(index) / 48_000
      fundamental.0 += Double(sample) * cos(angle)
      fundamental.1 += Double(sample) * sin(angle)
      harmonic.0 += Double(sample) * cos(3 * angle)
      harmonic.1 += Double(sample) * sin(3 * angle)
    }
    let ratio =
      (harmonic.0 * harmonic.0 + harmonic.1 * harmonic.1)
      / (fundamental.0 * fundamental.0 + fundamental.1 * fundamental.1)
    #expect(10 * log10(ratio + 1e-12) < -40, "third harmonic of a tone limited by 6 dB")
  }

  // MARK: Time

  @Test("stretching removes or inserts whole periods of a tone without a click")
  func stretching() {
    let tone = AudioSignals.tone(250, count: 4_800)
    var buffer = PCMBuffer()
    func fill(_ buffer: inout PCMBuffer, _ range: Range<Int>) {
      _ = buffer.append(room: range.count) { output in
        for index in range { output[index - range.lowerBound] = tone[index] }
        return range.count
      }
    }
    fill(&buffer, 0..<2_880)
    var output = [Int16](repeating: 0, count: 960)
    var heard: [Int16] = []
    func play(_ buffer: inout PCMBuffer) {
      var span = output.mutableSpan
      buffer.consume(into: &span)
      heard += output
    }
    play(&buffer)

    let removed = buffer.accelerate(atMost: 720, urgent: false)
    play(&buffer)
    fill(&buffer, 2_880..<4_800)
    let inserted = buffer.decelerate(urgent: false)
    play(&buffer)
    play(&buffer)

    #expect(removed > 0 && removed % 192 <= 2 || removed % 192 >= 190)
    #expect(inserted > 0 && inserted % 192 <= 2 || inserted % 192 >= 190)
    #expect(largestStep(heard) < largestStep(tone) * 5 / 4)
    #expect(buffer.available == 4_800 - 4 * 960 - removed + inserted)
  }

  @Test("concealment goes on with the last period")
  func extrapolation() {
    let tone = AudioSignals.tone(250, count: 2_880)
    var buffer = PCMBuffer()
    _ = buffer.append(room: 2_880) { output in
      for index in 0..<2_880 { output[index] = tone[index] }
      return 2_880
    }
    buffer.extrapolate(1_920)
    var output = [Int16](repeating: 0, count: 4_800)
    var span = output.mutableSpan

    #expect(buffer.consume(into: &span) == 4_800)

    let continued = AudioSignals.tone(250, count: 4_800)
    #expect(correlation(continued, output, delays: 0...0, from: 2_880, count: 1_900).value > 0.95)
    #expect(largestStep(output) < largestStep(tone) * 2)
  }
}
