//  ConferencingCore.swift: the front end's conferencing as one value: user agent, Focus instances, factory, subscriptions.
//  Walk: SIPEdge → ConferencingCore → FocusUserAgent → Focus

import Primitives
import SIP

/// Conferencing without I/O: SIP bytes in, SIP bytes, records and log events out.
///
/// It owns one user agent and hands each of its events to whom the event's handle belongs: one `FocusUserAgent` for each
/// active conference, or the registrar of media hosts.
public struct ConferencingCore: Sendable {
  public let configuration: ConferencingConfiguration
  let directory: ConferenceDirectory
  var context: SIPContext
  var registrar: ServerRegistrar
  var conferences: [ConferenceName: FocusUserAgent] = [:]
  private var deadlines = DeadlineHeap<ConferenceName>()
  private var nextParticipant: UInt64 = 1

  public init(configuration: ConferencingConfiguration, random: RandomSource) {
    var random = random
    self.configuration = configuration
    directory = ConferenceDirectory(
      domains: configuration.domains, listen: configuration.listen, advertisedHost: configuration.advertisedHost)
    context = SIPContext(
      configuration: configuration,
      userAgent: UserAgent(configuration: configuration.userAgent, random: RandomSource(seed: random.bytes(32))))
    registrar = ServerRegistrar(
      trusted: configuration.trustedMediaHosts, random: RandomSource(seed: random.bytes(32)))
  }

  // MARK: Inputs

