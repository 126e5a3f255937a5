//  ResamplerTests.swift: the frequency response, its images and aliases, and that frames join without a seam.

import Codecs
import Foundation
import Testing

@Suite("Polyphase resampler, 8 and 16 kHz to and from 48 kHz")
struct ResamplerTests {
  private static func run(_ ratio: Resampler.Ratio, _ input: [Int16], frame: Int) -> [Int16] {
    var resampler = Resampler(ratio)
    let raises = ratio == .from8To48 || ratio == .from16To48
    let factor = ratio == .from8To48 || ratio == .from48To8 ? 6 : 3
    var output: [Int16] = []
    for start in stride(from: 0, to: input.count - frame + 1, by: frame) {
      var block = [Int16](repeating: 0, count: raises ? frame * factor : frame / factor)
      var span = block.mutableSpan
      resampler.process(input[start..<(start + frame)].span, into: &span)
      output += block
    }
    return output
  }

  @Test(
    "raising: the pass band is flat to 0.3 dB and every image lies 60 dB below",
    arguments: [
      (Resampler.Ratio.from8To48, 8_000.0, [300.0, 1_000, 2_000, 3_000, 3_400]),
      (.from16To48, 16_000, [300.0, 1_000, 4_000, 6_000, 7_000]),
    ])
  func images(ratio: Resampler.Ratio, rate: Double, frequencies: [Double]) {
    for frequency in frequencies {
      let input = tone(frequency, rate: rate, count: Int(rate) / 10, amplitude: 20_000)

      let output = Self.run(ratio, input, frame: Int(rate) / 50).dropFirst(960)

      let passed = amplitude(of: frequency, in: output, rate: 48_000) / 20_000
      #expect(abs(20 * log10(passed)) < 0.3, "\(frequency) Hz: \(20 * log10(passed)) dB")
      var image = rate - frequency
      while image < 24_000 {
        let leaked = amplitude(of: image, in: output, rate: 48_000) / 20_000
        #expect(20 * log10(leaked + 1e-9) < -60, "image of \(frequency) at \(image): \(20 * log10(leaked)) dB")
        image += image.truncatingRemainder(dividingBy: rate) > rate / 2 ? 2 * frequency : rate - 2 * frequency
      }
    }
  }

  @Test(
    "lowering: the pass band is flat to 0.3 dB and what would alias into it is 60 dB down",
    arguments: [
      (
        Resampler.Ratio.from48To8, 8_000.0, [300.0, 1_000, 3_000, 3_400],
        [4_600.0, 5_000, 7_000, 9_000, 12_500, 20_000]
      ),
      (.from48To16, 16_000, [300.0, 3_000, 6_000, 7_000], [9_000.0, 10_000, 13_000, 17_500, 22_000]),
    ])
  func aliases(ratio: Resampler.Ratio, rate: Double, passing: [Double], stopped: [Double]) {
    for frequency in passing {
      let output = Self.run(ratio, tone(frequency, rate: 48_000, count: 9_600, amplitude: 20_000), frame: 960)
      let passed = amplitude(of: frequency, in: output.dropFirst(output.count / 10), rate: rate) / 20_000
      #expect(abs(20 * log10(passed)) < 0.3, "\(frequency) Hz: \(20 * log10(passed)) dB")
    }
    for frequency in stopped {
      let output = Self.run(ratio, tone(frequency, rate: 48_000, count: 9_600, amplitude: 20_000), frame: 960)
      let folded = frequency.truncatingRemainder(dividingBy: rate)
      let alias = folded > rate / 2 ? rate - folded : folded
      let leaked = amplitude(of: alias, in: output.dropFirst(output.count / 10), rate: rate) / 20_000
      #expect(20 * log10(leaked + 1e-9) < -60, "\(frequency) Hz at \(alias): \(20 * log10(leaked)) dB")
    }
  }

  @Test(
    "frames of any size give the same samples as one long frame",
    arguments: [(Resampler.Ratio.from8To48, 1), (.from16To48, 1), (.from48To8, 6), (.from48To16, 3)])
  func frames(ratio: Resampler.Ratio, unit: Int) {
    let input = tone(777, rate: 12_345, count: 960 * unit)

    let whole = Self.run(ratio, input, frame: 960 * unit)

    for frame in [20 * unit, 160 * unit, 480 * unit] {
      #expect(Self.run(ratio, input, frame: frame) == whole)
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
