//  LoadProfile.swift: the shapes of load that are measured again and again, by name.

import ArgumentParser
import Simulation

/// What a profile sets, where no option says otherwise.
package enum LoadProfile: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// One meeting of all; three talk, the others send quiet frames.
  case oneMeeting = "one-meeting"
  /// Meetings of ten; three of each always talk.
  case meetings3Talk = "meetings-3-talk"
  /// Meetings of ten; one of each talks at a time, in turns of five seconds.
  case meetings1Talk = "meetings-1-talk"
  /// One meeting of all; two talk, the others send a comfort frame every 400 ms.
  case webinar
  /// Meetings of ten that fill within moments: a thousand calls a second, unanswered ones not waited for.
  case joinStorm = "join-storm"
  /// One talks, all others listen and send comfort frames: whether the host forwards that voice without codecs is found
  /// out from its counters.
  case relay

  /// Participants of a meeting; `nil`: all in one.
  package var meetingSize: Int? {
    switch self {
    case .oneMeeting, .webinar, .relay: nil
    case .meetings3Talk, .meetings1Talk, .joinStorm: 10
    }
  }

  package var pattern: TalkPattern {
    switch self {
    case .oneMeeting, .meetings3Talk, .joinStorm: .always(count: 3)
    case .webinar: .always(count: 2)
    case .relay: .always(count: 1)
    case .meetings1Talk: .turns(count: 1, turnFrames: 5 * LoadPlan.framesPerSecond)
    }
  }

  package var quiet: PhoneConfiguration.Quiet {
    switch self {
    case .oneMeeting, .meetings3Talk, .meetings1Talk, .joinStorm: .frames
    case .webinar, .relay: .dtx
    }
  }

  package var callsPerSecond: Int { self == .joinStorm ? 1_000 : 200 }

  /// The calls that may wait for their answers, so that joining does not become a storm.
  package var callsAtOnce: Int { self == .joinStorm ? .max : 300 }

  /// What a search tries first, and what it grows by at least.
  package var firstParticipants: Int { meetingSize == nil ? 50 : 40 }
  package var granularity: Int { meetingSize ?? 10 }
}
