//  G722Tests.swift: bit-exactness against vectors on which two other implementations agree, and quality.

import Codecs
import Testing

@Suite("G.722")
struct G722Tests {
  /// Noise and a triangle in steps of loudness, full scale and silence included.
  private static func signal() -> [Int16] {
    var state: UInt32 = 1
    let amplitudes: [Int32] = [200, 2_000, 12_000, 32_767, 0, 6_000]
    func floored(_ value: Int, _ divisor: Int) -> Int { Int((Double(value) / Double(divisor)).rounded(.down)) }
    return (0..<16_000).map { index in
      state = state &* 1_664_525 &+ 1_013_904_223
      let amplitude = Int(amplitudes[(index / 1_600) % 6])
      let noise = floored((Int(state >> 16) - 32_768) * amplitude, 65_536)
      let triangle = floored((abs((index * 37) % 400 - 200) - 100) * amplitude, 150)
      return Int16(clamping: floored(noise, 2) + triangle)
    }
  }

  private static func encode(_ samples: [Int16], frame: Int = 320) -> [UInt8] {
    var encoder = G722Encoder()
    var result: [UInt8] = []
    for start in stride(from: 0, to: samples.count, by: frame) {
      var payload = [UInt8](repeating: 0, count: frame / 2)
      var bytes = payload.mutableSpan
      var target = bytes.mutableBytes
      encoder.encode(samples[start..<(start + frame)].span, into: &target)
      result += payload
    }
    return result
  }

  private static func decode(_ payload: [UInt8]) -> [Int16] {
    var decoder = G722Decoder()
    var samples = [Int16](repeating: 0, count: payload.count * 2)
    var span = samples.mutableSpan
    decoder.decode(payload.span.bytes, into: &span)
    return samples
  }

  @Test("encoder and decoder are bit-exact with two other implementations on a second of changing loudness")
  func vectors() {
    let encoded = Self.encode(Self.signal())

    #expect(
      encoded.prefix(24) == [
        222, 122, 247, 110, 153, 32, 101, 146, 13, 151, 176, 170, 185, 150, 22, 249, 242, 184, 218, 209, 249, 116, 174,
        254,
      ])
    #expect(fnv(encoded) == 0xB85C_2689_40DB_5405)
    #expect(fnv(littleEndian(Self.decode(encoded))) == 0x9802_3A9E_2FB2_F602)
  }

  @Test("random bytes decode as they do elsewhere, and never trap")
  func randomBytes() {
    var state: UInt32 = 7
    let payload = (0..<8_000).map { _ -> UInt8 in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(state >> 24)
    }

    #expect(fnv(littleEndian(Self.decode(payload))) == 0x432D_5171_353B_4C3A)
  }

  @Test("a tone comes back with more than 20 dB, after the filters' 22 samples")
  func quality() {
    let input = tone(1_000, rate: 16_000, count: 8_000)

    let output = Self.decode(Self.encode(input))

    #expect(signalToNoise(input, output, delays: 15...30, skip: 800) > 20)
  }

  @Test("the level meter follows loudness without decoding")
  func meter() {
    var meter = G722LevelMeter()
    let levels = [0.0, 100, 1_000, 10_000].map { amplitude in
      meter = G722LevelMeter()
      let payload = Self.encode(tone(500, rate: 16_000, count: 3_200, amplitude: amplitude))
      let settled = Array(payload.suffix(payload.count / 2))
      return meter.measure(settled.span.bytes)
    }

    print("G.722 level meter at amplitude 0, 100, 1000, 10000:", levels)
    #expect(levels == levels.sorted())
    #expect(levels[0] < 2_000 && levels[3] > levels[1] + 8_000)
  }
}
