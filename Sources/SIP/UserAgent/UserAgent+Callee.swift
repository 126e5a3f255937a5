//  UserAgent+Callee.swift: the peer's initial INVITE, our responses and its ACK (RFC 3261 §13.3, RFC 3262 §3).
import Primitives

extension UserAgent {
  mutating func handleInvite(_ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    let message = request.message
    guard calls.count < configuration.limits.calls else { return answer(request, 503, headers: [retryAfter], now) }
    let localTag = random.token(10)
    let dialog: Dialog
    do throws(SIPParseError) {
      dialog = try Dialog(
        accepting: message, over: request.flow, localTag: localTag, maximumRoutes: configuration.limits.routes)
    } catch { return answer(request, error.status, reason: error.reason, now) }
    var session = InviteSession(
      handle: CallHandle(number: takeNumber()), state: .incoming, callID: message.callID, localTag: localTag,
      contactUser: nil, isFocus: false, timer: SessionTimer(policy: configuration.sessionTimer))
    session.notePeer(message)
    if case .tooSmall(let minimum) = session.timer.takeRequest(message, session.peerSupportsTimer) {
      return answer(request, 422, headers: [HeaderField("Min-SE", "\(minimum)")], now)
    }
    session.dialog = dialog
    session.transaction = request.transaction
    session.incoming = PendingInvite(transaction: request.transaction, request: message, flow: request.flow)
    session.reliable.isRequired = message.lists("100rel", in: .require)
    calls[session.handle] = session
    owners[session.half] = .call(session.handle)
    servers[request.transaction] = session.handle
    timers.set(.call(session.handle, .ringing), at: now + configuration.ringingTimeout)
    outputs.append(.event(.invited(session.handle, message, request.flow)))
  }

  /// A response to an INVITE or UPDATE, with Contact and, for 2xx, what we can and the session timer.
  func sessionResponse(
    _ session: InviteSession, _ status: Int, to message: SIPMessage, from flow: SIPFlow, headers: [HeaderField],
    body: MessageBody?
  ) -> SIPMessageBuilder {
    var builder = response(status, to: message, from: flow, toTag: session.localTag)
    builder.add(.contact, contact(user: session.contactUser, isFocus: session.isFocus, flow))
    if status >= 200 {
      addCapabilities(&builder)
      for field in session.timer.responseFields(peerSupportsTimer: session.peerSupportsTimer) {
        builder.add(name: field.name, field.value)
      }
    } else {
      builder.add(.allow, allow)
    }
    finish(&builder, headers, body)
    return builder
  }

  /// The 2xx to the initial INVITE.
  mutating func sendAnswer(_ call: CallHandle, body: MessageBody?, headers: [HeaderField], _ now: Instant) {
    guard calls[call]?.state.handle(.answer) == .respond, let session = calls[call], let incoming = session.incoming
    else { return }
    let builder = sessionResponse(
      session, 200, to: incoming.request, from: incoming.flow, headers: headers, body: body)
    calls[call]?.incoming = nil
    calls[call]?.dialog?.isEarly = false
    calls[call]?.renegotiation.lastLocalBody = body
    calls[call]?.reliable.underWay = nil
    calls[call]?.reliable.queued = []
    timers.remove(.call(call, .ringing))
    timers.remove(.call(call, .provisional))
    send2xx(call, builder, incoming.transaction, incoming.request, now)
    startSessionTimer(call, now)
  }

  /// A 2xx to INVITE, repeated until its ACK: at first after T1, then ever later up to T2 (§13.3.1.4), on streams too.
  mutating func send2xx(
    _ call: CallHandle, _ builder: SIPMessageBuilder, _ id: TransactionID, _ request: SIPMessage, _ now: Instant
  ) {
    transactions.respond(id, with: builder, now: now, into: &queue)
    let timing = configuration.timers
    calls[call]?.unacknowledged = Unacknowledged(
      transaction: id, cseq: (try? request.cseq.number) ?? 0, interval: timing.t1, giveUpAt: now + timing.patience)
    timers.set(.call(call, .acknowledgement), at: now + timing.t1)
  }

  mutating func repeat2xx(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let waiting = calls[call]?.unacknowledged else { return }
    if now >= waiting.giveUpAt {
      calls[call]?.unacknowledged = nil
      return leave(call, .noACK, end: .noACK, now, &outputs)
    }
    transactions.repeatResponse(waiting.transaction, into: &queue)
    let interval = min(waiting.interval * 2, configuration.timers.t2)
    calls[call]?.unacknowledged?.interval = interval
    timers.set(.call(call, .acknowledgement), at: min(now + interval, waiting.giveUpAt))
  }

