//  UserAgent+Calls.swift: what the user says about calls: invite, ring, answer, reject, hang up (RFC 3261 §13–§15).
import Primitives

extension UserAgent {
  // MARK: Caller

  public mutating func invite(
    _ invitation: Invitation, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> CallHandle {
    let handle = CallHandle(number: takeNumber())
    let localTag = random.token(10)
    let callID = invitation.callID ?? random.token(20)
    guard calls.count < configuration.limits.calls, let from = Self.party(invitation.from, tag: localTag),
      Self.party(invitation.to, tag: nil) != nil
    else {
      outputs.append(.event(.refused(handle, status: 503, nil)))
      return handle
    }
    var session = InviteSession(
      handle: handle, state: .calling, callID: callID, localTag: localTag, contactUser: invitation.contactUser,
      isFocus: invitation.isFocus, timer: SessionTimer(policy: invitation.sessionTimer ?? configuration.sessionTimer))
    session.outgoing = OutgoingInvite(
      invitation: invitation, localParty: from, cseq: 1,
      flows: initialFlows(invitation.flow, routes: invitation.routes, target: invitation.target))
    calls[handle] = session
    owners[session.half] = .call(handle)
    timers.set(.call(handle, .ringing), at: now + configuration.ringingTimeout)
    if !sendInvite(handle, now) { handleInviteFailure(handle, status: 503, &outputs) }
    work(now, &outputs)
    return handle
  }

  /// The initial INVITE, the first time or again with a longer session interval.
  mutating func sendInvite(_ call: CallHandle, _ now: Instant) -> Bool {
    guard let session = calls[call], let outgoing = session.outgoing, let flow = outgoing.flows.first else {
      return false
    }
    let invitation = outgoing.invitation
    var builder = builder(
      .invite, uri: invitation.target, routes: invitation.routes, from: outgoing.localParty,
      to: Self.party(invitation.to, tag: nil) ?? invitation.to, callID: session.callID, cseq: outgoing.cseq)
    builder.add(.contact, contact(user: session.contactUser, isFocus: session.isFocus, flow))
    addCapabilities(&builder)
    for field in session.timer.requestFields() { builder.add(name: field.name, field.value) }
    finish(&builder, invitation.headers, invitation.body)
    guard case .success(let id) = send(builder, over: outgoing.flows, as: .invite(call), now) else { return false }
    calls[call]?.transaction = id
    return true
  }

  /// The ACK with our answer, after an INVITE or re-INVITE that we sent without an offer.
  public mutating func acknowledge(
    _ call: CallHandle, body: MessageBody?, now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    if calls[call]?.state == .owing {
      _ = calls[call]?.state.handle(.acknowledge)
      if let session = calls[call], let id = session.transaction, let cseq = session.outgoing?.cseq {
        sendACK(call, id, cseq: cseq, body: body)
      }
      calls[call]?.outgoing = nil
      calls[call]?.renegotiation.lastLocalBody = body
    } else if let owed = calls[call]?.renegotiation.owed {
      calls[call]?.renegotiation.owed = nil
      sendACK(call, owed.transaction, cseq: owed.cseq, body: body)
      if let body { calls[call]?.renegotiation.lastLocalBody = body }
    }
    proposeQueued(call, now, &outputs)
    work(now, &outputs)
  }

  /// ACK in the call's dialog, kept so that a repeated 2xx gets it again.
  mutating func sendACK(_ call: CallHandle, _ id: TransactionID, cseq: UInt32, body: MessageBody?) {
    guard let dialog = calls[call]?.dialog else { return }
    sendACK(dialog, id, cseq: cseq, body: body)
  }

  mutating func sendACK(_ dialog: Dialog, _ id: TransactionID, cseq: UInt32, body: MessageBody?) {
    guard let flow = flows(for: dialog).first else { return }
    var ack = builder(.ack, in: dialog, cseq: cseq)
    finish(&ack, [], body)
    let bytes = transactions.sendACK(ack, over: flow, into: &queue)
    clients[id]?.acknowledgements.append(
      .init(remoteTag: dialog.id.remoteTag, bytes: bytes, flow: flow))
  }

  // MARK: Callee

  /// Sets our Contact of this call: in provisional and final responses, re-INVITEs and their responses.
  public mutating func identify(_ call: CallHandle, contactUser: String?, isFocus: Bool) {
    calls[call]?.contactUser = contactUser
    calls[call]?.isFocus = isFocus
  }

  private mutating func note(_ call: CallHandle, _ contactUser: String?, _ isFocus: Bool?) {
    if let contactUser { calls[call]?.contactUser = contactUser }
    if let isFocus { calls[call]?.isFocus = isFocus }
  }

  /// A provisional response to the INVITE that is pending.
  ///
  /// When the caller requires 100rel it is sent reliably (RFC 3262), one after the other.
  /// - Parameter status: 101…199, usually 180…183.
  /// - Parameter contactUser: user part of our Contact from now on, `nil`: as it was, at first the configuration's.
  /// - Parameter isFocus: `isfocus` in our Contact from now on; `nil`: as it was, at first without.
  public mutating func ring(
    _ call: CallHandle, status: Int = 180, contactUser: String? = nil, isFocus: Bool? = nil,
    headers: [HeaderField] = [], body: MessageBody? = nil, now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    guard (101...199).contains(status), calls[call]?.state.handle(.ring) == .respond else { return }
    note(call, contactUser, isFocus)
    sendProvisional(call, .init(status: status, headers: headers, body: body), now)
    work(now, &outputs)
  }

  /// 200 to the INVITE, re-INVITE or UPDATE that is pending. Contact as in `ring`.
  public mutating func answer(
    _ call: CallHandle, body: MessageBody?, contactUser: String? = nil, isFocus: Bool? = nil,
    headers: [HeaderField] = [], now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    guard let session = calls[call], session.state.isOpen else { return }
    note(call, contactUser, isFocus)
    if session.state == .incoming || session.state == .ringing {
      if let underWay = session.reliable.underWay, underWay.hasBody {
        // RFC 3262 §5: with a description in an unacknowledged provisional the 2xx has to wait for its PRACK.
        calls[call]?.reliable.heldAnswer = (body, headers)
      } else {
        sendAnswer(call, body: body, headers: headers, now)
      }
    } else {
      answerOffer(call, body: body, headers: headers, now, &outputs)
    }
    work(now, &outputs)
  }

  /// A final refusal of the INVITE (the call is over), re-INVITE or UPDATE (the call goes on) that is pending.
  public mutating func reject(
    _ call: CallHandle, status: Int, reason: String? = nil, headers: [HeaderField] = [], body: MessageBody? = nil,
    now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    guard let session = calls[call], session.state.isOpen, status >= 300 else { return }
    if session.state == .incoming || session.state == .ringing {
      refuse(call, .reject, status, reason: reason, headers: headers, body: body, end: .local, now, &outputs)
    } else if let received = session.renegotiation.received {
      rejectOffer(call, received, status, reason: reason, headers: headers, body: body, now)
      proposeQueued(call, now, &outputs)
    }
    work(now, &outputs)
  }

  // MARK: Both

  /// Ends the call by CANCEL, BYE or a final response, as its state wants; `.ended(_, .local)` comes at once.
  /// - Parameter status: the final response to an INVITE that is pending.
  /// - Parameter reason: value of the Reason header (RFC 3326): `SIP;cause=200;text="moved"`.
  public mutating func hangUp(
    _ call: CallHandle, status: Int = 480, reason: String? = nil, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {
    guard let state = calls[call]?.state, state.isOpen else { return }
    let fields = (reason.map { [HeaderField("Reason", $0)] } ?? []) + headers
    if state == .incoming || state == .ringing {
      refuse(call, .hangUp, max(status, 300), reason: nil, headers: fields, body: nil, end: .local, now, &outputs)
    } else {
      calls[call]?.byeHeaders = fields
      leave(call, .hangUp, end: .local, now, &outputs)
    }
    work(now, &outputs)
  }
}
