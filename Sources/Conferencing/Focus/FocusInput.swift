//  FocusInput.swift: everything that can happen to a Focus, and everything it can want done.

import Primitives

/// Somebody who asks to be let in, as the signalling knows him.
public struct Joiner: Hashable, Sendable {
  /// URI of the user: the roster's `user@entity`.
  public var userEntity: String
  public var displayName: String?
  /// The phone's Call-ID, for records and `call-info`.
  public var callID: String

  public init(userEntity: String, displayName: String? = nil, callID: String = "") {
    self.userEntity = userEntity
    self.displayName = displayName
    self.callID = callID
  }
}

/// What a media host says of one endpoint (control protocol P6).
public struct EndpointReport: Hashable, Sendable {
  public var endpointEntity: String
  public var status: RosterEndpoint.Status?
  /// Why, when `status` is `disconnected`.
  public var cause = LeaveCause.closedByServer
  public var media: [RosterMedium]
  /// The media are those that changed; otherwise they are all.
  public var isPartial: Bool
  /// Telephone keys heard in all; how many, not which.
  public var digitTotal = 0

  public init(
    endpointEntity: String, status: RosterEndpoint.Status? = nil, media: [RosterMedium] = [], isPartial: Bool = true
  ) {
    self.endpointEntity = endpointEntity
    self.status = status
    self.media = media
    self.isPartial = isPartial
  }
}

public enum FocusInput: Hashable, Sendable {
  case join(ParticipantID, Joiner)
  /// The phone is gone, or gave up before it was in.
  case leave(ParticipantID, LeaveCause)
  /// The control dialog with this server is up.
  case serverReady(ConferencingServerID)
  /// No server could be had, or this one did not take the conference.
  case serverRefused(ConferencingServerID?, ConferencingError)
  /// The server that was ready is gone.
  case serverLost(ConferencingServerID)
  /// The server made the participant's leg.
  case legAnswered(ParticipantID, media: [RosterMedium])
  case legRefused(ParticipantID, ConferencingError)
  /// The server closed the leg, or the leg's two sides could not go on together.
  case legEnded(ParticipantID, LeaveCause)
  /// The server reports endpoints.
  case reported(ConferencingServerID, [EndpointReport])
  case lock(Bool)
  case eject(ParticipantID)
  case end(ConferenceEnd)
}

public enum FocusOutput: Hashable, Sendable {
  /// Find a server, one of the excluded ones left out, and open a control dialog with it.
  case provision(excluding: Set<ConferencingServerID>)
  /// End the control dialog, or the attempt at one.
  case releaseServer
  /// Invite the server for this participant.
  case openLeg(ParticipantID)
  /// Drop the server's leg, if any; the phone goes on waiting for `openLeg`.
  case suspendLeg(ParticipantID)
  /// Give the phone the server's answer.
  case admit(ParticipantID)
  /// Refuse the phone's INVITE; drop the server's leg.
  case refuse(ParticipantID, ConferencingError)
  /// BYE to the phone, and to the server's leg.
  case dismiss(ParticipantID, LeaveCause)
  /// The phone is gone by itself: drop the server's leg.
  case closeLeg(ParticipantID)
  /// Watchers are due a document.
  case rosterChanged
  case record(ConferenceRecord)
  case log(ConferencingLogEvent)
  /// The Focus is over: subscriptions end, and it can be dropped.
  case ended
}
