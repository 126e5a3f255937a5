//  LoadPlan.swift: who calls where, who talks when, and where each virtual phone's media lives.

import Media
import Primitives
import SDP
import Simulation

/// The whole load, decided before anything is sent.
package struct LoadPlan: Sendable {
  /// The most that will be in calls at once.
  package var participants: Int
  /// Participants of one meeting.
  package var meetingSize: Int
  package var pattern: TalkPattern
  package var encodings: [AudioEncoding]
  package var suites: [CryptoSuite]
  package var quiet: PhoneConfiguration.Quiet
  /// How many of each meeting decode what they hear, at once or in turn.
  package var ears: Int
  /// RTP of every phone; RTCP is the next one up.
  package var mediaPort: UInt16
  /// How many calls are begun in a second.
  package var callsPerSecond: Int
  /// Calls that are begun and not yet answered, at most.
  package var callsAtOnce = Int.max

  package init(
    participants: Int, meetingSize: Int, pattern: TalkPattern, encodings: [AudioEncoding] = [.opus],
    suites: [CryptoSuite] = [.aeadAES128GCM], quiet: PhoneConfiguration.Quiet = .frames, ears: Int,
    mediaPort: UInt16 = 46_000, callsPerSecond: Int = 100
  ) {
    self.participants = participants
    self.meetingSize = meetingSize
    self.pattern = pattern
    self.encodings = encodings
    self.suites = suites
    self.quiet = quiet
    self.ears = ears
    self.mediaPort = mediaPort
    self.callsPerSecond = callsPerSecond
  }

  package static let framesPerSecond = 50

  package var meetings: Int { (participants + meetingSize - 1) / meetingSize }
  package func meeting(of phone: Int) -> Int { phone / meetingSize }
  package func place(of phone: Int) -> Int { phone % meetingSize }
  package func size(of meeting: Int) -> Int { min(meetingSize, participants - meeting * meetingSize) }

  /// 127.16.0.1 and up: an address of its own for each phone, so that the media host can tell them apart.
  package func address(of phone: Int) -> UInt32 { 0x7f10_0001 + UInt32(phone) }
  package func phone(at address: UInt32) -> Int? {
    guard address >= 0x7f10_0001 else { return nil }
    let phone = Int(address - 0x7f10_0001)
    return phone < participants ? phone : nil
  }

  package func talks(_ phone: Int, frame: Int) -> Bool {
    pattern.talks(place(of: phone), of: size(of: meeting(of: phone)), frame: frame)
  }
  package func pilot(of phone: Int) -> Int { place(of: phone) % PilotTone.count }
  /// Talkers take turns in marking a second.
  package func marks(_ phone: Int, second: Int) -> Bool {
    let talkers = max(1, min(pattern.talkers(of: meetingSize), PilotTone.count))
    return place(of: phone) % talkers == second % talkers
  }

  /// Bits of the pilots of all who talk in a meeting during a frame, but `listener`.
  package func talkers(heardBy listener: Int, frame: Int) -> UInt32 {
    let meeting = meeting(of: listener)
    let first = meeting * meetingSize
    var pilots: UInt32 = 0
    for place in pattern.places(of: size(of: meeting), frame: frame) where first + place != listener {
      pilots |= 1 << UInt32(pilot(of: first + place))
    }
    return pilots
  }

  /// Lower ones are asked first what they hear: one of each meeting, in each meeting another place, before the second of any.
  package func listeningOrder(of phone: Int) -> Int {
    let asked = max(1, min(ears, meetingSize))
    return (place(of: phone) + 3 * meeting(of: phone)) % asked
  }

  /// Whether who is heard follows from the plan: not where the loudest are chosen from more than the mixer takes.
  package var talkersAreTold: Bool { pattern.talkers(of: meetingSize) <= 4 }

  /// After a change of turns the mix may pause until the new talker is known.
  package static let framesToChangeTurns = 10

  /// How many packets a phone must get in a stretch of frames, by the clock.
  ///
  /// - Returns: `nil` for a phone that is not always spoken to in it.
  package func packetsDue(to phone: Int, in frames: Range<Int>) -> Int? {
    let size = size(of: meeting(of: phone))
    // One may be on its way at either end.
    let all = frames.count - 1
    guard size > 1, all > 0 else { return nil }
    switch pattern {
    case .all: return all
    case .always(let count): return count > 1 || (count == 1 && place(of: phone) >= count) ? all : nil
    case .turns(let count, let turnFrames):
      guard count > 0 else { return nil }
      let turn = max(1, turnFrames)
      let turns = (frames.lowerBound / turn)...((frames.upperBound - 1) / turn)
      // Who talks alone hears nobody, and what was said before he did ends a little later than he begins.
      if count == 1,
        (turns.lowerBound - 1...turns.upperBound).contains(where: { talks(phone, frame: max(0, $0) * turn) })
      {
        return nil
      }
      let due = all - (turns.count - 1) * Self.framesToChangeTurns
      return due > 0 ? due : nil
    }
  }
}
