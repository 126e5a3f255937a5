//  LoadPlan.swift: who calls where, who talks when, and where each virtual phone's media lives.

import Media
import Primitives
import SDP
import Simulation

/// The whole load, decided before anything is sent.
struct LoadPlan: Sendable {
  var participants: Int
  /// Participants of one meeting.
  var meetingSize: Int
  var pattern: TalkPattern
  var encodings: [AudioEncoding]
  var suites: [CryptoSuite]
  var quiet: PhoneConfiguration.Quiet
  /// How many of each meeting decode what they hear.
  var ears: Int
  /// RTP of every phone; RTCP is the next one up.
  var mediaPort: UInt16
  /// How many calls are begun in a second.
  var callsPerSecond: Int

  static let framesPerSecond = 50

  var meetings: Int { (participants + meetingSize - 1) / meetingSize }
  func meeting(of phone: Int) -> Int { phone / meetingSize }
  func place(of phone: Int) -> Int { phone % meetingSize }
  func size(of meeting: Int) -> Int { min(meetingSize, participants - meeting * meetingSize) }

  /// 127.16.0.1 and up: an address of its own for each phone, so that the media host can tell them apart.
  func address(of phone: Int) -> UInt32 { 0x7f10_0001 + UInt32(phone) }
  func phone(at address: UInt32) -> Int? {
    guard address >= 0x7f10_0001 else { return nil }
    let phone = Int(address - 0x7f10_0001)
    return phone < participants ? phone : nil
  }

  func talks(_ phone: Int, frame: Int) -> Bool {
    pattern.talks(place(of: phone), of: size(of: meeting(of: phone)), frame: frame)
  }
  func pilot(of phone: Int) -> Int { place(of: phone) % PilotTone.count }
  /// Talkers take turns in marking a second.
  func marks(_ phone: Int, second: Int) -> Bool {
    let talkers = max(1, min(pattern.talkers(of: meetingSize), PilotTone.count))
    return place(of: phone) % talkers == second % talkers
  }

  /// Bits of the pilots of all who talk in a meeting during a frame, but `listener`.
  func talkers(heardBy listener: Int, frame: Int) -> UInt32 {
    let meeting = meeting(of: listener)
    let first = meeting * meetingSize
    var pilots: UInt32 = 0
    for phone in first..<(first + size(of: meeting)) where phone != listener && talks(phone, frame: frame) {
      pilots |= 1 << UInt32(pilot(of: phone))
    }
    return pilots
  }
}

/// The clips that all phones share, made before the first call.
struct VoiceLibrary: Sendable {
  private let voices: [AudioCodec: [VoiceClip]]
  private let quiets: [AudioCodec: VoiceClip]

  /// - Parameter speech: recorded speech at 48 kHz, if there is any; else it is synthesised.
  init(plan: LoadPlan, speech: [Float]?) {
    let talkers = max(1, min(plan.pattern.talkers(of: plan.meetingSize), PilotTone.count))
    let distinct = min(plan.meetingSize, PilotTone.count)
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
