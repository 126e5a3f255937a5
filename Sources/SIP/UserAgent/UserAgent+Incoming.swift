//  UserAgent+Incoming.swift: what every request must pass, and whose it is (RFC 3261 §8.2, §12.2.2).
import Primitives

extension UserAgent {
  mutating func handle(_ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    let message = request.message
    if message.method == .cancel { return handleCancel(request, now, &outputs) }
    if let (status, headers) = objection(to: request) {
      return answer(request, status, headers: headers, now)
    }
    if let localTag = message.toTag {
      handleInDialog(request, localTag: localTag, now, &outputs)
    } else {
      handleOutOfDialog(request, now, &outputs)
    }
  }

  /// The checks of RFC 3261 §8.2.1–§8.2.2, in its order.
  private func objection(to request: IncomingRequest) -> (status: Int, headers: [HeaderField])? {
    let message = request.message
    if case .other = message.method { return (501, [HeaderField("Allow", allow)]) }
    guard Self.allowed(configuration).contains(message.method) else { return (405, [HeaderField("Allow", allow)]) }
    guard let uri = try? message.requestURI, uri.isSIP else { return (416, []) }
    if request.isMerged { return (482, []) }
    // A focus forwards what it is asked for as a back-to-back user agent: the hop count ends here as at a proxy. The
    // last hop of an OPTIONS is its answer (§16.3).
    if message.maxForwards == 0, message.method != .options { return (483, []) }
    let unsupported = message.all(.require).filter { tag in
      !["timer", "100rel"].contains { $0 == tag.lowercased() }
        && !configuration.extensions.contains { $0.lowercased() == tag.lowercased() }
    }
    if !unsupported.isEmpty { return (420, unsupported.map { HeaderField("Unsupported", $0) }) }
    return nil
  }

  // MARK: Outside dialogs

  private mutating func handleOutOfDialog(
    _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let message = request.message
    switch message.method {
    case .invite: handleInvite(request, now, &outputs)
    case .options: answerOptions(request, now)
    case .bye, .update, .prack, .info, .notify: answer(request, 481, now)
    case .subscribe, .publish:
      guard let package = message.parameterized(.event)?.value.lowercased(),
        configuration.eventPackages.isEmpty
          || configuration.eventPackages.contains(where: { $0.lowercased() == package })
      else {
        let packages = configuration.eventPackages.joined(separator: ", ")
        return answer(request, 489, headers: packages.isEmpty ? [] : [HeaderField("Allow-Events", packages)], now)
      }
      deliver(request, call: nil, now, &outputs)
    case .register, .refer, .message, .service, .ack, .cancel, .other: deliver(request, call: nil, now, &outputs)
    }
  }

  mutating func answerOptions(_ request: IncomingRequest, _ now: Instant) {
    var builder = response(200, to: request.message, from: request.flow, toTag: random.token(10))
    addCapabilities(&builder)
    builder.add(.accept, configuration.acceptedTypes.joined(separator: ", "))
    if !configuration.eventPackages.isEmpty {
      builder.add(.allowEvents, configuration.eventPackages.joined(separator: ", "))
    }
    transactions.respond(request.transaction, with: builder, now: now, into: &queue)
  }

  /// Gives a request to the user, who answers with `respond`.
  mutating func deliver(
    _ request: IncomingRequest, call: CallHandle?, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let ofCall = call.flatMap { calls[$0]?.serverRequests.count } ?? 0
    guard serverRequests.count < configuration.limits.serverRequests,
      ofCall < configuration.limits.serverRequestsPerCall
    else { return answer(request, 503, headers: [retryAfter], now) }
    let handle = ServerRequestHandle(number: takeNumber())
    serverRequests[handle] = ServerRequest(
      transaction: request.transaction, message: request.message, flow: request.flow, call: call)
    if let call { calls[call]?.serverRequests.insert(handle) }
    timers.set(.serverRequest(handle), at: now + configuration.answerTimeout)
    outputs.append(.event(.requested(handle, call, request.message, request.flow)))
  }

  mutating func takeServerRequest(_ handle: ServerRequestHandle) -> ServerRequest? {
    guard let request = serverRequests.removeValue(forKey: handle) else { return nil }
    timers.remove(.serverRequest(handle))
    if let call = request.call { calls[call]?.serverRequests.remove(handle) }
    return request
  }

  /// - Parameter status: 200…699; provisional responses to requests other than INVITE are not sent (RFC 4320).
  public mutating func respond(
    to request: ServerRequestHandle, status: Int, reason: String? = nil, headers: [HeaderField] = [],
    body: MessageBody? = nil, now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    guard status >= 200, let pending = takeServerRequest(request) else { return }
    var builder = response(
      status, to: pending.message, from: pending.flow, reason: reason, toTag: random.token(10))
    finish(&builder, headers, body)
    transactions.respond(pending.transaction, with: builder, now: now, into: &queue)
    work(now, &outputs)
  }

  // MARK: Inside dialogs

  private mutating func handleInDialog(
    _ request: IncomingRequest, localTag: String, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let message = request.message
    switch owners[HalfDialogID(callID: message.callID, localTag: localTag)] {
    case .call(let call): handleInCall(call, request, now, &outputs)
    case .subscription(let subscription): handleInSubscription(subscription, request, now, &outputs)
    case nil: answer(request, 481, now)
    }
  }

  private mutating func handleInCall(
    _ call: CallHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let message = request.message
    guard let number = try? message.cseq.number, calls[call]?.admits(message.fromTag ?? "") == true else {
      return answer(request, 481, now)
    }
    guard calls[call]?.dialog?.accepts(number) == true else {
      return answer(request, 500, reason: "CSeq Out Of Order", now)
    }
    if message.method == .bye { return handleBye(call, request, now, &outputs) }
    guard calls[call]?.state.isOpen == true else { return answer(request, 481, now) }
    // A stream that was lost and opened anew by the peer is the way back to it.
    if request.flow.transport.isReliable { calls[call]?.dialog?.flow = request.flow }
    switch message.method {
    case .invite: handleReinvite(call, request, now, &outputs)
    case .update: handleUpdate(call, request, now, &outputs)
    case .prack: handlePrack(call, request, now, &outputs)
    case .options: answerOptions(request, now)
    case .subscribe: answer(request, 403, reason: "Subscribe Outside The Call", now)
    case .bye, .ack, .cancel, .register, .notify, .publish, .info, .refer, .message, .service, .other:
      deliver(request, call: call, now, &outputs)
    }
  }
}

extension InviteSession {
  /// The request comes from the peer of our dialog. An early dialog of another branch becomes the one that counts as
  /// long as none is confirmed.
  mutating func admits(_ remoteTag: String) -> Bool {
    if dialog?.id.remoteTag == remoteTag { return true }
    guard let other = early[remoteTag]?.dialog else { return false }
    if let dialog { early[dialog.id.remoteTag]?.dialog = dialog }
    dialog = other
    return true
  }
}
