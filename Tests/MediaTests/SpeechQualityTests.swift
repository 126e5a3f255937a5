//  SpeechQualityTests.swift: the measure itself, where the answer is known.

import Codecs
import Media
import Primitives
import Testing

@Suite("Speech quality measure")
struct SpeechQualityTests {
  private static let voice = AudioSignals.voice(count: 48_000 * 4)

  private static func opus(_ application: OpusEncoder.Application, bitRate: Int32, complexity: Int = 5) throws
    -> [Int16]
  {
    var encoder = try OpusEncoder(application: application)
    encoder.setBitRate(bitRate)
    encoder.setComplexity(complexity)
    var decoder = try OpusDecoder()
    var payload = [UInt8](repeating: 0, count: 1_276)
    var frame = [Int16](repeating: 0, count: 5_760)
    return try stride(from: 0, to: voice.count - 959, by: 960).flatMap { start -> ArraySlice<Int16> in
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      let count = try encoder.encode(voice[start..<start + 960].span, into: &bytes)
      let packet = Array(payload[..<count])
      var output = frame.mutableSpan
      let samples = try decoder.decode(packet.span.bytes, into: &output)
      return frame[..<samples]
    }
  }

  @Test("equal signals, delayed and softer, are equal; the delay is found")
  func equal() {
    let late = [Int16](repeating: 0, count: 4_800) + Self.voice.map { $0 / 4 }

    let same = SpeechQuality.measure(reference: Self.voice, degraded: Self.voice)
    let quality = SpeechQuality.measure(reference: Self.voice, degraded: late)

    #expect(same.score == 4.5)
    #expect(quality.score > 4.3)
    #expect(abs(quality.delay - 100) < 0.2)
    #expect(quality.dropouts == 0)
  }

  @Test("less bit rate is worse, in both of Opus's modes", arguments: [OpusEncoder.Application.voice, .lowDelay])
  func bitRates(application: OpusEncoder.Application) throws {
    let scores = try [8, 16, 32, 64].map { rate in
      SpeechQuality.measure(reference: Self.voice, degraded: try Self.opus(application, bitRate: Int32(rate * 1_000)))
    }

    print("quality of Opus \(application) at 8, 16, 32, 64 kbit/s:", scores.map { ($0.score * 100).rounded() / 100 })
    #expect(scores.map(\.score) == scores.map(\.score).sorted())
    #expect(scores[0].score < scores[3].score - 0.1)
  }

  @Test("more loss is worse, and is seen as dropouts")
  func loss() {
    var random = RandomSource(seed: 8)
    let scores = [0, 2, 5, 20].map { percent in
      var damaged = Self.voice
      for start in stride(from: 0, to: damaged.count - 959, by: 960) where random.next() % 100 < percent {
        for index in start..<start + 960 { damaged[index] = 0 }
      }
      return SpeechQuality.measure(reference: Self.voice, degraded: damaged)
    }

    #expect(scores.map(\.score) == scores.map(\.score).sorted(by: >))
    #expect(scores[3].dropouts > 0.03)
  }
}
