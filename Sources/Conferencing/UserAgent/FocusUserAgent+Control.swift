//  FocusUserAgent+Control.swift: the control dialog with the media host, and commands through it (control protocol P3–P6).

import ConferenceDocuments
import Primitives
import SIP

extension FocusUserAgent {
  // MARK: From the user agent and the factory

  mutating func controlAnswered(_ message: SIPMessage, now: Instant, in context: inout SIPContext) {
    guard let control, case .inviting = control.state else { return }  // a session refresh
    let contact = (try? message.contacts)?.first?.uri.text
    let response = (try? SignallingBody(of: message))?.response
    handle(.answered(contact: contact, response: response), now: now, in: &context)
  }

  mutating func controlRefused(
    status: Int, _ message: SIPMessage?, now: Instant, in context: inout SIPContext
  ) {
    controlCall = nil
    let error = ConferencingError(serverStatus: status, warning: message?.first(.warning))
    handle(.refused(error), now: now, in: &context)
  }

  /// The control dialog is over, or the factory says that the host is down.
  mutating func controlLost(now: Instant, in context: inout SIPContext) {
    handle(.lost, now: now, in: &context)
  }

  mutating func notified(_ message: SIPMessage, now: Instant, in context: inout SIPContext) {
    guard let control, !message.body.isEmpty else { return }
    guard let document = try? ConferenceInfo(parsing: message.body, limits: .roster) else {
      context.log(
        ConferencingLogEvent(
          .unreadableDocument(control.server), conference: name, callID: message.callID))
      return
    }
    handle(.notified(document), now: now, in: &context)
  }

  mutating func controlSubscriptionEnded(now: Instant, in context: inout SIPContext) {
    controlSubscription = nil
    handle(.subscriptionEnded, now: now, in: &context)
  }

  mutating func commandAnswered(
    requestID: UInt64, status: Int, _ message: SIPMessage?, now: Instant, in context: inout SIPContext
  ) {
    let response = message.flatMap { try? SignallingBody(of: $0) }?.response
    handle(.commandAnswered(requestID: requestID, status: status, response: response), now: now, in: &context)
  }

  /// An INFO of the media host, in the control dialog or a leg's: the result of a command, or a telephone key.
  mutating func serverInfo(
    _ request: ServerRequestHandle, _ message: SIPMessage, leg: ParticipantID?, now: Instant,
    in context: inout SIPContext
  ) {
    if Self.isDigit(message) {
      context.log(ConferencingLogEvent(.digit, conference: name, leg: leg, callID: message.callID))
      context.respond(to: request, now: now)
      return
    }
    guard let response = (try? SignallingBody(of: message))?.response else {
      context.respond(to: request, .unsupportedBody, headers: [Self.acceptedInfo], now: now)
      return
    }
    context.respond(to: request, now: now)
    handle(
      .commandAnswered(requestID: response.requestID, status: 200, response: response), now: now, in: &context)
  }

  // MARK: Commands

  /// What the host hears from this participant is blocked or let through.
  mutating func mute(
    _ id: ParticipantID, _ muted: Bool, waiter: CommandWaiter? = nil, now: Instant, in context: inout SIPContext
  ) throws(ConferencingError) {
    guard let participant = focus.participants[id], let endpoint = focus.roster.endpoint(of: id) else {
      throw .participantDoesNotExist
    }
    guard control?.contact != nil else { throw .serverUnreachable }
    let audio = endpoint.media.first { $0.type == "audio" }
    let keys = MediaKeys(
      conference: entity, user: participant.joiner.userEntity, endpoint: participant.endpointEntity,
      media: audio?.id ?? "1")
    var media = ConferenceInfo.Media(id: keys.media, type: "audio")
    media.ingressFilter = muted ? .block : .unblock
    handle(.command(.modifyEndpointMedia(keys, media), waiter: waiter), now: now, in: &context)
  }

  /// An INFO in a phone's dialog: a telephone key, or a C3P command. A participant may see the roster and mute himself;
  /// other commands need roles, which this system does not have yet, and are declined.
  mutating func phoneInfo(
    _ request: ServerRequestHandle, _ message: SIPMessage, from id: ParticipantID, now: Instant,
    in context: inout SIPContext
  ) {
    if Self.isDigit(message) {
      context.log(ConferencingLogEvent(.digit, conference: name, leg: id, callID: message.callID))
      context.respond(to: request, now: now)
      return
    }
    guard !message.body.isEmpty else {
      context.respond(to: request, now: now)
      return
    }
    guard message.contentType?.name == C3PRequest.contentType else {
      context.respond(to: request, .unsupportedBody, headers: [Self.acceptedInfo], now: now)
      return
    }
    guard case .request(let command)? = try? C3PMessage(parsing: message.body) else {
      context.respond(to: request, .badDocument, now: now)
      return
    }
    switch command.command {
    case .getConference:
      var result = C3PResponse.Result()
      result.conference = focus.roster.document(of: entity, serverURI: serverURI, version: 0)
      let response = C3PResponse(to: command, code: .success, result: result)
      context.respond(
        to: request, body: MessageBody(contentType: C3PRequest.contentType, bytes: response.encoded()), now: now)
    case .modifyEndpointMedia(let keys, let media)
    where keys.endpoint == focus.participants[id]?.endpointEntity && media.ingressFilter != nil:
      let waiter = CommandWaiter(request: request, command: command)
      do {
        try mute(id, media.ingressFilter == .block, waiter: waiter, now: now, in: &context)
      } catch {
        decline(request, command, error, now: now, in: &context)
      }
    case .modifyEndpointMedia, .addConference, .deleteConference, .modifyConference, .modifyConferenceLock, .addUser,
      .deleteUser, .modifyUserRoles, .unknown:
      decline(request, command, .unsupportedCommand, now: now, in: &context)
    }
  }