  /// The ACK of a 2xx. It has a transaction of its own, so only the dialog and the CSeq tell what it belongs to.
  mutating func handleACK(_ message: SIPMessage, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let tag = message.toTag, let number = try? message.cseq.number,
      case .call(let call)? = owners[HalfDialogID(callID: message.callID, localTag: tag)],
      let session = calls[call], session.dialog?.id.remoteTag == message.fromTag ?? "",
      let waiting = session.unacknowledged, waiting.cseq == number
    else { return }
    calls[call]?.unacknowledged = nil
    timers.remove(.call(call, .acknowledgement))
    if session.state.isOpen { outputs.append(.event(.acknowledged(call, message))) }
    leave(call, .ack, end: .local, now, &outputs)
    proposeQueued(call, now, &outputs)
  }

  // MARK: Provisional responses

  mutating func sendProvisional(_ call: CallHandle, _ provisional: ReliableProvisionals.Provisional, _ now: Instant) {
    guard let session = calls[call], let incoming = session.incoming else { return }
    var headers = provisional.headers
    if session.reliable.isRequired {
      guard session.reliable.underWay == nil else {
        // The oldest news is worth least.
        if session.reliable.queued.count >= ReliableProvisionals.maximumQueued {
          calls[call]?.reliable.queued.removeFirst()
        }
        calls[call]?.reliable.queued.append(provisional)
        return
      }
      // RFC 3262 §3: the first RSeq is random below 2³¹, then one more each.
      let rseq = (session.reliable.lastRSeq ?? random.nextWord() >> 2) + 1
      headers += [HeaderField("Require", "100rel"), HeaderField("RSeq", "\(rseq)")]
      let timing = configuration.timers
      calls[call]?.reliable.lastRSeq = rseq
      calls[call]?.reliable.underWay = .init(
        rseq: rseq, hasBody: provisional.body != nil, interval: timing.t1, giveUpAt: now + timing.patience)
      timers.set(.call(call, .provisional), at: now + timing.t1)
    }
    let builder = sessionResponse(
      session, provisional.status, to: incoming.request, from: incoming.flow, headers: headers,
      body: provisional.body)
    transactions.respond(incoming.transaction, with: builder, now: now, into: &queue)
  }

  mutating func repeatProvisional(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let underWay = calls[call]?.reliable.underWay, let incoming = calls[call]?.incoming else { return }
    if now >= underWay.giveUpAt {
      return refuse(
        call, .rangTooLong, 504, reason: "No PRACK", headers: [], body: nil, end: .unanswered, now, &outputs)
    }
    transactions.repeatResponse(incoming.transaction, into: &queue)
    calls[call]?.reliable.underWay?.interval = underWay.interval * 2
    timers.set(.call(call, .provisional), at: min(now + underWay.interval * 2, underWay.giveUpAt))
  }

  /// PRACK (RFC 3262 §3). A description in it is refused unless it answers the offer in our provisional.
  mutating func handlePrack(
    _ call: CallHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let message = request.message
    let rack = (message.first(.rack) ?? "").split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard let session = calls[call] else { return }
    guard let underWay = session.reliable.underWay, let incoming = session.incoming,
      let cseq = try? incoming.request.cseq.number
    else {
      // The PRACK that our final response overtook (§3).
      let isLast = session.reliable.lastRSeq.map { "\($0)" == rack.first ?? "" } ?? false
      return answer(request, isLast ? 200 : 481, now)
    }
    guard rack.count == 3 else { return answer(request, 400, reason: "Bad RAck Header", now) }
    guard rack[0] == "\(underWay.rseq)", rack[1] == "\(cseq)", rack[2] == "INVITE" else {
      return answer(request, 481, now)
    }
    let isAnswer = incoming.request.body.isEmpty && underWay.hasBody
    if !message.body.isEmpty, !isAnswer { return answer(request, 488, now) }
    answer(request, 200, now)
    timers.remove(.call(call, .provisional))
    calls[call]?.reliable.underWay = nil
    if isAnswer, !message.body.isEmpty { outputs.append(.event(.acknowledged(call, message))) }
    if let held = session.reliable.heldAnswer {
      calls[call]?.reliable.heldAnswer = nil
      sendAnswer(call, body: held.body, headers: held.headers, now)
    } else if !session.reliable.queued.isEmpty, let next = calls[call]?.reliable.queued.removeFirst() {
      sendProvisional(call, next, now)
    }
  }
}

extension SessionTimer {
  mutating func takeRequest(_ message: SIPMessage, _ peerSupportsTimer: Bool) -> Verdict {
    takeRequest(
      message.sessionExpires, minimum: message.minimumSessionExpires, peerSupportsTimer: peerSupportsTimer)
  }
}
