//  HostControl.swift: the control dialog of one conference with one media host (control protocol P4–P6).

import ConferenceDocuments
import Primitives
import SIP

/// A participant's command that was passed on, and the INFO that waits for its outcome.
public struct CommandWaiter: Hashable, Sendable {
  public let request: ServerRequestHandle
  public let command: C3PRequest

  public init(request: ServerRequestHandle, command: C3PRequest) {
    self.request = request
    self.command = command
  }
}

/// The conference as its media host is told of it: INVITE with `addConference`, commands by INFO, state by SUBSCRIBE.
///
///     inviting ──200, success──▶ active ──BYE, failure, host down──▶ closed
///         └──refused, no answer in time──▶ closed
public struct HostControl: Sendable {
  public enum State: Hashable, Sendable {
    case inviting(until: Instant)
    /// - Parameter contact: the conference's own URI on the host, for SUBSCRIBE and participants' INVITEs.
    case active(contact: String)
    case closed
  }

  public enum Input: Sendable {
    case start
    /// 200 to the control INVITE.
    /// - Parameter response: the C3P part; `nil`: there is none, or it cannot be read.
    case answered(contact: String?, response: C3PResponse?)
    case refused(ConferencingError)
    /// The control dialog is over, not by us; or the factory says that the host is down.
    case lost
    case stop
    case command(C3PCommand, waiter: CommandWaiter?)
    /// The response to an INFO of ours.
    /// - Parameter response: the C3P body; `nil`: there is none, or it cannot be read.
    case commandAnswered(requestID: UInt64, status: Int, response: C3PResponse?)
    case notified(ConferenceInfo)
    case subscriptionEnded
  }

  public enum Output: Sendable {
    case invite(C3PRequest)
    case hangUp
    case subscribe(target: String)
    case unsubscribe
    case send(C3PRequest)
    /// The outcome of a command that somebody waits for.
    case finish(CommandWaiter, C3PResponse.Code, C3PReason?)
    case log(ConferencingLogEvent.What)
    /// To the Focus.
    case report(FocusInput)
  }

  struct Command: Sendable {
    var waiter: CommandWaiter?
    var until: Instant
  }

  public let server: ConferencingServerID
  /// Tells this control dialog from those before it of the same conference (fencing).
  public let generation: UInt64
  public let conference: String
  public let serverURI: String
  public let timeout: Interval
  /// Expected participants.
  public let size: UInt32
  public private(set) var state: State
  private var nextRequest: UInt64 = 1
  private var commands: [UInt64: Command] = [:]
  /// Of the last document merged; `nil` until the first full one.
  private var version: UInt32?
  /// Subscriptions that ended early are renewed this many times in a row.
  private var renewals = 0

  public init(
    server: ConferencingServerID, generation: UInt64, conference: String, serverURI: String, size: UInt32,
    timeout: Interval, now: Instant
  ) {
    self.server = server
    self.generation = generation
    self.conference = conference
    self.serverURI = serverURI
    self.size = size
    self.timeout = timeout
    state = .inviting(until: now + timeout)
  }

  /// The conference's own URI on the host.
  public var contact: String? {
    if case .active(let contact) = state { return contact }
    return nil
  }

  public mutating func handle(_ input: Input, now: Instant, into outputs: inout [Output]) {
    state = next(input, now, &outputs)  // with `advance`, the only assignment to `state`
  }

  public mutating func advance(to now: Instant, into outputs: inout [Output]) {
    for id in commands.keys.sorted() {
      guard let command = commands[id], command.until <= now else { continue }
      finish(id, .failure, .otherFailure, &outputs)
    }
    guard case .inviting(let until) = state, until <= now else { return }
    outputs.append(.hangUp)
    outputs.append(.report(.serverRefused(server, .serverUnreachable)))
    state = .closed
  }

  public var nextDeadline: Instant {
    var deadline = Instant.never
    if case .inviting(let until) = state { deadline = until }
    for command in commands.values { deadline = min(deadline, command.until) }
    return deadline
  }

  // MARK: Transitions

  private mutating func next(_ input: Input, _ now: Instant, _ outputs: inout [Output]) -> State {
    switch (state, input) {
    case (.inviting, .start):
      var info = ConferenceInfo(entity: conference)
      var view = ConferenceInfo.EntityState()
      view.size = size
      info.views = [ConferenceInfo.EntityView(entity: ConferencingServerType.audioVideo.rawValue, entityState: view)]
      outputs.append(.invite(request(.addConference(info))))
      return state

    case (.inviting, .answered(let contact, let response)):
      guard let contact, response?.code == .success else {
        let error = response.map { Self.error(of: $0.reason) } ?? .badServerAnswer
        outputs.append(.hangUp)
        outputs.append(.report(.serverRefused(server, error)))
        return .closed
      }
      outputs.append(.subscribe(target: contact))
      outputs.append(.report(.serverReady(server)))
      return .active(contact: contact)
    case (.inviting, .refused(let error)):
      outputs.append(.report(.serverRefused(server, error)))
      return .closed
    case (.inviting, .lost):
      outputs.append(.hangUp)
      outputs.append(.report(.serverRefused(server, .serverUnreachable)))
      return .closed

    case (.active, .lost):
      outputs.append(.hangUp)
      outputs.append(.unsubscribe)
      failCommands(&outputs)
      outputs.append(.report(.serverLost(server)))
      return .closed
    case (.active, .stop):
      outputs.append(.unsubscribe)
      outputs.append(.hangUp)
      failCommands(&outputs)
      return .closed
    case (.inviting, .stop):
      outputs.append(.hangUp)
      return .closed

    case (.active, .command(let command, let waiter)):
      let request = request(command)
      guard commands.count < Limits.commandsPerControl else {
        if let waiter { outputs.append(.finish(waiter, .failure, .otherFailure)) }
        return state
      }
      commands[request.requestID] = Command(waiter: waiter, until: now + timeout * 2)
      outputs.append(.send(request))
      return state
    case (.inviting, .command(_, let waiter)), (.closed, .command(_, let waiter)):
      if let waiter { outputs.append(.finish(waiter, .failure, .mcuTypeNotAvailable)) }
      return state

    case (.active, .commandAnswered(let id, let status, let response)):
      commandAnswered(id, status, response, &outputs)
      return state
    case (.active, .notified(let document)):
      merge(document, &outputs)
      return state
    case (.active(let contact), .subscriptionEnded):
      // The control dialog says whether the host lives; a subscription alone is simply renewed, within reason.
      guard renewals < 8 else { return state }
      renewals += 1
      version = nil
      outputs.append(.subscribe(target: contact))
      return state

    // Late words: of a dialog that is up already, or given up.
    case (.inviting, .commandAnswered), (.inviting, .notified), (.inviting, .subscriptionEnded): return state
    case (.active, .start), (.active, .answered), (.active, .refused): return state
    case (.closed, .start), (.closed, .answered), (.closed, .refused), (.closed, .lost), (.closed, .stop),
      (.closed, .commandAnswered), (.closed, .notified), (.closed, .subscriptionEnded):
      return state
    }
  }

