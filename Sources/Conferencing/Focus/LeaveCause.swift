//  LeaveCause.swift: why a participant is no longer in a conference, as roster, record and BYE tell it.

/// Why a participant left.
public enum LeaveCause: Hashable, Sendable {
  /// The participant's own BYE.
  case departed
  /// CANCEL before the call was answered.
  case cancelled
  /// Removed by an operator or a leader.
  case ejected
  /// The media host no longer hears anything from this participant.
  case mediaTimeout
  /// The media host closed this participant's leg.
  case closedByServer
  /// The media host, or the control of it, is gone.
  case serverLost
  /// The conference was ended.
  case conferenceEnded
  /// No session refresh came in time (RFC 4028 §10).
  case sessionExpired
  /// The answer was never acknowledged (RFC 3261 §13.3.1.4), or the connection to the phone is gone.
  case unreachable
  /// The participant never got in.
  case refused(ConferencingError)

  /// The word of records and logs.
  public var name: String {
    switch self {
    case .departed: "departed"
    case .cancelled: "cancelled"
    case .ejected: "ejected"
    case .mediaTimeout: "media-timeout"
    case .closedByServer: "closed-by-server"
    case .serverLost: "server-lost"
    case .conferenceEnded: "conference-ended"
    case .sessionExpired: "session-expired"
    case .unreachable: "unreachable"
    case .refused(let error): error.name
    }
  }

  /// The `Reason` of the BYE that tells the phone (RFC 3326); `nil` when the phone itself is the cause.
  public var reasonHeader: String? {
    switch self {
    case .departed, .cancelled, .refused: nil
    case .ejected: "SIP;cause=403;text=\"removed\""
    case .mediaTimeout: "SIP;cause=408;text=\"no media received\""
    case .closedByServer: "SIP;cause=480;text=\"media leg closed\""
    case .serverLost: "SIP;cause=503;text=\"media host lost\""
    case .conferenceEnded: "SIP;cause=410;text=\"conference ended\""
    case .sessionExpired: "SIP;cause=408;text=\"session expired\""
    case .unreachable: "SIP;cause=408;text=\"no acknowledgement\""
    }
  }
}
