//  UserAgent+Caller.swift: responses to our initial INVITE, forks included (RFC 3261 §13.2.2, RFC 3262 §4).
import Primitives

extension UserAgent {
  mutating func handleInviteResponse(
    _ call: CallHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    if message.status < 200 {
      handleProvisional(call, id, message, flow, now, &outputs)
    } else if message.status < 300 {
      handleSuccess(call, id, message, flow, now, &outputs)
    } else {
      handleRefusal(call, message, now, &outputs)
    }
  }

  /// A dialog from a response to our INVITE. One that cannot be read is taken for one without Record-Route.
  private func makeDialog(_ session: InviteSession, _ message: SIPMessage, _ flow: SIPFlow) -> Dialog? {
    guard let outgoing = session.outgoing else { return nil }
    return try? Dialog(
      from: message, over: flow, localParty: outgoing.localParty, localCSeq: outgoing.cseq,
      fallbackTarget: outgoing.invitation.target, maximumRoutes: configuration.limits.routes)
  }

  private mutating func handleProvisional(
    _ call: CallHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    guard var session = calls[call], session.transaction == id, session.outgoing != nil else { return }
    guard session.state == .calling || session.state == .early else { return }
    if let tag = message.toTag {
      if session.early[tag] == nil {
        guard session.early.count < configuration.limits.forks, let dialog = makeDialog(session, message, flow) else {
          return
        }
        session.early[tag] = EarlyDialog(dialog: dialog)
      }
      guard session.admits(tag) else { return }
      if message.lists("100rel", in: .require), let rseq = message.number(.rseq) {
        guard acknowledgeProvisional(&session, tag, UInt32(rseq), now) else { return }
      }
      session.notePeer(message)
    }
    _ = session.state.handle(.provisional)
    calls[call] = session
    outputs.append(.event(.progressed(call, message)))
  }

  /// PRACK (RFC 3262 §4).
  /// - Returns: false for a repetition or one out of order, which is not acknowledged.
  private mutating func acknowledgeProvisional(
    _ session: inout InviteSession, _ tag: String, _ rseq: UInt32, _ now: Instant
  ) -> Bool {
    guard var dialog = session.dialog, let invite = session.outgoing?.cseq else { return false }
    if let last = session.early[tag]?.lastRSeq, rseq != last &+ 1 { return false }
    session.early[tag]?.lastRSeq = rseq
    var prack = builder(.prack, in: dialog, cseq: dialog.nextCSeq())
    prack.add(.rack, "\(rseq) \(invite) INVITE")
    session.dialog = dialog
    _ = send(prack, over: flows(for: dialog), as: .unattended, now)
    return true
  }

  private mutating func handleSuccess(
    _ call: CallHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    let tag = message.toTag ?? ""
    if let known = clients[id]?.acknowledgements.first(where: { $0.remoteTag == tag }) {
      return outputs.append(.transmit(known.bytes, known.flow))
    }
    guard var session = calls[call], session.transaction == id,
      [.calling, .early, .cancelling].contains(session.state)
    else { return handleFork(call, id, message, flow, now) }

    // A fork that was not heard of before takes the place of the early dialog.
    if session.admits(tag) {
      session.dialog?.confirm(from: message, maximumRoutes: configuration.limits.routes)
    } else {
      guard let dialog = makeDialog(session, message, flow) else {
        // Without a readable From, To or Record-Route nothing can be sent to the peer, not even a BYE.
        return handleInviteFailure(call, status: 500, &outputs)
      }
      session.dialog = dialog
    }
    session.dialog?.flow = flow
    session.early = [:]
    session.notePeer(message)
    session.timer.takeResponse(message.sessionExpires)
    let invitation = session.outgoing?.invitation
    let isDelayed = (invitation?.body == nil || invitation?.expectsOffer == true) && !message.body.isEmpty
    let wasOpen = session.state.isOpen
    let action = session.state.handle(isDelayed ? .offered : .answered)
    session.renegotiation.lastLocalBody = invitation?.expectsOffer == true ? nil : invitation?.body
    calls[call] = session
    if action == .acknowledgeAndLeave {
      // The 2xx crossed our CANCEL (§9.1): acknowledged, then ended.
      return finishCancelled(call, id, now)
    }
    guard wasOpen else { return }
    if action == .acknowledge, let cseq = session.outgoing?.cseq {
      sendACK(call, id, cseq: cseq, body: nil)
      calls[call]?.outgoing = nil
      timers.remove(.call(call, .ringing))
    }
    startSessionTimer(call, now)
    outputs.append(.event(.answered(call, message)))
  }

