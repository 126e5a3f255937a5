//  SimulatedVoices.swift: the voices of all simulated phones, made once and used by every run.

import Media
import Primitives
import SDP

/// A clip for each (phone, codec) and a quiet one for each codec.
public struct SimulatedVoices: Sendable {
  private struct Key: Hashable, Sendable {
    var phone: Int
    var codec: AudioEncoding
  }
  /// Samples over which speech begins and ends softly.
  private static let fade = 960
  private var voices: [Key: VoiceClip] = [:]
  private var quiets: [AudioEncoding: VoiceClip] = [:]

  /// - Parameters:
  ///   - phones: at most `PilotTone.count`: each has a pilot of its own.
  ///   - seconds: after which a voice repeats itself.
  public init(phones: Int, codecs: [AudioEncoding], seconds: Int = 2) {
    precondition(phones <= PilotTone.count)
    var random = RandomSource(seed: 1)
    let hiss = (0..<48_000).map { _ in (Float(random.nextWord() & 0xffff) / 32_768 - 1) * 0.0005 }
    for encoding in codecs {
      guard let codec = AudioCodec(encoding) else { continue }
      quiets[encoding] = VoiceClip(samples: hiss, pilot: nil, format: AudioFormat(codec: codec, payloadType: 0))
    }
    for phone in 0..<phones {
      // Whole seconds, so that the pilot goes on without a break when the clip begins anew.
      var speech = VoiceClip.lowPassed(SyntheticSpeech.samples(seconds: Double(seconds), seed: UInt64(phone + 1)))
      for index in 0..<Self.fade {
        speech[index] *= Float(index) / Float(Self.fade)
        speech[speech.count - 1 - index] *= Float(index) / Float(Self.fade)
      }
      for encoding in codecs {
        guard let codec = AudioCodec(encoding) else { continue }
        voices[Key(phone: phone, codec: encoding)] = VoiceClip(
          samples: speech, pilot: phone, isLowPassed: true, format: AudioFormat(codec: codec, payloadType: 0))
      }
    }
  }

  public func voice(of phone: Int, codec: AudioEncoding) -> PhoneVoice? {
    guard let voice = voices[Key(phone: phone, codec: codec)], let quiet = quiets[codec] else { return nil }
    return PhoneVoice(voice: voice, quiet: quiet)
  }
}
