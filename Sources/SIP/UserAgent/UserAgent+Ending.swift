//  UserAgent+Ending.swift: how calls end, and what is cleared away then (RFC 3261 §9, §15).
import Primitives

extension UserAgent {
  /// Puts an input that ends the call for the user to its state, and does what that asks for.
  mutating func leave(
    _ call: CallHandle, _ input: InviteState.Input, end: CallEnd, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let before = calls[call]?.state, let action = calls[call]?.state.handle(input) else { return }
    if before.isOpen, calls[call]?.state.isOpen == false {
      stopTimers(of: call, except: .acknowledgement)
      clearPending(call, now)
      outputs.append(.event(.ended(call, end)))
    }
    switch action {
    case .sendCancel:
      if let id = calls[call]?.transaction {
        let headers = calls[call]?.byeHeaders ?? []
        transactions.cancel(id, headers: headers.map { (SIPHeaderName($0.name), $0.value) }, now: now, into: &queue)
      }
    case .acknowledgeAndLeave:
      if let id = calls[call]?.transaction, let cseq = calls[call]?.outgoing?.cseq {
        sendACK(call, id, cseq: cseq, body: nil)
      }
      sendBye(call, now)
    case .sendBye: sendBye(call, now)
    case .finish: forget(call)
    case .nothing, .acknowledge, .refuse, .respond: break
    }
  }

  /// A final response to the initial INVITE: the call is over.
  mutating func refuse(
    _ call: CallHandle, _ input: InviteState.Input, _ status: Int, reason: String?, headers: [HeaderField],
    body: MessageBody?, end: CallEnd, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard calls[call]?.state.handle(input) == .refuse, let session = calls[call], let incoming = session.incoming else {
      return
    }
    var builder = response(
      status, to: incoming.request, from: incoming.flow, reason: reason, toTag: session.localTag)
    finish(&builder, headers, body)
    transactions.respond(incoming.transaction, with: builder, now: now, into: &queue)
    clearPending(call, now)
    outputs.append(.event(.ended(call, end)))
    forget(call)
  }

  /// What the peer asked and the user will not answer any more (RFC 3261 §15.1.2).
  private mutating func clearPending(_ call: CallHandle, _ now: Instant) {
    guard let session = calls[call] else { return }
    if let received = session.renegotiation.received {
      rejectOffer(call, received, 487, reason: nil, headers: [], body: nil, now)
    }
    for handle in session.serverRequests {
      guard let pending = takeServerRequest(handle) else { continue }
      let builder = response(487, to: pending.message, from: pending.flow, toTag: session.localTag)
      transactions.respond(pending.transaction, with: builder, now: now, into: &queue)
    }
    // The ACK that the user owes: without it the peer would repeat its 2xx into the closed call.
    if let owed = session.renegotiation.owed {
      calls[call]?.renegotiation.owed = nil
      sendACK(call, owed.transaction, cseq: owed.cseq, body: nil)
    }
    calls[call]?.renegotiation.queued = nil
  }

  private mutating func sendBye(_ call: CallHandle, _ now: Instant) {
    timers.remove(.call(call, .acknowledgement))
    guard var dialog = calls[call]?.dialog else { return forget(call) }
    var bye = builder(.bye, in: dialog, cseq: dialog.nextCSeq())
    finish(&bye, calls[call]?.byeHeaders ?? [], nil)
    calls[call]?.dialog = dialog
    if case .failure = send(bye, over: flows(for: dialog), as: .bye(call), now) { forget(call) }
  }

  /// Our BYE has its response, or never will.
  mutating func handleLeft(_ call: CallHandle) {
    if calls[call]?.state.handle(.left) == .finish { forget(call) }
  }

  /// The peer's BYE (§15.1.2).
  mutating func handleBye(
    _ call: CallHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let builder = response(200, to: request.message, from: request.flow, toTag: calls[call]?.localTag)
    transactions.respond(request.transaction, with: builder, now: now, into: &queue)
    guard let state = calls[call]?.state else { return }
    if state == .incoming || state == .ringing {
      refuse(
        call, .bye, 487, reason: nil, headers: [], body: nil, end: .byReceived(request.message), now, &outputs)
    } else {
      leave(call, .bye, end: .byReceived(request.message), now, &outputs)
    }
  }

  /// CANCEL (§9.2). It matches by transaction, not by dialog.
  mutating func handleCancel(_ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let id = request.cancels else { return answer(request, 481, now) }
    let call = servers[id]
    let builder = response(
      200, to: request.message, from: request.flow, toTag: call.flatMap { calls[$0]?.localTag } ?? random.token(10))
    transactions.respond(request.transaction, with: builder, now: now, into: &queue)
    guard let call, let session = calls[call] else { return }
    if session.incoming?.transaction == id {
      refuse(call, .cancel, 487, reason: nil, headers: [], body: nil, end: .cancelled, now, &outputs)
    } else if let received = session.renegotiation.received, received.transaction == id {
      rejectOffer(call, received, 487, reason: nil, headers: [], body: nil, now)
      proposeQueued(call, now, &outputs)
    }
  }

  mutating func handleRangTooLong(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard let state = calls[call]?.state else { return }
    if state == .incoming || state == .ringing {
      refuse(call, .rangTooLong, 480, reason: nil, headers: [], body: nil, end: .unanswered, now, &outputs)
    } else {
      leave(call, .rangTooLong, end: .unanswered, now, &outputs)
    }
  }

  /// A request in the dialog met 481 or silence (§12.2.1.2): the dialog is over. To a peer that was only silent BYE is
  /// sent, in case it still hears.
  mutating func lose(_ call: CallHandle, status: Int, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    leave(call, status == 481 ? .lost : .expired, end: .dialogLost(status: status), now, &outputs)
  }

  /// The connection is gone and no other could be opened: the peer is. A datagram that could not be sent proves less.
  mutating func loseTransport(_ call: CallHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    guard calls[call]?.dialog?.flow.transport.isReliable == true else { return }
    leave(call, .lost, end: .transport, now, &outputs)
  }

  mutating func stopTimers(of call: CallHandle, except kept: TimerKey.Call? = nil) {
    for timer in TimerKey.Call.all where timer != kept { timers.remove(.call(call, timer)) }
  }

  /// Nothing of the call is left. Its transactions end by themselves.
  mutating func forget(_ call: CallHandle) {
    guard let session = calls.removeValue(forKey: call) else { return }
    owners[session.half] = nil
    stopTimers(of: call)
    for handle in session.serverRequests { _ = takeServerRequest(handle) }
  }
}
