//  UserAgent+Renegotiation.swift: re-INVITE and UPDATE, both ways, glare, session refresh (RFC 3261 §14, 3311, 4028).
import Primitives

extension UserAgent {
  // MARK: Ours

  /// A re-INVITE: `.answered` or `.reofferRefused` follows. 491 is retried here (RFC 3261 §14.1).
  /// - Parameter expectsOffer: as in `Invitation`.
  public mutating func reinvite(
    _ call: CallHandle, body: MessageBody?, expectsOffer: Bool = false, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {
    propose(
      call, .init(method: .invite, body: body, headers: headers, expectsOffer: expectsOffer), now, &outputs)
    work(now, &outputs)
  }

  /// An UPDATE (RFC 3311): `.answered` or `.reofferRefused` follows.
  public mutating func update(
    _ call: CallHandle, body: MessageBody?, headers: [HeaderField] = [], now: Instant,
    into outputs: inout [UserAgentOutput]
  ) {
    propose(call, .init(method: .update, body: body, headers: headers), now, &outputs)
    work(now, &outputs)
  }

  private mutating func propose(
    _ call: CallHandle, _ offer: Renegotiation.Offer, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let session = calls[call], session.state.isOpen else { return }
    // One of ours at a time; a refresh makes way.
    let underWay = session.renegotiation.sent ?? session.renegotiation.owed
    if session.renegotiation.queued != nil || (underWay.map { !$0.offer.isRefresh } ?? false) {
      return outputs.append(.event(.reofferRefused(call, status: 491, nil)))
    }
    calls[call]?.renegotiation.queued = offer
    proposeQueued(call, now, &outputs)
  }

  /// Sends the offer that waits, if nothing is in its way.
  mutating func proposeQueued(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let session = calls[call], let offer = session.renegotiation.queued, session.canPropose(offer),
      var dialog = session.dialog
    else { return }
    calls[call]?.renegotiation.queued = nil
    let cseq = dialog.nextCSeq()
    var builder = builder(offer.method, in: dialog, cseq: cseq)
    builder.add(.contact, contact(user: session.contactUser, isFocus: session.isFocus, dialog.flow))
    addCapabilities(&builder)
    for field in session.timer.requestFields() { builder.add(name: field.name, field.value) }
    finish(&builder, offer.headers, offer.body)
    calls[call]?.dialog = dialog
    switch send(builder, over: flows(for: dialog), as: .offer(call), now) {
    case .success(let id): calls[call]?.renegotiation.sent = .init(offer: offer, transaction: id, cseq: cseq)
    case .failure: if !offer.isRefresh { outputs.append(.event(.reofferRefused(call, status: 503, nil))) }
    }
  }

  mutating func handleOfferResponse(
    _ call: CallHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    guard message.status >= 200 else { return }
    if message.status >= 300 { return handleOfferRefused(call, id, status: message.status, message, now, &outputs) }
    let tag = message.toTag ?? ""
    if let known = clients[id]?.acknowledgements.first(where: { $0.remoteTag == tag }) {
      return outputs.append(.transmit(known.bytes, known.flow))
    }
    guard let session = calls[call], let sent = session.renegotiation.sent, sent.transaction == id else {
      return acknowledgeForgotten(call, id, message, flow)
    }
    calls[call]?.renegotiation.sent = nil
    calls[call]?.dialog?.refreshTarget(from: message)
    calls[call]?.notePeer(message)
    calls[call]?.timer.takeResponse(message.sessionExpires)
    let offer = sent.offer
    let isDelayed = offer.method == .invite && (offer.body == nil || offer.expectsOffer) && !message.body.isEmpty
    if offer.method == .invite {
      if isDelayed, session.state.isOpen, !offer.isRefresh {
        calls[call]?.renegotiation.owed = sent
      } else {
        sendACK(call, id, cseq: sent.cseq, body: nil)
      }
    }
    guard session.state.isOpen else { return }
    if let body = offer.body, !offer.expectsOffer { calls[call]?.renegotiation.lastLocalBody = body }
    startSessionTimer(call, now)
    if !offer.isRefresh { outputs.append(.event(.answered(call, message))) }
    proposeQueued(call, now, &outputs)
  }

  /// A 2xx to a re-INVITE after its call was over: ACK, so that the peer stops; our BYE is on its way.
  private mutating func acknowledgeForgotten(
    _ call: CallHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow
  ) {
    guard message.method == .invite, calls[call]?.renegotiation.owed == nil,
      let cseq = try? message.cseq.number, let from = message.first(.from),
      let target = try? message.contacts.first?.uri.text,
      let dialog = calls[call]?.dialog
        ?? (try? Dialog(
          from: message, over: flow, localParty: from, localCSeq: cseq, fallbackTarget: target,
          maximumRoutes: configuration.limits.routes))
    else { return }
    sendACK(dialog, id, cseq: cseq, body: nil)
  }

  mutating func handleOfferRefused(
    _ call: CallHandle, _ id: TransactionID, status: Int, _ message: SIPMessage?, _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    guard let session = calls[call], let sent = session.renegotiation.sent, sent.transaction == id else { return }
    calls[call]?.renegotiation.sent = nil
    guard session.state.isOpen else { return }
    var offer = sent.offer
    let isFree = session.renegotiation.queued == nil
    switch status {
    case 422 where isFree && offer.intervalsTried + 1 < SessionTimer.maximumAttempts:
      if calls[call]?.timer.raiseMinimum(to: message?.minimumSessionExpires) == true {
        offer.intervalsTried += 1
        calls[call]?.renegotiation.queued = offer
        return proposeQueued(call, now, &outputs)
      }
    case 491 where isFree && offer.glares < Renegotiation.maximumAttempts:
      offer.glares += 1
      calls[call]?.renegotiation.queued = offer
      calls[call]?.renegotiation.isBackingOff = true
      timers.set(.call(call, .glare), at: now + backOff(ownsCallID: session.isCaller))
      return
    case 405 where offer.isRefresh && offer.method == .update && isFree,
      501 where offer.isRefresh && offer.method == .update && isFree:
      calls[call]?.peerAllowsUpdate = false
      return refreshSession(call, now, &outputs)
    case 408, 481:
      if !offer.isRefresh { outputs.append(.event(.reofferRefused(call, status: status, message))) }
      let end = offer.isRefresh ? CallEnd.sessionExpired : .dialogLost(status: status)
      return leave(call, status == 481 ? .lost : .expired, end: end, now, &outputs)
    case 503 where message == nil && session.dialog?.flow.transport.isReliable == true:
      if !offer.isRefresh { outputs.append(.event(.reofferRefused(call, status: status, message))) }
      return loseTransport(call, now, &outputs)
    default: break
    }
    if offer.isRefresh {
      retryRefresh(call, now)
    } else {
      outputs.append(.event(.reofferRefused(call, status: status, message)))
    }
    proposeQueued(call, now, &outputs)
  }

  /// §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, in steps of 10 ms.
  private mutating func backOff(ownsCallID: Bool) -> Interval {
    .milliseconds(
      10 * Int(ownsCallID ? UInt64.random(in: 210...400, using: &random) : .random(in: 0...200, using: &random)))
  }

  mutating func handleGlareOver(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    calls[call]?.renegotiation.isBackingOff = false
    proposeQueued(call, now, &outputs)
  }

  // MARK: Theirs

  mutating func handleReinvite(
    _ call: CallHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let session = calls[call] else { return }
    let renegotiation = session.renegotiation
    if session.state.isCaller || renegotiation.sent != nil || renegotiation.owed != nil {
      return answer(request, 491, now)  // ours is not answered yet
    }
    if session.incoming != nil || renegotiation.received != nil || session.unacknowledged != nil {
      return answer(request, 500, headers: [soon()], now)  // theirs is not answered or acknowledged yet
    }
    receiveOffer(call, request, now, &outputs)
  }

  mutating func handleUpdate(
    _ call: CallHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard var session = calls[call] else { return }
    if request.message.body.isEmpty {
      session.notePeer(request.message)
      guard admitTimer(&session, request, now) else { return }
      session.dialog?.refreshTarget(from: request.message)
      calls[call] = session
      let builder = sessionResponse(session, 200, to: request.message, from: request.flow, headers: [], body: nil)
      transactions.respond(request.transaction, with: builder, now: now, into: &queue)
      if session.dialog?.isEarly == false { startSessionTimer(call, now) }
      return
    }
    let renegotiation = session.renegotiation
    if session.state.isCaller || renegotiation.sent != nil || renegotiation.owed != nil {
      return answer(request, 491, now)
    }
    if session.incoming != nil || renegotiation.received != nil { return answer(request, 500, headers: [soon()], now) }
    receiveOffer(call, request, now, &outputs)
  }

  private mutating func soon() -> HeaderField {
    HeaderField("Retry-After", "\(UInt64.random(in: 0...10, using: &random))")
  }

  private mutating func admitTimer(
    _ session: inout InviteSession, _ request: IncomingRequest, _ now: Instant
  ) -> Bool {
    guard case .tooSmall(let minimum) = session.timer.takeRequest(request.message, session.peerSupportsTimer) else {
      return true
    }
    answer(request, 422, headers: [HeaderField("Min-SE", "\(minimum)")], now)
    return false
  }

  private mutating func receiveOffer(
    _ call: CallHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard var session = calls[call] else { return }
    session.notePeer(request.message)
    guard admitTimer(&session, request, now) else { return }
    session.renegotiation.received = .init(
      transaction: request.transaction, request: request.message, flow: request.flow)
    calls[call] = session
    servers[request.transaction] = call
    timers.set(.call(call, .offer), at: now + configuration.answerTimeout)
    outputs.append(.event(.offered(call, request.message)))
  }

  mutating func answerOffer(
    _ call: CallHandle, body: MessageBody?, headers: [HeaderField], _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    guard let session = calls[call], let received = session.renegotiation.received else { return }
    calls[call]?.renegotiation.received = nil
    timers.remove(.call(call, .offer))
    calls[call]?.dialog?.refreshTarget(from: received.request)
    if let body { calls[call]?.renegotiation.lastLocalBody = body }
    let builder = sessionResponse(
      session, 200, to: received.request, from: received.flow, headers: headers, body: body)
    if received.request.method == .invite {
      send2xx(call, builder, received.transaction, received.request, now)
    } else {
      transactions.respond(received.transaction, with: builder, now: now, into: &queue)
    }
    startSessionTimer(call, now)
    proposeQueued(call, now, &outputs)
  }

  mutating func rejectOffer(
    _ call: CallHandle, _ received: Renegotiation.Received, _ status: Int, reason: String?, headers: [HeaderField],
    body: MessageBody?, _ now: Instant
  ) {
    calls[call]?.renegotiation.received = nil
    timers.remove(.call(call, .offer))
    var builder = response(
      status, to: received.request, from: received.flow, reason: reason, toTag: calls[call]?.localTag)
    finish(&builder, headers, body)
    transactions.respond(received.transaction, with: builder, now: now, into: &queue)
  }

  // MARK: Session timer (RFC 4028)

  /// From the 2xx of a refresh request, either way.
  mutating func startSessionTimer(_ call: CallHandle, _ now: Instant) {
    guard let timer = calls[call]?.timer else { return }
    if let expiry = timer.expiryDeadline(from: now) {
      timers.set(.call(call, .expiry), at: expiry)
    } else {
      timers.remove(.call(call, .expiry))
    }
    if let refresh = timer.refreshDeadline(from: now) {
      timers.set(.call(call, .refresh), at: refresh)
    } else {
      timers.remove(.call(call, .refresh))
    }
  }

  /// By UPDATE where the peer takes it, else by a re-INVITE that repeats our last description (§7.4).
  mutating func refreshSession(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let session = calls[call], session.state.isOpen else { return }
    let offer: Renegotiation.Offer
    if session.peerAllowsUpdate {
      offer = .init(method: .update, body: nil, headers: [], isRefresh: true)
    } else {
      offer = .init(method: .invite, body: session.renegotiation.lastLocalBody, headers: [], isRefresh: true)
    }
    guard session.renegotiation.queued == nil, session.canPropose(offer) else { return retryRefresh(call, now) }
    calls[call]?.renegotiation.queued = offer
    proposeQueued(call, now, &outputs)
    if calls[call]?.renegotiation.sent == nil { retryRefresh(call, now) }
  }

  /// Half of the time that is left, as long as that is worth it; the expiry ends what no refresh can save.
  private mutating func retryRefresh(_ call: CallHandle, _ now: Instant) {
    guard let expiry = timers.deadline(of: .call(call, .expiry)) else { return }
    let left = expiry - now
    if left > .seconds(2) { timers.set(.call(call, .refresh), at: now + left / 2) }
  }

  mutating func expireSession(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    leave(call, .expired, end: .sessionExpired, now, &outputs)
  }
}

extension InviteSession {
  /// Nothing is in the way of an offer of ours (RFC 3261 §14.1, RFC 3311 §5.1).
  func canPropose(_ offer: Renegotiation.Offer) -> Bool {
    guard !renegotiation.isBackingOff, renegotiation.sent == nil, renegotiation.owed == nil,
      renegotiation.received == nil, unacknowledged == nil
    else { return false }
    return state == .confirmed
  }
}