  private mutating func request(_ command: C3PCommand) -> C3PRequest {
    defer { nextRequest &+= 1 }
    return C3PRequest(
      requestID: nextRequest, from: conference, to: serverURI, serverURI: serverURI, command: command)
  }

  /// `addUser` for a participant's leg; it goes in the leg's INVITE and shares this dialog's numbering.
  mutating func addUser(_ user: ConferenceInfo.User) -> C3PRequest {
    request(.addUser(ConferenceKeys(conference: conference), user))
  }

  // MARK: Commands

  private mutating func commandAnswered(
    _ id: UInt64, _ status: Int, _ response: C3PResponse?, _ outputs: inout [Output]
  ) {
    if status == 202 || response?.code == .pending { return }
    guard let response else {
      // RFC 6086 style: an empty 200, and the result by INFO. Anything else without a body is a failure.
      if status != 200 { finish(id, .failure, .otherFailure, &outputs) }
      return
    }
    finish(id, response.code, response.reason, &outputs)
  }

  private mutating func finish(
    _ id: UInt64, _ code: C3PResponse.Code, _ reason: C3PReason?, _ outputs: inout [Output]
  ) {
    guard let command = commands.removeValue(forKey: id) else { return }
    if let waiter = command.waiter { outputs.append(.finish(waiter, code, reason)) }
    if code == .failure { outputs.append(.log(.serverFailed(server, Self.error(of: reason)))) }
  }

  private mutating func failCommands(_ outputs: inout [Output]) {
    for id in commands.keys.sorted() { finish(id, .failure, .otherFailure, &outputs) }
  }

  /// What a host's C3P failure means to a joiner.
  static func error(of reason: C3PReason?) -> ConferencingError {
    switch reason {
    case C3PReason.maximumMeetingSizeExceeded?: .serverBusy(status: 486)
    case C3PReason.conferenceDoesNotExist?: .serverForgotConference
    case C3PReason.mediaNotSupported?: .mediaNotSupported(warning: nil)
    default: .serverBusy(status: 503)
    }
  }

  // MARK: State

  /// Versions as RFC 4575 §4.4–4.6 has them; then what the document says of endpoints goes to the Focus.
  private mutating func merge(_ document: ConferenceInfo, _ outputs: inout [Output]) {
    let received = document.version ?? 0
    switch document.state {
    case .full:
      if let version, received <= version { return }
    case .partial:
      guard let version else { return }
      if received <= version { return }
      guard received == version &+ 1 else {
        outputs.append(.unsubscribe)
        self.version = nil
        if case .active(let contact) = state { outputs.append(.subscribe(target: contact)) }
        return
      }
    case .deleted:
      // The host's conference is over; its control dialog says so too.
      return
    }
    version = received
    renewals = 0
    var reports: [EndpointReport] = []
    for user in document.users?.users ?? [] where user.state != .deleted {
      for endpoint in user.endpoints where endpoint.state != .deleted { reports.append(EndpointReport(endpoint)) }
    }
    if !reports.isEmpty { outputs.append(.report(.reported(server, reports))) }
  }
}

extension EndpointReport {
  /// As a media host writes it.
  init(_ endpoint: ConferenceInfo.Endpoint) {
    self.init(
      endpointEntity: endpoint.entity,
      status: endpoint.status.flatMap { RosterEndpoint.Status(rawValue: $0.rawValue) },
      media: endpoint.media.prefix(Limits.mediaPerEndpoint).map(RosterMedium.init),
      isPartial: endpoint.state == .partial || endpoint.media.isEmpty)
    cause = endpoint.disconnectionMethod == .failed ? .mediaTimeout : .closedByServer
    for element in endpoint.extensions where element.name.local == "digits" {
      digitTotal = element.attribute("total").flatMap { Int($0) } ?? 0
    }
  }
}

extension RosterMedium {
  /// As a media host writes it.
  init(_ medium: ConferenceInfo.Media) {
    self.init(
      id: medium.id, type: medium.type ?? "audio", label: medium.label,
      sourceID: medium.sourceID, direction: medium.status.flatMap { Direction(rawValue: $0.rawValue) })
  }
}
