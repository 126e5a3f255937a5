//  ConferencingError.swift: everything that can go wrong in conferencing, and the one place where it becomes an answer.

/// Why a request was not granted. `answer` is the only mapping to SIP and C3P (control protocol, failures).
public enum ConferencingError: Error, Hashable, Sendable {
  /// No meeting has this name here, or the domain is not ours.
  case conferenceDoesNotExist
  case locked
  case notAuthorized
  case conferenceFull
  /// The front end's own table of conferences or participants is full.
  case overloaded
  /// No media host of the type is registered.
  case noServerRegistered
  /// Every media host is full, draining or down.
  case noServerAvailable
  /// A media host did not answer in time, or its connection broke.
  case serverUnreachable
  /// A media host refused for a passing reason (503, 500, 480 …) or because it is full (486).
  case serverBusy(status: Int)
  /// The media host does not know the conference: it was restarted (481, 404).
  case serverForgotConference
  /// The media host found nothing in the offer that it can serve.
  /// - Parameter warning: its Warning header, passed on to the phone (RFC 3261 §20.43).
  case mediaNotSupported(warning: String?)
  /// The media host's answer made no sense: no session description where one is due, or an unreadable document.
  case badServerAnswer
  /// The request's own body is unreadable.
  case badDocument
  case unsupportedCommand
  /// The media host declined a command.
  /// - Parameter reason: its C3P reason.
  case refusedCommand(String?)
  /// The command names a participant who is not here.
  case participantDoesNotExist
  /// A media type of the request that nothing here reads; the ones that are read go into Accept.
  case unsupportedBody
  case notAcceptable
  case unknownEventPackage
  /// The interval asked for is shorter than this.
  case intervalTooBrief(minimumSeconds: Int)
  /// `SIP-If-Match` names no publication that is alive (RFC 3903 §6).
  case publicationUnknown
  case badRequest(String)
  /// A new offer came while another was under way (RFC 3261 §14.1).
  case offerPending
  /// The other side refused a new offer for a reason of its own.
  case refusedOffer(status: Int, warning: String?)
  case methodNotAllowed
  case notBuilt

  /// What a media host's refusal means to the joiner (control protocol P7).
  ///
  /// - Parameters:
  ///   - warning: the Warning header of the refusal.
  ///   - isOfferOfPhone: what was refused carried the phone's session description: 400 is about that.
  public init(serverStatus status: Int, warning: String?, isOfferOfPhone: Bool = false) {
    self =
      switch status {
      case 400 where isOfferOfPhone: .badRequest("Bad Session Description")
      case 415, 488, 606: .mediaNotSupported(warning: warning)
      case 404, 410, 481: .serverForgotConference
      case 408: .serverUnreachable
      case 486, 600: .serverBusy(status: 486)
      case 400, 413, 420: .badServerAnswer
      default: .serverBusy(status: status)
      }
  }

  /// What the asker gets to hear.
  public struct Answer: Hashable, Sendable {
    public var status: Int
    /// `nil`: the status's usual phrase.
    public var phrase: String?
    public var headers: [(name: String, value: String)] = []
    /// `reason` of a C3P response.
    public var c3pReason = "otherFailure"
    /// The code of `ms-diagnostics`, where the control protocol names one.
    public var diagnostics: Int?

    public static func == (left: Answer, right: Answer) -> Bool {
      left.status == right.status && left.phrase == right.phrase && left.c3pReason == right.c3pReason
        && left.diagnostics == right.diagnostics
        && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
    }
    public func hash(into hasher: inout Hasher) {
      hasher.combine(status)
      hasher.combine(c3pReason)
    }
  }

