//  AVConferencingError.swift: every refusal of the control core, and its one mapping to SIP and C3P (control protocol).

import Primitives

/// Why a request was refused. Thrown anywhere in the core, answered in one place, logged once.
public enum AVConferencingError: Error, Hashable, Sendable {
  case untrustedPeer
  /// A body that is no C3P, no SDP or no multipart, or is too large.
  case badBody(String)
  case unsupportedMediaType
  /// `addUser` or keys that contradict themselves.
  case badCommand(String)
  case unknownConference
  case unknownUser
  case unknownEndpoint
  case unknownMedia
  case meetingFull
  case hostFull(retryAfter: Int)
  case overloaded(retryAfter: Int)
  case draining(retryAfter: Int)
  /// The worker refused or did not answer in time.
  case workerFailed(retryAfter: Int)
  /// - Parameter warning: code of RFC 3261 §20.43.
  case mediaNotSupported(warning: Int, text: String)
  case commandNotSupported(String)
  case unknownInfoPackage
  case badEvent
  case tooManySubscriptions(retryAfter: Int)

  /// The answer to an INVITE or a SUBSCRIBE.
  public var status: Int {
    switch self {
    case .untrustedPeer: 403
    case .badBody, .badCommand: 400
    case .unsupportedMediaType: 415
    case .unknownConference, .unknownUser, .unknownEndpoint, .unknownMedia: 404
    case .meetingFull: 486
    case .hostFull, .overloaded, .draining, .workerFailed, .tooManySubscriptions: 503
    case .mediaNotSupported: 488
    case .commandNotSupported: 501
    case .unknownInfoPackage: 469
    case .badEvent: 489
    }
  }

  /// The answer to a command in an INFO: what is final and about the command is 603, what may be tried again 503.
  public var commandStatus: Int {
    switch self {
    case .untrustedPeer: 403
    case .badBody: 400
    case .unsupportedMediaType: 415
    case .unknownInfoPackage: 469
    case .hostFull, .overloaded, .draining, .workerFailed, .tooManySubscriptions: 503
    case .badCommand, .unknownConference, .unknownUser, .unknownEndpoint, .unknownMedia, .meetingFull,
      .mediaNotSupported, .commandNotSupported, .badEvent:
      603
    }
  }

  public var reasonPhrase: String {
    switch self {
    case .untrustedPeer: "Forbidden"
    case .badBody, .badCommand: "Bad Request"
    case .unsupportedMediaType: "Unsupported Media Type"
    case .unknownConference: "Conference Does Not Exist"
    case .unknownUser, .unknownEndpoint, .unknownMedia: "Not Found"
    case .meetingFull: "Busy Here"
    case .hostFull, .draining, .workerFailed, .tooManySubscriptions: "Service Unavailable"
    case .overloaded: "Overloaded"
    case .mediaNotSupported: "Not Acceptable Here"
    case .commandNotSupported: "Not Implemented"
    case .unknownInfoPackage: "Bad Info Package"
    case .badEvent: "Bad Event"
    }
  }

  /// `reason` of the C3P response; `nil` where there is no C3P to answer with.
  public var c3pReason: String? {
    switch self {
    case .badBody, .unsupportedMediaType, .unknownInfoPackage, .badEvent: nil
    case .untrustedPeer: "unauthorized"
    case .unknownConference: "conferenceDoesNotExist"
    case .unknownUser: "userDoesNotExist"
    case .unknownEndpoint: "endpointDoesNotExist"
    case .unknownMedia: "mediaDoesNotExist"
    case .meetingFull: "maximumMeetingSizeExceeded"
    case .badCommand, .hostFull, .overloaded, .draining, .workerFailed, .tooManySubscriptions: "otherFailure"
    case .mediaNotSupported: "mediaNotSupported"
    case .commandNotSupported: "notSupported"
    }
  }

  /// `ms-diagnostics` code ([MS-OCER] §8.4), where one fits.
  public var diagnostics: Int? {
    switch self {
    case .unknownConference: 3012
    case .untrustedPeer: 3014
    case .badBody: 3006
    case .badCommand: 3007
    case .commandNotSupported: 3004
    case .unknownEndpoint, .unknownMedia: 3009
    case .unknownUser: 3002
    case .unsupportedMediaType, .meetingFull, .hostFull, .overloaded, .draining, .workerFailed, .mediaNotSupported,
      .unknownInfoPackage, .badEvent, .tooManySubscriptions:
      nil
    }
  }

  /// What the refusal is about, for people; never holds what the peer sent.
  public var text: String {
    switch self {
    case .untrustedPeer: "this address may not control this host"
    case .badBody(let text), .badCommand(let text), .mediaNotSupported(_, let text): text
    case .unsupportedMediaType: "the body's type is not understood"
    case .unknownConference: "no such conference on this host"
    case .unknownUser: "no such user in the conference"
    case .unknownEndpoint: "no such endpoint in the conference"
    case .unknownMedia: "no such media of the endpoint"
    case .meetingFull: "the meeting is full"
    case .hostFull: "the host is full"
    case .overloaded: "the host is overloaded"
    case .draining: "the host is draining"
    case .workerFailed: "the media worker did not take the leg"
    case .commandNotSupported(let name): "command not implemented: \(name)"
    case .unknownInfoPackage: "only the Info package cccp is understood"
    case .badEvent: "only the conference event package is understood"
    case .tooManySubscriptions: "too many subscriptions to this conference"
    }
  }

  public var retryAfter: Int? {
    switch self {
    case .hostFull(let seconds), .overloaded(let seconds), .draining(let seconds), .workerFailed(let seconds),
      .tooManySubscriptions(let seconds):
      seconds
    case .untrustedPeer, .badBody, .unsupportedMediaType, .badCommand, .unknownConference, .unknownUser,
      .unknownEndpoint, .unknownMedia, .meetingFull, .mediaNotSupported, .commandNotSupported, .unknownInfoPackage,
      .badEvent:
      nil
    }
  }

  /// Header fields that belong to the refusal.
  public var headers: [(String, String)] {
    var fields: [(String, String)] = []
    if let retryAfter { fields.append(("Retry-After", String(retryAfter))) }
    switch self {
    case .mediaNotSupported(let warning, let text): fields.append(("Warning", "\(warning) parley \"\(text)\""))
    case .unsupportedMediaType: fields.append(("Accept", "application/sdp, application/cccp+xml, multipart/mixed"))
    case .unknownInfoPackage: fields.append(("Recv-Info", "cccp"))
    case .badEvent: fields.append(("Allow-Events", "conference"))
    case .untrustedPeer, .badBody, .badCommand, .unknownConference, .unknownUser, .unknownEndpoint, .unknownMedia,
      .meetingFull, .hostFull, .overloaded, .draining, .workerFailed, .commandNotSupported, .tooManySubscriptions:
      break
    }
    if let diagnostics { fields.append(("ms-diagnostics", "\(diagnostics);reason=\"\(text)\"")) }
    return fields
  }
}
