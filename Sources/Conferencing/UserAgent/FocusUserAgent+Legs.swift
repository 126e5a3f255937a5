//  FocusUserAgent+Legs.swift: phones' calls, and the legs to the media host that serve them (control protocol P7).

import ConferenceDocuments
import Primitives
import SIP

extension FocusUserAgent {
  // MARK: From the user agent

  /// - Parameter offer: the phone's, unread.
  mutating func invited(
    _ call: CallHandle, as id: ParticipantID, joiner: Joiner, offer: MessageBody?, now: Instant,
    in context: inout SIPContext
  ) {
    context.calls[call] = .phone(name, id)
    let machine = ParticipantLeg(id: id, offer: offer, serverTimeout: context.configuration.serverTimeout)
    legs[id] = Leg(machine: machine, phone: call)
    drive(.join(id, joiner), now: now, in: &context)
  }

  /// The phone's call is over, not by us.
  mutating func phoneEnded(_ id: ParticipantID, _ end: CallEnd, now: Instant, in context: inout SIPContext) {
    drive(.leave(id, Self.cause(of: end)), now: now, in: &context)
    // The Focus knows nothing of a leg that it refused or dismissed before.
    if legs[id] != nil { handle(.close, of: id, now: now, in: &context) }
  }

  /// The media host's leg is over, not by us.
  mutating func serverEnded(_ id: ParticipantID, _ end: CallEnd, now: Instant, in context: inout SIPContext) {
    legs[id]?.server = nil
    let cause: LeaveCause =
      switch end {
      case .byReceived, .cancelled: .closedByServer
      case .sessionExpired, .noACK, .dialogLost, .transport, .unanswered, .local: .serverLost
      }
    handleAndUpdate(.serverEnded(cause), of: id, now: now, in: &context)
  }

  mutating func serverRefused(
    _ id: ParticipantID, status: Int, _ message: SIPMessage?, now: Instant, in context: inout SIPContext
  ) {
    legs[id]?.server = nil
    let error = ConferencingError(
      serverStatus: status, warning: message?.first(.warning), isOfferOfPhone: legs[id]?.machine.offer != nil)
    handleAndUpdate(.serverRefused(error), of: id, now: now, in: &context)
  }

  mutating func answered(
    _ side: ParticipantLeg.Side, _ id: ParticipantID, _ message: SIPMessage, now: Instant,
    in context: inout SIPContext
  ) {
    let body = try? SignallingBody(of: message)
    guard side == .server, case .inviting = legs[id]?.machine.state else {
      handleAndUpdate(.reofferAnswered(side, body: body?.description), of: id, now: now, in: &context)
      return
    }
    if let response = body?.response, response.code == .failure {
      if let call = legs[id]?.server { context.hangUp(call, reason: nil, now: now) }
      legs[id]?.server = nil
      handleAndUpdate(.serverRefused(HostControl.error(of: response.reason)), of: id, now: now, in: &context)
      return
    }
    let media = body?.response?.result.user?.endpoints.first?.media ?? []
    handleAndUpdate(
      .serverAnswered(
        body: body?.description, media: media.prefix(Limits.mediaPerEndpoint).map(RosterMedium.init)),
      of: id, now: now, in: &context)
  }

  mutating func acknowledged(
    _ side: ParticipantLeg.Side, _ id: ParticipantID, _ message: SIPMessage, now: Instant,
    in context: inout SIPContext
  ) {
    let body = (try? SignallingBody(of: message))?.description
    handleAndUpdate(.acknowledged(side, body: body), of: id, now: now, in: &context)
  }

  mutating func offered(
    _ side: ParticipantLeg.Side, _ id: ParticipantID, _ call: CallHandle, _ message: SIPMessage, now: Instant,
    in context: inout SIPContext
  ) {
    let body: SignallingBody
    do {
      body = try SignallingBody(of: message)
    } catch {
      context.reject(call, error, now: now)
      return
    }
    handleAndUpdate(.offered(side, body: body.description), of: id, now: now, in: &context)
  }

  mutating func reofferRefused(
    _ side: ParticipantLeg.Side, _ id: ParticipantID, status: Int, _ message: SIPMessage?, now: Instant,
    in context: inout SIPContext
  ) {
    let error = ConferencingError.refusedOffer(status: status, warning: message?.first(.warning))
    handleAndUpdate(.reofferRefused(side, error), of: id, now: now, in: &context)
  }

  private static func cause(of end: CallEnd) -> LeaveCause {
    switch end {
    case .byReceived, .local: .departed
    case .cancelled, .unanswered: .cancelled
    case .sessionExpired: .sessionExpired
    case .noACK, .dialogLost, .transport: .unreachable
    }
  }

  // MARK: The leg's machine

  private mutating func handleAndUpdate(
    _ input: ParticipantLeg.Input, of id: ParticipantID, now: Instant, in context: inout SIPContext
  ) {
    handle(input, of: id, now: now, in: &context)
    updateWatchers(now: now, in: &context)
  }