  private mutating func finishCancelled(_ call: CallHandle, _ id: TransactionID, _ now: Instant) {
    guard let session = calls[call], var dialog = session.dialog, let cseq = session.outgoing?.cseq else {
      return forget(call)
    }
    sendACK(dialog, id, cseq: cseq, body: nil)
    var bye = builder(.bye, in: dialog, cseq: dialog.nextCSeq())
    finish(&bye, session.byeHeaders, nil)
    calls[call]?.dialog = dialog
    if case .failure = send(bye, over: flows(for: dialog), as: .bye(call), now) { forget(call) }
  }

  /// Another branch answered too, or the call is over: ACK and BYE (§13.2.2.4). A repeated 2xx of a call that waits
  /// for the user's ACK is for that ACK to answer.
  private mutating func handleFork(
    _ call: CallHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant
  ) {
    if calls[call]?.state == .owing, calls[call]?.dialog?.id.remoteTag == message.toTag { return }
    guard (clients[id]?.acknowledgements.count ?? 0) < configuration.limits.forks,
      let from = message.first(.from), let cseq = try? message.cseq.number,
      let target = try? message.contacts.first?.uri.text,
      var dialog = try? Dialog(
        from: message, over: flow, localParty: from, localCSeq: cseq, fallbackTarget: target,
        maximumRoutes: configuration.limits.routes)
    else { return }
    sendACK(dialog, id, cseq: cseq, body: nil)
    let bye = builder(.bye, in: dialog, cseq: dialog.nextCSeq())
    _ = send(bye, over: flows(for: dialog), as: .unattended, now)
  }

  private mutating func handleRefusal(
    _ call: CallHandle, _ message: SIPMessage, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let state = calls[call]?.state else { return }
    if message.status == 422, state == .calling || state == .early,
      (calls[call]?.outgoing?.attempts ?? SessionTimer.maximumAttempts) < SessionTimer.maximumAttempts,
      calls[call]?.timer.raiseMinimum(to: message.minimumSessionExpires) == true
    {
      calls[call]?.outgoing?.attempts += 1
      calls[call]?.outgoing?.cseq += 1
      calls[call]?.state = .calling
      calls[call]?.early = [:]
      calls[call]?.dialog = nil
      if sendInvite(call, now) { return }
    }
    guard calls[call]?.state.handle(.refused) == .finish else { return }
    if state.isOpen { outputs.append(.event(.refused(call, status: message.status, message))) }
    forget(call)
  }

  /// No response, no transport, or nowhere to send to.
  mutating func handleInviteFailure(_ call: CallHandle, status: Int, _ outputs: inout [UserAgentOutput]) {
    guard let state = calls[call]?.state, calls[call]?.state.handle(.refused) == .finish else { return }
    if state.isOpen { outputs.append(.event(.refused(call, status: status, nil))) }
    forget(call)
  }
}

extension InviteSession {
  /// What the peer's INVITE, UPDATE or its response says about the peer.
  mutating func notePeer(_ message: SIPMessage) {
    if message.contains(.allow) { peerAllowsUpdate = message.lists("UPDATE", in: .allow) }
    if message.contains(.supported) { peerSupportsTimer = message.lists("timer", in: .supported) }
  }
}

extension SIPMessage {
  var sessionExpires: SessionExpires? { first(.sessionExpires).flatMap { SessionExpires($0) } }
  /// Min-SE, seconds.
  var minimumSessionExpires: UInt32? { first(.minSE).flatMap { DeltaSeconds.parse($0) } }
}
