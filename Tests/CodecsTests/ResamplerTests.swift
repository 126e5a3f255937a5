//  ResamplerTests.swift: the frequency response, its images and aliases, and that frames join without a seam.

import Codecs
import Foundation
import Testing

@Suite("Polyphase resampler, 8, 16, 24 and 32 kHz to and from 48 kHz")
struct ResamplerTests {
  private static func run(_ ratio: Resampler.Ratio, _ input: [Int16], frame: Int) -> [Int16] {
    var resampler = Resampler(ratio)
    var output: [Int16] = []
    for start in stride(from: 0, to: input.count - frame + 1, by: frame) {
      var block = [Int16](repeating: 0, count: frame / ratio.lowers * ratio.raises)
      var span = block.mutableSpan
      resampler.process(input[start..<(start + frame)].span, into: &span)
      output += block
    }
    return output
  }

  private static func decibels(_ ratio: Double) -> Double { 20 * log10(ratio + 1e-9) }

  /// Where the energy of a tone at the input goes, as gains: what passes, and the strongest image or alias.
  private static func response(_ ratio: Resampler.Ratio, at frequency: Double) -> (passed: Double, leaked: Double) {
    let (from, to) = (Double(ratio.inputRate), Double(ratio.outputRate))
    let input = tone(frequency, rate: from, count: ratio.inputRate / 5, amplitude: 20_000)
    let output = run(ratio, input, frame: ratio.inputRate / 50).dropFirst(ratio.outputRate / 50)
    var passed = -180.0
    var leaked = -180.0
    // In the common multiple of the rates a tone stands at k · from ± frequency; at the output each folds into its band.
    for k in 0...ratio.raises {
      for place in Set([Double(k) * from - frequency, Double(k) * from + frequency]) where place >= 0 {
        guard place <= Double(ratio.raises) * from / 2 else { continue }
        let folded = place.truncatingRemainder(dividingBy: to)
        let heard = min(folded, to - folded)
        guard heard > 50, heard < to / 2 - 50 else { continue }
        let gain = decibels(amplitude(of: heard, in: output, rate: to) / 20_000)
        if place == frequency && frequency < to / 2 { passed = gain } else { leaked = max(leaked, gain) }
      }
    }
    return (passed, leaked)
  }

  @Test(
    "the pass band is flat to 0.3 dB; images and aliases of it, and into it, lie 60 dB below",
    arguments: Resampler.Ratio.allCases)
  func response(ratio: Resampler.Ratio) {
    let low = Double(min(ratio.inputRate, ratio.outputRate))
    var worstPassed = 0.0
    var worstImage = -180.0
    var worstAlias = -180.0
    var frequency = 137.0
    while frequency < ratio.passBand {
      let (passed, leaked) = Self.response(ratio, at: frequency)
      worstPassed = abs(passed) > abs(worstPassed) ? passed : worstPassed
      worstImage = max(worstImage, leaked)
      frequency += ratio.passBand / 23
    }
    // What would fold into the pass band.
    frequency = low - ratio.passBand
    while frequency < Double(ratio.inputRate) / 2 - 200 {
      worstAlias = max(worstAlias, Self.response(ratio, at: frequency).leaked)
      frequency += 611
    }

    print(
      "resampler \(ratio): pass band \(Int(ratio.passBand)) Hz within \(worstPassed) dB, images \(worstImage) dB,",
      "aliases \(worstAlias) dB, delay \(ratio.delay * 1_000) ms")
    #expect(abs(worstPassed) < 0.3)
    #expect(worstImage < -60)
    #expect(worstAlias < -60)
  }

  @Test("a pulse comes out after the delay that is stated", arguments: Resampler.Ratio.allCases)
  func delay(ratio: Resampler.Ratio) {
    var input = [Int16](repeating: 0, count: ratio.inputRate / 50)
    input[100] = 30_000

    let output = Self.run(ratio, input, frame: input.count)

    let peak = output.indices.max { abs(Int(output[$0])) < abs(Int(output[$1])) } ?? 0
    let expected = 100 / Double(ratio.inputRate) + ratio.delay
    // A group's outputs are made when its last input is there.
    let group = Double(ratio.lowers - 1) / Double(ratio.inputRate)
    #expect(abs(Double(peak) / Double(ratio.outputRate) - expected + group) <= 1.01 / Double(ratio.outputRate) + group)
  }

  @Test(
    "frames of any size give the same samples as one long frame; reset gives those of a new one",
    arguments: Resampler.Ratio.allCases)
  func frames(ratio: Resampler.Ratio) {
    let unit = ratio.lowers
    let input = tone(777, rate: 12_345, count: 960 * unit)

    let whole = Self.run(ratio, input, frame: 960 * unit)

    for frame in [20 * unit, 160 * unit, 480 * unit] {
      #expect(Self.run(ratio, input, frame: frame) == whole)
    }
    var resampler = Resampler(ratio)
    var again = [Int16](repeating: 0, count: whole.count)
    for _ in 0..<2 {
      resampler.reset()
      var span = again.mutableSpan
      resampler.process(input.span, into: &span)
      #expect(again == whole)
    }
  }

  @Test("full scale saturates, it does not wrap")
  func saturation() {
    let square = (0..<1_600).map { $0 / 40 % 2 == 0 ? Int16.max : Int16.min }

    let output = Self.run(.from8To48, square, frame: 160)

    for index in 400..<(output.count - 6) where abs(Int(output[index])) > 32_000 {
      #expect(abs(Int(output[index]) - Int(output[index + 1])) < 30_000)
    }
  }

  @Test("a clone continues as the original does")
  func clones() {
    let input = tone(1_000, rate: 8_000, count: 320)
    let head = Array(input.prefix(160))
    let tail = Array(input.suffix(160))
    var first = Resampler(.from8To48)
    var block = [Int16](repeating: 0, count: 960)
    var span = block.mutableSpan
    first.process(head.span, into: &span)

    var second = first.clone()

    var a = block
    var b = block
    var spanA = a.mutableSpan
    first.process(tail.span, into: &spanA)
    var spanB = b.mutableSpan
    second.process(tail.span, into: &spanB)
    #expect(a == b)
    let refused = !second.adopt(Resampler(.from16To48))
    #expect(refused)
  }
}
