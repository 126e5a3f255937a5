//  ConferencingOutput.swift: what the conferencing core wants done: bytes to send, records to keep, lines to log.

import Primitives
import SIP

/// To be performed in order.
public enum ConferencingOutput: Sendable {
  case transmit([UInt8], SIPFlow)
  case record(ConferenceRecord)
  case log(ConferencingLogEvent)
}

/// What happened to conferences and participants, for the store. `at` is monotonic: the shell's `ClockAnchor` dates it.
public enum ConferenceRecord: Hashable, Sendable {
  case conferenceStarted(ConferenceName, entity: String, at: Instant)
  /// A media host serves the conference from now on.
  case conferencePlaced(ConferenceName, server: ConferencingServerID, at: Instant)
  case conferenceEnded(ConferenceName, cause: ConferenceEnd, at: Instant)
  case participantJoined(ConferenceName, ParticipantID, user: String, at: Instant)
  /// Ends what `participantJoined` began.
  case participantLeft(ConferenceName, ParticipantID, user: String, cause: LeaveCause, at: Instant)
  /// Somebody called and did not get in.
  case participantRefused(ConferenceName, ParticipantID, user: String, cause: LeaveCause, at: Instant)
}

/// Why a conference is over.
public enum ConferenceEnd: String, Hashable, Sendable {
  /// All have left, and the grace period with them.
  case deserted
  /// An operator or a leader ended it.
  case ended
  /// No media host could be had for its first callers.
  case unserved = "no-server"
  /// Its media host is gone.
  case serverLost = "server-lost"
}

/// One event worth a line, with what finds it again. Personal data is not in it: users are in the records only.
public struct ConferencingLogEvent: Hashable, Sendable {
  public enum What: Hashable, Sendable {
    case conferenceStarted
    case conferencePlaced(ConferencingServerID)
    case conferenceEnded(ConferenceEnd)
    case participantJoined
    case participantLeft(LeaveCause)
    /// A call, request or command was refused.
    case refused(ConferencingError)
    case serverRegistered(ConferencingServerID)
    case serverUnregistered(ConferencingServerID)
    case serverActive(ConferencingServerID)
    case serverDraining(ConferencingServerID)
    case serverDown(ConferencingServerID, ServerDownCause)
    /// The media host refused or broke off a control dialog, a leg or a command.
    case serverFailed(ConferencingServerID, ConferencingError)
    /// A document from a media host could not be read; it is ignored.
    case unreadableDocument(ConferencingServerID)
    /// A telephone key, from the phone by INFO or heard by the media host. Which one is not logged: it may be a PIN.
    case digit
    case subscriptionStarted
    case subscriptionEnded
  }

  public var what: What
  public var conference: ConferenceName?
  public var leg: ParticipantID?
  public var callID: String?

  public init(
    _ what: What, conference: ConferenceName? = nil, leg: ParticipantID? = nil, callID: String? = nil
  ) {
    self.what = what
    self.conference = conference
    self.leg = leg
    self.callID = callID
  }
}

/// How the factory came to know that a media host is down.
public enum ServerDownCause: String, Hashable, Sendable {
  /// Three load reports are missing.
  case reportsMissing = "reports-missing"
  case registrationExpired = "registration-expired"
  /// Its connection broke and it did not answer OPTIONS.
  case transportLost = "transport-lost"
  case unregistered
  /// It registered as another process: what it carried is gone.
  case restarted
  /// It reported itself as not in service.
  case reportedDown = "reported-down"
}
