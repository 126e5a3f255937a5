//  VoiceTests.swift: voices with pilots and marks go through every codec and are found by ears; who talks when.

import Media
import Primitives
import Simulation
import Testing

@Suite("Voices and ears")
struct VoiceTests {
  private static let speech = VoiceClip.lowPassed(SyntheticSpeech.samples(seconds: 1, seed: 5))

  /// What an ear finds in a clip played for `seconds`.
  private func listen(
    _ clip: VoiceClip, frames: Int, dropping dropped: Set<Int> = []
  ) -> (windows: [UInt32], marks: [Instant]) {
    var ear = Ear()
    var windows: [UInt32] = []
    var marks: [Instant] = []
    for frame in 0..<frames where !dropped.contains(frame) {
      let arrival = Instant.zero + .milliseconds(20 * frame)
      clip.withPayload(frame) { payload in
        ear.hear(
          payload, codec: clip.format.codec, timestamp: UInt32(frame) &* clip.packetDuration, arrival: arrival)
      }
      if let window = ear.takeWindow() { windows.append(window.pilots) }
      if let mark = ear.takeMark() { marks.append(mark) }
    }
    return (windows, marks)
  }

  @Test("a pilot is heard in every codec, and no other one", arguments: AudioCodec.allCases)
  func pilots(codec: AudioCodec) {
    for pilot in [0, 6, PilotTone.count - 1] {
      let clip = VoiceClip(
        samples: Self.speech, pilot: pilot, isLowPassed: true, format: AudioFormat(codec: codec, payloadType: 0))
      let windows = listen(clip, frames: 100).windows

      #expect(windows.count == 10)
      // The decoder finds its feet in the first window; the clip begins anew in the middle.
      #expect(windows.dropFirst().allSatisfy { $0 == 1 << UInt32(pilot) }, "\(codec) \(pilot): \(windows)")
    }
  }

  @Test("quiet has no pilot", arguments: AudioCodec.allCases)
  func quiet(codec: AudioCodec) {
    let clip = VoiceClip(
      samples: [Float](repeating: 0.0003, count: 48_000), pilot: nil, format: AudioFormat(codec: codec, payloadType: 0))

    #expect(listen(clip, frames: 50).windows.allSatisfy { $0 == 0 })
  }

  @Test("speech without a pilot holds none", arguments: AudioCodec.allCases)
  func speechAlone(codec: AudioCodec) {
    let clip = VoiceClip(
      samples: Self.speech, pilot: nil, format: AudioFormat(codec: codec, payloadType: 0))

    #expect(listen(clip, frames: 50).windows.allSatisfy { $0 == 0 })
  }

  @Test("a mark is found where it begins, once a second", arguments: AudioCodec.allCases)
  func marks(codec: AudioCodec) {
    let clip = VoiceClip(
      samples: Self.speech, pilot: 2, isLowPassed: true, marks: [25], format: AudioFormat(codec: codec, payloadType: 0))
    let marks = listen(clip, frames: 150).marks

    #expect(marks.count == 3, "\(codec): \(marks)")
    for (second, mark) in marks.enumerated() {
      let expected = Instant.zero + .milliseconds(1_000 * second + 500)
      #expect((mark - expected).milliseconds < 40 && (mark - expected).milliseconds >= 0, "\(codec): \(mark)")
    }
  }

  @Test("a window with a gap is not judged")
  func gap() {
    let clip = VoiceClip(
      samples: Self.speech, pilot: 1, isLowPassed: true, format: AudioFormat(codec: .pcmu, payloadType: 0))

    #expect(listen(clip, frames: 30, dropping: [15]).windows.count == 2)
    #expect(listen(clip, frames: 30, dropping: [5, 12, 19, 26]).windows.isEmpty)
  }

  @Test("levels follow the voice: speech is loud, silence is 127")
  func levels() {
    let speech = VoiceClip(
      samples: Self.speech, pilot: 0, isLowPassed: true, format: AudioFormat(codec: .pcmu, payloadType: 0))
    let silence = VoiceClip(
      samples: [Float](repeating: 0, count: 9_600), pilot: nil, format: AudioFormat(codec: .pcmu, payloadType: 0))

    #expect(speech.count == 50 && speech.packetDuration == 160)
    #expect(speech.levels.allSatisfy { $0 < 40 })
    #expect(silence.levels.allSatisfy { $0 == 127 })
  }

  @Test("longer packets carry more", arguments: [20, 40, 60])
  func packetLength(milliseconds: Int) {
    let clip = VoiceClip(
      samples: SyntheticSpeech.samples(seconds: 1.2, seed: 3), pilot: 0,
      format: AudioFormat(codec: .pcmu, payloadType: 0),
      packetMilliseconds: milliseconds)

    #expect(clip.count == 1_200 / milliseconds)
    #expect(clip.payloadCount(0) == 8 * milliseconds)
  }

  @Test("a tone's amplitude, and nothing 60 Hz beside it")
  func detector() {
    let samples = (0..<9_600).map { index -> Float in
      let window = 1 - Self.cosine(Double(index) / 9_600)
      return Float(0.5 * Self.cosine(PilotTone.frequency(3) * Double(index) / 48_000) * window)
    }

    #expect(abs(ToneDetector(frequency: PilotTone.frequency(3)).amplitude(in: samples.span) - 0.5) < 0.01)
    #expect(ToneDetector(frequency: PilotTone.frequency(4)).amplitude(in: samples.span) < 0.001)
  }

  private static func cosine(_ turns: Double) -> Double {
    // Enough terms of the series for a turn reduced to ±½.
    let x = (turns - turns.rounded()) * 2 * Double.pi
    var term = 1.0
    var sum = 1.0
    for index in 1...14 {
      term *= -x * x / Double((2 * index - 1) * (2 * index))
      sum += term
    }
    return sum
  }
}

@Suite("Who talks when")
struct TalkPatternTests {
  @Test("turns pass the word on to the next ones, all around")
  func turns() {
    let pattern = TalkPattern.turns(count: 2, turnFrames: 10)

    #expect((0..<5).filter { pattern.talks($0, of: 5, frame: 0) } == [0, 1])
    #expect((0..<5).filter { pattern.talks($0, of: 5, frame: 19) } == [2, 3])
    #expect((0..<5).filter { pattern.talks($0, of: 5, frame: 20) } == [0, 4])
    #expect(pattern.talkers(of: 5) == 2 && pattern.talkers(of: 1) == 1)
  }

  @Test("all, the first ones, and nobody in an empty meeting")
  func others() {
    #expect((0..<4).allSatisfy { TalkPattern.all.talks($0, of: 4, frame: 7) })
    #expect((0..<4).filter { TalkPattern.always(count: 2).talks($0, of: 4, frame: 9) } == [0, 1])
    #expect(!TalkPattern.all.talks(0, of: 0, frame: 0))
    #expect(!TalkPattern.turns(count: 1, turnFrames: 0).talks(1, of: 2, frame: 0))
  }
}