  private func decline(
    _ request: ServerRequestHandle, _ command: C3PRequest, _ error: ConferencingError, now: Instant,
    in context: inout SIPContext
  ) {
    let answer = error.answer
    let response = C3PResponse(to: command, code: .failure, reason: C3PReason(rawValue: answer.c3pReason))
    context.userAgent.respond(
      to: request, status: answer.status, reason: answer.phrase, headers: context.headers(of: answer),
      body: MessageBody(contentType: C3PRequest.contentType, bytes: response.encoded()), now: now,
      into: &context.queue)
  }

  private static let acceptedInfo = HeaderField("Accept", "application/dtmf-relay, application/cccp+xml")

  private static func isDigit(_ message: SIPMessage) -> Bool {
    let type = message.contentType?.name
    return type == "application/dtmf-relay" || type == "application/dtmf"
  }

  // MARK: The control dialog's machine

  mutating func provision(
    excluding excluded: Set<ConferencingServerID>, now: Instant, in context: inout SIPContext
  ) {
    stopControl(now: now, in: &context)
    let choice: ConferencingServerFactory.Choice
    do {
      choice = try context.factory.choose(.audioVideo, for: name, excluding: excluded, now: now)
    } catch {
      feed(.serverRefused(nil, error), now: now, in: &context)
      return
    }
    firstLease = (choice.lease, choice.server)
    control = HostControl(
      server: choice.server, generation: context.nextGeneration, conference: entity, serverURI: serverURI,
      size: UInt32(clamping: focus.participants.count), timeout: context.configuration.serverTimeout, now: now)
    context.nextGeneration &+= 1
    handle(.start, now: now, in: &context)
  }

  mutating func stopControl(now: Instant, in context: inout SIPContext) {
    handle(.stop, now: now, in: &context)
    control = nil
    if let lease = firstLease { context.factory.release(lease.id, on: lease.server) }
    firstLease = nil
  }

  private mutating func handle(_ input: HostControl.Input, now: Instant, in context: inout SIPContext) {
    guard var control else { return }
    var outputs: [HostControl.Output] = []
    control.handle(input, now: now, into: &outputs)
    self.control = control
    perform(outputs, now: now, in: &context)
    updateWatchers(now: now, in: &context)
  }

  mutating func perform(_ outputs: [HostControl.Output], now: Instant, in context: inout SIPContext) {
    guard let control else { return }
    let server = context.factory.servers[control.server]
    for output in outputs {
      switch output {
      case .invite(let request):
        guard let server else {
          feed(.serverRefused(control.server, .serverUnreachable), now: now, in: &context)
          continue
        }
        let host = context.configuration.listen.values.first?.host ?? "0.0.0.0"
        var invitation = Invitation(
          target: server.contact, from: "<\(entity)>", to: "<\(serverURI)>", flow: server.flow,
          body: SignallingBody.encoded(SignallingBody.emptyOffer(host: host), request))
        invitation.isFocus = true
        invitation.contactUser = name.text
        invitation.headers = [HeaderField("Recv-Info", "cccp")]
        invitation.sessionTimer = context.configuration.controlSessionTimer
        let call = context.userAgent.invite(invitation, now: now, into: &context.queue)
        context.calls[call] = .control(name, generation: control.generation)
        controlCall = call
      case .hangUp:
        if let call = controlCall { context.hangUp(call, reason: nil, now: now) }
        controlCall = nil
      case .subscribe(let target):
        let subscription = OutgoingSubscription(
          target: target, from: "<\(entity)>", to: "<\(serverURI)>", event: "conference",
          accept: [ConferenceInfo.contentType], flow: server?.flow)
        let handle = context.userAgent.subscribe(subscription, now: now, into: &context.queue)
        context.subscriptions[handle] = .control(name, generation: control.generation)
        controlSubscription = handle
      case .unsubscribe:
        guard let subscription = controlSubscription else { continue }
        context.subscriptions[subscription] = nil
        controlSubscription = nil
        context.userAgent.endSubscription(subscription, now: now, into: &context.queue)
      case .send(let request):
        guard let call = controlCall else { continue }
        let handle = context.userAgent.request(
          .info, in: call, body: MessageBody(contentType: C3PRequest.contentType, bytes: request.encoded()), now: now,
          into: &context.queue)
        context.requests[handle] = .command(
          name, generation: control.generation, requestID: request.requestID)
      case .finish(let waiter, let code, let reason):
        if code == .success {
          let response = C3PResponse(to: waiter.command, code: .success)
          context.respond(
            to: waiter.request,
            body: MessageBody(contentType: C3PRequest.contentType, bytes: response.encoded()), now: now)
        } else {
          decline(waiter.request, waiter.command, .refusedCommand(reason?.rawValue), now: now, in: &context)
        }
      case .log(let what): context.log(ConferencingLogEvent(what, conference: name))
      case .report(let input): feed(input, now: now, in: &context)
      }
    }
  }
}
