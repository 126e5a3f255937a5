//  VoiceLibrary.swift: what the phones of a run say, encoded before the first call.

import Media
import Primitives
import SDP
import Simulation

/// The clips that all phones share, made before the first call.
struct VoiceLibrary: Sendable {
  private let voices: [AudioCodec: [VoiceClip]]
  private let quiets: [AudioCodec: VoiceClip]

  /// - Parameter speech: recorded speech at 48 kHz, if there is any; else it is synthesised.
  init(plan: LoadPlan, speech: [Float]?) {
    let talkers = max(1, min(plan.pattern.talkers(of: plan.meetingSize), PilotTone.count))
    // Of those who never talk nobody hears the voice.
    let distinct = if case .always = plan.pattern { talkers } else { min(plan.meetingSize, PilotTone.count) }
    // A whole number of rounds of marks, so that the loop keeps everybody's turn.
    let seconds = talkers * max(1, (6 + talkers - 1) / talkers)
    var voices: [AudioCodec: [VoiceClip]] = [:]
    var quiets: [AudioCodec: VoiceClip] = [:]
    for encoding in plan.encodings {
      guard let codec = AudioCodec(encoding) else { continue }
      let format = AudioFormat(codec: codec, payloadType: 0)
      voices[codec] = (0..<distinct).map { place in
        let samples = Self.speech(speech, seconds: seconds, talker: place)
        let marks = (0..<seconds).filter { plan.marks(place, second: $0) }.map { $0 * LoadPlan.framesPerSecond }
        return VoiceClip(samples: samples, pilot: place, marks: marks, format: format)
      }
      var random = RandomSource(seed: 1)
      let hiss = (0..<48_000).map { _ in (Float(random.nextWord() & 0xffff) / 32_768 - 1) * 0.0005 }
      quiets[codec] = VoiceClip(samples: hiss, pilot: nil, format: format)
    }
    self.voices = voices
    self.quiets = quiets
  }

  func voice(codec: AudioCodec, pilot: Int) -> PhoneVoice? {
    guard let clips = voices[codec], let quiet = quiets[codec], !clips.isEmpty else { return nil }
    return PhoneVoice(voice: clips[pilot % clips.count], quiet: quiet)
  }

  private static func speech(_ recorded: [Float]?, seconds: Int, talker: Int) -> [Float] {
    let count = seconds * 48_000
    guard let recorded, recorded.count >= 48_000 else {
      return SyntheticSpeech.samples(seconds: Double(seconds), seed: UInt64(talker + 1))
    }
    // Each talker begins elsewhere in the recording.
    let start = talker * 31_337 % recorded.count
    return (0..<count).map { recorded[(start + $0) % recorded.count] }
  }
}