  mutating func handle(
    _ input: ParticipantLeg.Input, of id: ParticipantID, now: Instant, in context: inout SIPContext
  ) {
    guard var leg = legs[id] else { return }
    var outputs: [ParticipantLeg.Output] = []
    leg.machine.handle(input, now: now, into: &outputs)
    legs[id] = leg
    perform(outputs, of: id, now: now, in: &context)
  }

  mutating func perform(
    _ outputs: [ParticipantLeg.Output], of id: ParticipantID, now: Instant, in context: inout SIPContext
  ) {
    for output in outputs {
      guard let leg = legs[id] else { return }
      switch output {
      case .inviteServer(let offer): inviteServer(id, offer: offer, now: now, in: &context)
      case .answerPhone(let body):
        context.userAgent.answer(
          leg.phone, body: body, contactUser: name.text, isFocus: true, now: now, into: &context.queue)
      case .refusePhone(let error):
        context.calls[leg.phone] = nil
        context.reject(leg.phone, error, now: now)
      case .hangUp(.phone, let cause): context.hangUp(leg.phone, reason: cause.reasonHeader, now: now)
      case .hangUp(.server, let cause):
        legs[id]?.server = nil
        if let call = leg.server { context.hangUp(call, reason: cause.reasonHeader, now: now) }
      case .acknowledge(let side, let body):
        if let call = leg.call(side) {
          context.userAgent.acknowledge(call, body: body, now: now, into: &context.queue)
        }
      case .reoffer(let side, let body):
        guard let call = leg.call(side) else { continue }
        context.userAgent.reinvite(call, body: body, now: now, into: &context.queue)
      case .answer(let side, let body):
        guard let call = leg.call(side) else { continue }
        context.userAgent.answer(call, body: body, now: now, into: &context.queue)
      case .reject(let side, let error):
        if let call = leg.call(side) { context.reject(call, error, now: now) }
      case .report(let input):
        settleLease(of: id, input, in: &context)
        feed(input, now: now, in: &context)
      }
    }
    settle(id, in: &context)
  }

  /// The books after any input: deadline, lease, and the leg itself when it is closed.
  private mutating func settle(_ id: ParticipantID, in context: inout SIPContext) {
    guard let leg = legs[id] else { return }
    switch leg.machine.state {
    case .inviting: inviting.insert(id)
    case .waiting, .closed:
      inviting.remove(id)
      if let lease = leg.lease { context.factory.release(lease.id, on: lease.server) }
      legs[id]?.lease = nil
      if leg.machine.state == .closed {
        context.calls[leg.phone] = nil
        legs[id] = nil
      }
    case .answered, .confirming, .established, .renegotiating: inviting.remove(id)
    }
  }

  private mutating func settleLease(of id: ParticipantID, _ input: FocusInput, in context: inout SIPContext) {
    guard case .legAnswered = input, let lease = legs[id]?.lease else { return }
    context.factory.fulfil(lease.id, on: lease.server)
    legs[id]?.lease = nil
  }

  private mutating func inviteServer(
    _ id: ParticipantID, offer: MessageBody?, now: Instant, in context: inout SIPContext
  ) {
    guard let participant = focus.participants[id], let contact = control?.contact,
      let server = control.flatMap({ context.factory.servers[$0.server] })
    else {
      handle(.serverRefused(.serverUnreachable), of: id, now: now, in: &context)
      return
    }
    if let first = firstLease {
      legs[id]?.lease = first
      firstLease = nil
    } else {
      legs[id]?.lease = context.factory.promise(on: server.id, now: now).map { ($0, server.id) }
    }
    var endpoint = ConferenceInfo.Endpoint(
      entity: participant.endpointEntity, sessionType: ConferencingServerType.audioVideo.rawValue)
    endpoint.joiningMethod = .dialedIn
    let user = ConferenceInfo.User(
      entity: participant.joiner.userEntity, displayText: participant.joiner.displayName, roles: ["attendee"],
      endpoints: [endpoint])
    guard let request = control?.addUser(user) else { return }
    var invitation = Invitation(
      target: contact, from: "<\(entity)>", to: "<\(serverURI)>", flow: server.flow,
      body: SignallingBody.encoded(offer, request))
    invitation.expectsOffer = offer == nil
    invitation.isFocus = true
    invitation.contactUser = name.text
    invitation.headers = [HeaderField("P-Asserted-Identity", "<\(participant.joiner.userEntity)>")]
    let call = context.userAgent.invite(invitation, now: now, into: &context.queue)
    context.calls[call] = .server(name, id)
    legs[id]?.server = call
  }
}

extension FocusUserAgent.Leg {
  func call(_ side: ParticipantLeg.Side) -> CallHandle? { side == .phone ? phone : server }
}