  /// - Parameter bytes: one datagram, or one whole message from `StreamFramer`.
  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [ConferencingOutput]
  ) {
    context.userAgent.receive(bytes, from: flow, now: now, into: &context.queue)
    drain(now: now, into: &outputs)
  }

  /// Nothing can be sent over this flow: the connection failed or closed.
  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [ConferencingOutput]) {
    context.userAgent.transportFailed(flow, now: now, into: &context.queue)
    registrar.transportFailed(flow, now: now, in: &context)
    drain(now: now, into: &outputs)
  }

  public mutating func advance(to now: Instant, into outputs: inout [ConferencingOutput]) {
    context.userAgent.advance(to: now, into: &context.queue)
    drain(now: now, into: &outputs)
    var changes: [ConferencingServerFactory.Output] = []
    registrar.advance(to: now, in: &context, into: &changes)
    context.factory.advance(to: now, into: &changes)
    apply(changes, now: now)
    while let name = deadlines.takeDue(at: now) {
      conferences[name]?.advance(to: now, in: &context)
      settle(name)
    }
    drain(now: now, into: &outputs)
  }

  /// In the past while there is work left over from an input with very many consequences, such as a lost media host.
  public var nextDeadline: Instant {
    guard context.queue.isEmpty else { return .zero }
    return min(
      min(context.userAgent.nextDeadline, deadlines.nextDeadline),
      min(context.factory.nextDeadline, registrar.nextDeadline))
  }

  // MARK: What runs

  /// Names of the active conferences, in order.
  public var activeConferences: [ConferenceName] { conferences.keys.sorted { $0.text < $1.text } }

  /// The roster of an active conference.
  public func roster(of conference: ConferenceName) -> Roster? { conferences[conference]?.focus.roster }

  /// Participants of an active conference, those who are still on their way in among them.
  public func participants(of conference: ConferenceName) -> [Focus.Participant] {
    conferences[conference]?.focus.participants.values.sorted { $0.id < $1.id } ?? []
  }

  /// Registered media hosts.
  public var servers: [ConferencingServer] { context.factory.servers.values.sorted { $0.id < $1.id } }

  /// How many handles and conferences are held: all zero when nothing runs and nobody watches.
  public var tableSizes: [String: Int] {
    [
      "conferences": conferences.count, "calls": context.calls.count, "requests": context.requests.count,
      "subscriptions": context.subscriptions.count, "deadlines": deadlines.count,
      "legs": conferences.values.reduce(0) { $0 + $1.legs.count },
      "watchers": conferences.values.reduce(0) { $0 + $1.subscriptions.watchers.count },
    ]
  }

  /// The same of the user agent below; its transactions outlive their calls by half a minute.
  public var userAgentCounts: UserAgentCounts { context.userAgent.counts }

  // MARK: Commands of the operator

  /// Blocks or lets through again what the media host hears from this participant.
  public mutating func mute(
    _ participant: ParticipantID, in conference: ConferenceName, _ muted: Bool, now: Instant,
    into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {
    guard conferences[conference] != nil else { throw .conferenceDoesNotExist }
    try conferences[conference]?.mute(participant, muted, now: now, in: &context)
    settle(conference)
    drain(now: now, into: &outputs)
  }

  public mutating func eject(
    _ participant: ParticipantID, from conference: ConferenceName, now: Instant,
    into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {
    guard let focus = conferences[conference]?.focus else { throw .conferenceDoesNotExist }
    guard focus.participants[participant] != nil else { throw .participantDoesNotExist }
    drive(conference, .eject(participant), now: now)
    drain(now: now, into: &outputs)
  }

  /// Nobody else gets in while it is locked.
  public mutating func lock(
    _ conference: ConferenceName, _ locked: Bool, now: Instant, into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {
    guard conferences[conference] != nil else { throw .conferenceDoesNotExist }
    drive(conference, .lock(locked), now: now)
    drain(now: now, into: &outputs)
  }

  public mutating func end(
    _ conference: ConferenceName, now: Instant, into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {
    guard conferences[conference] != nil else { throw .conferenceDoesNotExist }
    drive(conference, .end(.ended), now: now)
    drain(now: now, into: &outputs)
  }

  // MARK: Turning the crank

  /// Performs what the user agent put out, and what follows from it, until nothing is left.
  private mutating func drain(now: Instant, into outputs: inout [ConferencingOutput]) {
    var index = 0
    flush(into: &outputs)
    while index < context.queue.count, index < Limits.eventsPerInput {
      let output = context.queue[index]
      index += 1
      switch output {
      case .transmit(let bytes, let flow): outputs.append(.transmit(bytes, flow))
      case .event(let event):
        handle(event, now: now)
        flush(into: &outputs)
      }
    }
    if index == context.queue.count {
      context.queue.removeAll(keepingCapacity: true)
    } else {
      context.queue.removeFirst(index)
    }
  }

  private mutating func flush(into outputs: inout [ConferencingOutput]) {
    guard !context.outputs.isEmpty else { return }
    outputs += context.outputs
    context.outputs.removeAll(keepingCapacity: true)
  }

  /// After anything that a conference went through: its deadline, and its end.
  private mutating func settle(_ name: ConferenceName) {
    guard let conference = conferences[name] else { return }
    if conference.hasEnded() {
      conferences[name] = nil
      deadlines.remove(name)
      return
    }
    let deadline = conference.nextDeadline
    if deadline == .never { deadlines.remove(name) } else { deadlines.set(name, at: deadline) }
  }

  private mutating func drive(_ name: ConferenceName, _ input: FocusInput, now: Instant) {
    conferences[name]?.drive(input, now: now, in: &context)
    settle(name)
  }

  /// What the factory found out about its hosts.
  private mutating func apply(_ changes: [ConferencingServerFactory.Output], now: Instant) {
    for change in changes {
      switch change {
      case .active(let id): context.log(ConferencingLogEvent(.serverActive(id)))
      case .draining(let id): context.log(ConferencingLogEvent(.serverDraining(id)))
      case .down(let id, let cause):
        context.log(ConferencingLogEvent(.serverDown(id, cause)))
        if context.factory.servers[id] == nil, cause != .restarted { registrar.forget(id) }
        for name in activeConferences where conferences[name]?.control?.server == id {
          conferences[name]?.controlLost(now: now, in: &context)
          settle(name)
        }
      }
    }
  }

  // MARK: Events

  private mutating func handle(_ event: UserAgentEvent, now: Instant) {
    switch event {
    case .invited(let call, let message, let flow): invited(call, message, flow, now: now)
    case .offered(let call, let message):
      dispatch(call) { conference, owner, context in
        switch owner {
        case .phone(_, let id): conference.offered(.phone, id, call, message, now: now, in: &context)
        case .server(_, let id): conference.offered(.server, id, call, message, now: now, in: &context)
        case .control:
          // A host has nothing to offer in a control dialog: an answer as empty as the offer was.
          context.userAgent.answer(call, body: nil, now: now, into: &context.queue)
        }
      }
    case .acknowledged(let call, let message):
      dispatch(call) { conference, owner, context in
        switch owner {
        case .phone(_, let id): conference.acknowledged(.phone, id, message, now: now, in: &context)
        case .server(_, let id): conference.acknowledged(.server, id, message, now: now, in: &context)
        case .control: break
        }
      }
    case .progressed: break
    case .answered(let call, let message):
      dispatch(call) { conference, owner, context in
        switch owner {
        case .phone(_, let id): conference.answered(.phone, id, message, now: now, in: &context)
        case .server(_, let id): conference.answered(.server, id, message, now: now, in: &context)
        case .control: conference.controlAnswered(message, now: now, in: &context)
        }
      }
    case .refused(let call, let status, let message):
      dispatch(call, isOver: true) { conference, owner, context in
        switch owner {
        case .phone: break  // we call no phones
        case .server(_, let id): conference.serverRefused(id, status: status, message, now: now, in: &context)
        case .control: conference.controlRefused(status: status, message, now: now, in: &context)
        }
      }
    case .reofferRefused(let call, let status, let message):
      dispatch(call) { conference, owner, context in
        switch owner {
        case .phone(_, let id):
          conference.reofferRefused(.phone, id, status: status, message, now: now, in: &context)
        case .server(_, let id):
          conference.reofferRefused(.server, id, status: status, message, now: now, in: &context)
        case .control: break
        }
      }
    case .ended(let call, let end):
      dispatch(call, isOver: true) { conference, owner, context in
        switch owner {
        case .phone(_, let id): conference.phoneEnded(id, end, now: now, in: &context)
        case .server(_, let id): conference.serverEnded(id, end, now: now, in: &context)
        case .control:
          conference.controlCall = nil
          conference.controlLost(now: now, in: &context)
        }
      }
    case .requested(let request, let call, let message, let flow):
      requested(request, call, message, flow, now: now)
    case .responded(let request, _, let message): responded(request, status: message.status, message, now: now)
    case .failed(let request, _, let failure):
      responded(request, status: failure == .timeout ? 408 : 503, nil, now: now)
    case .notified(let subscription, let message):
      guard case .control(let name, let generation)? = context.subscriptions[subscription] else { return }
      guard conferences[name]?.control?.generation == generation else { return }
      conferences[name]?.notified(message, now: now, in: &context)
      settle(name)
    case .subscriptionAccepted: break
    case .subscriptionRefreshed(let subscription, _):
      guard case .watcher(let name)? = context.subscriptions[subscription] else { return }
      conferences[name]?.refreshWatcher(subscription, now: now, in: &context)
      settle(name)
    case .subscriptionEnded(let subscription, _): subscriptionEnded(subscription, now: now)
    }
  }

  /// Gives an event to the conference that the call belongs to. Calls that were hung up have no owner any more.
  private mutating func dispatch(
    _ call: CallHandle, isOver: Bool = false,
    _ body: (inout FocusUserAgent, CallOwner, inout SIPContext) -> Void
  ) {
    guard let owner = context.calls[call] else { return }
    if isOver { context.calls[call] = nil }
    guard var conference = conferences[owner.conference] else { return }
    if case .control(_, let generation) = owner, conference.control?.generation != generation { return }
    // Taken out meanwhile, so that it is changed in place.
    conferences[owner.conference] = nil
    body(&conference, owner, &context)
    conferences[owner.conference] = conference
    settle(owner.conference)
  }

  private mutating func invited(_ call: CallHandle, _ message: SIPMessage, _ flow: SIPFlow, now: Instant) {
    do throws(ConferencingError) {
      let (name, entity) = try conference(of: message, over: flow)
      let joiner = try Joiner(message)
      let body = try SignallingBody(of: message)
      // C3P clients join with addUser and no session description; that door is not built.
      guard body.description != nil || body.document == nil else { throw .unsupportedBody }
      if conferences[name] == nil {
        guard configuration.openMeetings else { throw .conferenceDoesNotExist }
        guard conferences.count < configuration.maximumConferences else { throw .overloaded }
        conferences[name] = FocusUserAgent(name: name, entity: entity, configuration: configuration)
        context.outputs.append(.record(.conferenceStarted(name, entity: entity, at: now)))
        context.log(ConferencingLogEvent(.conferenceStarted, conference: name, callID: message.callID))
      }
      let id = ParticipantID(nextParticipant)
      nextParticipant &+= 1
      conferences[name]?.invited(
        call, as: id, joiner: joiner, offer: body.description, now: now, in: &context)
      settle(name)
    } catch {
      context.log(ConferencingLogEvent(.refused(error), callID: message.callID))
      var answer = error.answer
      if error == .unsupportedBody { answer.headers.append(("Accept", "application/sdp, multipart/mixed")) }
      context.userAgent.reject(
        call, status: answer.status, reason: answer.phrase, headers: context.headers(of: answer), now: now,
        into: &context.queue)
    }
  }

  /// - Throws: `.conferenceDoesNotExist` for a domain that is not ours, or a user part that is no name.
  private func conference(
    of message: SIPMessage, over flow: SIPFlow
  ) throws(ConferencingError) -> (ConferenceName, entity: String) {
    guard let uri = try? message.requestURI,
      case .conference(let name, let entity) = directory.destination(of: uri, over: flow)
    else { throw .conferenceDoesNotExist }
    return (name, entity)
  }

  // MARK: Requests

  private mutating func requested(
    _ request: ServerRequestHandle, _ call: CallHandle?, _ message: SIPMessage, _ flow: SIPFlow, now: Instant
  ) {
    if let call {
      guard message.method == .info else {
        context.respond(to: request, .notBuilt, now: now)
        return
      }
      guard context.calls[call] != nil else {
        context.respond(to: request, .conferenceDoesNotExist, now: now)
        return
      }
      dispatch(call) { conference, owner, context in
        switch owner {
        case .phone(_, let id): conference.phoneInfo(request, message, from: id, now: now, in: &context)
        case .server(_, let id): conference.serverInfo(request, message, leg: id, now: now, in: &context)
        case .control: conference.serverInfo(request, message, leg: nil, now: now, in: &context)
        }
      }
      return
    }
    var changes: [ConferencingServerFactory.Output] = []
    do throws(ConferencingError) {
      switch message.method {
      case .register:
        let headers = try registrar.register(message, from: flow, now: now, in: &context, into: &changes)
        context.respond(to: request, headers: headers, now: now)
      case .publish:
        let headers = try registrar.publish(message, from: flow, now: now, in: &context, into: &changes)
        context.respond(to: request, headers: headers, now: now)
      case .subscribe: try subscribe(request, message, flow, now: now)
      case .invite, .ack, .bye, .cancel, .options, .notify, .info, .update, .prack, .refer, .message, .service, .other:
        throw .notBuilt
      }
    } catch {
      context.log(ConferencingLogEvent(.refused(error), callID: message.callID))
      let extra = error == .unknownEventPackage ? [HeaderField("Allow-Events", "conference, mcu-status")] : []
      context.respond(to: request, error, headers: extra, now: now)
    }
    apply(changes, now: now)
  }

  private mutating func subscribe(
    _ request: ServerRequestHandle, _ message: SIPMessage, _ flow: SIPFlow, now: Instant
  ) throws(ConferencingError) {
    guard message.parameterized(.event)?.value == "conference" else { throw .unknownEventPackage }
    guard Self.acceptsConferenceInfo(message) else { throw .notAcceptable }
    let (name, _) = try conference(of: message, over: flow)
    guard let conference = conferences[name] else { throw .conferenceDoesNotExist }
    guard !conference.subscriptions.isFull else { throw .overloaded }
    let asked = message.expires ?? Limits.subscriptionDefaultSeconds
    // Expires 0 asks for the state once.
    guard asked == 0 || asked >= Limits.subscriptionMinimumSeconds else {
      throw .intervalTooBrief(minimumSeconds: Limits.subscriptionMinimumSeconds)
    }
    guard
      let subscription = context.userAgent.acceptSubscription(
        of: request, expiresSeconds: UInt32(min(asked, Limits.subscriptionMaximumSeconds)), contactUser: name.text,
        isFocus: true, now: now, into: &context.queue)
    else { return }
    context.subscriptions[subscription] = .watcher(name)
    context.log(ConferencingLogEvent(.subscriptionStarted, conference: name, callID: message.callID))
    conferences[name]?.watch(subscription, now: now, in: &context)
    settle(name)
  }

  /// Without Accept the package's own type is accepted (RFC 4575 §3.3).
  private static func acceptsConferenceInfo(_ message: SIPMessage) -> Bool {
    let accepted = message.all(.accept)
    guard !accepted.isEmpty else { return true }
    return accepted.contains { value in
      let type = value.prefix { $0 != ";" }.trimmingSpaces.lowercased()
      return type == "application/conference-info+xml" || type == "application/*" || type == "*/*"
    }
  }

  private mutating func responded(
    _ request: RequestHandle, status: Int, _ message: SIPMessage?, now: Instant
  ) {
    guard let owner = context.requests.removeValue(forKey: request) else { return }
    switch owner {
    case .command(let name, let generation, let requestID):
      guard conferences[name]?.control?.generation == generation else { return }
      conferences[name]?.commandAnswered(
        requestID: requestID, status: status, message, now: now, in: &context)
      settle(name)
    case .probe(let id):
      var changes: [ConferencingServerFactory.Output] = []
      registrar.probed(id, answered: message != nil, in: &context, into: &changes)
      apply(changes, now: now)
    }
  }

  private mutating func subscriptionEnded(_ subscription: SubscriptionHandle, now: Instant) {
    guard let owner = context.subscriptions.removeValue(forKey: subscription) else { return }
    switch owner {
    case .watcher(let name):
      conferences[name]?.subscriptions.remove(subscription)
      context.log(ConferencingLogEvent(.subscriptionEnded, conference: name))
      settle(name)
    case .control(let name, let generation):
      guard conferences[name]?.control?.generation == generation else { return }
      conferences[name]?.controlSubscriptionEnded(now: now, in: &context)
      settle(name)
    }
  }
}

extension Joiner {
  /// The caller as From has him; open meetings ask for no proof.
  init(_ message: SIPMessage) throws(ConferencingError) {
    guard let from = try? message.from else { throw .badRequest("Bad From") }
    var uri = from.uri
    uri.parameters = SIPParameters()
    uri.headers = SIPParameters()
    uri.password = nil
    let entity = uri.text
    guard entity.utf8.count <= Limits.userEntityLength, message.callID.utf8.count <= Limits.userEntityLength else {
      throw .badRequest("From or Call-ID Too Long")
    }
    let name = from.displayName.map { name in
      String(
        String.UnicodeScalarView(
          name.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }
            .prefix(Limits.displayNameLength)))
    }
    self.init(userEntity: entity, displayName: name.flatMap { $0.isEmpty ? nil : $0 }, callID: message.callID)
  }
}