  public var answer: Answer {
    switch self {
    case .conferenceDoesNotExist: Answer(status: 404, c3pReason: "conferenceDoesNotExist", diagnostics: 3012)
    case .locked:
      Answer(
        status: 403, headers: [("Reason", "SIP;cause=403;text=\"locked\"")], c3pReason: "conferenceLocked",
        diagnostics: 3014)
    case .notAuthorized: Answer(status: 403, c3pReason: "unauthorized", diagnostics: 3014)
    case .conferenceFull: Answer(status: 486, c3pReason: "maximumMeetingSizeExceeded")
    case .overloaded: Answer(status: 503, headers: [("Retry-After", "10")])
    case .noServerRegistered: Answer(status: 480, headers: [("Retry-After", "10")], c3pReason: "mcuTypeNotAvailable")
    case .noServerAvailable, .serverUnreachable, .serverForgotConference:
      Answer(status: 503, headers: [("Retry-After", "5")])
    case .serverBusy(let status):
      status == 486
        ? Answer(status: 486, c3pReason: "maximumMeetingSizeExceeded")
        : Answer(status: 503, headers: [("Retry-After", "5")])
    case .mediaNotSupported(let warning):
      Answer(
        status: 488, headers: [("Warning", warning ?? "304 parley \"no acceptable media\"")],
        c3pReason: "mediaNotSupported")
    case .badServerAnswer: Answer(status: 502)
    case .badDocument: Answer(status: 400, phrase: "Unreadable Document", diagnostics: 3006)
    case .unsupportedCommand: Answer(status: 603, c3pReason: "notSupported", diagnostics: 3004)
    case .refusedCommand(let reason): Answer(status: 603, c3pReason: reason ?? "otherFailure")
    case .participantDoesNotExist: Answer(status: 603, c3pReason: "endpointDoesNotExist", diagnostics: 3009)
    case .unsupportedBody: Answer(status: 415)
    case .notAcceptable: Answer(status: 406)
    case .unknownEventPackage: Answer(status: 489)
    case .intervalTooBrief(let minimum): Answer(status: 423, headers: [("Min-Expires", String(minimum))])
    case .publicationUnknown: Answer(status: 412)
    case .badRequest(let phrase): Answer(status: 400, phrase: phrase)
    case .offerPending: Answer(status: 491)
    case .refusedOffer(let status, let warning):
      Answer(status: status, headers: warning.map { [("Warning", $0)] } ?? [], c3pReason: "mediaNotSupported")
    case .methodNotAllowed: Answer(status: 405)
    case .notBuilt: Answer(status: 501, c3pReason: "notSupported", diagnostics: 3004)
    }
  }

  /// The word of records and logs.
  public var name: String {
    switch self {
    case .conferenceDoesNotExist: "conference-does-not-exist"
    case .locked: "locked"
    case .notAuthorized: "not-authorized"
    case .conferenceFull: "conference-full"
    case .overloaded: "overloaded"
    case .noServerRegistered: "no-server-registered"
    case .noServerAvailable: "no-server-available"
    case .serverUnreachable: "server-unreachable"
    case .serverBusy(let status): "server-busy-\(status)"
    case .serverForgotConference: "server-forgot-conference"
    case .mediaNotSupported: "media-not-supported"
    case .badServerAnswer: "bad-server-answer"
    case .badDocument: "bad-document"
    case .unsupportedCommand: "unsupported-command"
    case .refusedCommand: "refused-command"
    case .participantDoesNotExist: "participant-does-not-exist"
    case .unsupportedBody: "unsupported-body"
    case .notAcceptable: "not-acceptable"
    case .unknownEventPackage: "unknown-event-package"
    case .intervalTooBrief: "interval-too-brief"
    case .publicationUnknown: "publication-unknown"
    case .badRequest: "bad-request"
    case .offerPending: "offer-pending"
    case .refusedOffer(let status, _): "refused-offer-\(status)"
    case .methodNotAllowed: "method-not-allowed"
    case .notBuilt: "not-built"
    }
  }

  /// Whether another media host might serve the joiner whom this one refused.
  public var isWorthAnotherServer: Bool {
    switch self {
    case .serverUnreachable, .serverBusy, .serverForgotConference, .badServerAnswer: true
    case .conferenceDoesNotExist, .locked, .notAuthorized, .conferenceFull, .overloaded, .noServerRegistered,
      .noServerAvailable, .mediaNotSupported, .badDocument, .unsupportedCommand, .refusedCommand,
      .participantDoesNotExist,
      .unsupportedBody, .notAcceptable, .unknownEventPackage, .intervalTooBrief, .publicationUnknown, .badRequest,
      .offerPending, .refusedOffer, .methodNotAllowed, .notBuilt:
      false
    }
  }
}
