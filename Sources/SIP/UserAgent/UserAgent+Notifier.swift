//  UserAgent+Notifier.swift: subscriptions that others hold with us (RFC 6665 §4.2).
import Primitives

extension UserAgent {
  /// 200 to a SUBSCRIBE; the caller sends the first NOTIFY with `notify` at once (RFC 6665 §4.2.1.2).
  ///
  /// A SUBSCRIBE with Expires: 0 is a fetch: the first NOTIFY says `terminated`, whatever state it is given, and ends
  /// the subscription.
  /// - Parameter expiresSeconds: granted at most; what the subscriber asks for, if less.
  /// - Returns: `nil` when the request is gone, is no SUBSCRIBE outside a call, or the table is full (then answered).
  public mutating func acceptSubscription(
    of request: ServerRequestHandle, expiresSeconds: UInt32 = 3600, headers: [HeaderField] = [],
    contactUser: String? = nil, isFocus: Bool = false, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> SubscriptionHandle? {
    guard let pending = serverRequests[request], pending.message.method == .subscribe, pending.call == nil else {
      return nil
    }
    _ = takeServerRequest(request)
    defer { work(now, &outputs) }
    let message = pending.message
    let localTag = random.token(10)
    guard subscriptions.count < configuration.limits.subscriptions else {
      refuse(pending, 503, headers: [retryAfter], now)
      return nil
    }
    let dialog: Dialog
    do throws(SIPParseError) {
      dialog = try Dialog(
        accepting: message, over: pending.flow, localTag: localTag, maximumRoutes: configuration.limits.routes)
    } catch {
      refuse(pending, error.status, reason: error.reason, now)
      return nil
    }
    let handle = SubscriptionHandle(number: takeNumber())
    let granted = min(message.expires.map { UInt32(clamping: $0) } ?? expiresSeconds, expiresSeconds)
    let entry = Subscription(
      role: .notifier(.init(maximumExpires: expiresSeconds, isFetch: granted == 0)), half: dialog.id.half,
      dialog: dialog, event: message.first(.event) ?? "", contactUser: contactUser, isFocus: isFocus,
      expiresAt: now + .seconds(Int(granted)))
    subscriptions[handle] = entry
    owners[entry.half] = .subscription(handle)
    // A fetch ends with its NOTIFY, for which the user has the usual time.
    timers.set(
      .subscriptionExpiry(handle), at: granted == 0 ? now + configuration.answerTimeout : entry.expiresAt)
    accept(entry, message, pending.flow, pending.transaction, granted, headers, now)
    return handle
  }

  private mutating func refuse(
    _ pending: ServerRequest, _ status: Int, reason: String? = nil, headers: [HeaderField] = [], _ now: Instant
  ) {
    var builder = response(
      status, to: pending.message, from: pending.flow, reason: reason, toTag: random.token(10))
    finish(&builder, headers, nil)
    transactions.respond(pending.transaction, with: builder, now: now, into: &queue)
  }

  private mutating func accept(
    _ entry: Subscription, _ message: SIPMessage, _ flow: SIPFlow, _ id: TransactionID, _ granted: UInt32,
    _ headers: [HeaderField], _ now: Instant
  ) {
    var builder = response(200, to: message, from: flow, toTag: entry.half.localTag)
    builder.add(.contact, contact(user: entry.contactUser, isFocus: entry.isFocus, flow))
    builder.add(.expires, "\(granted)")
    builder.add(.supported, supported)
    finish(&builder, headers, nil)
    transactions.respond(id, with: builder, now: now, into: &queue)
  }

  /// A refresh, or with Expires: 0 the end (§4.2.1.3).
  mutating func handleResubscribe(
    _ handle: SubscriptionHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let message = request.message
    guard var entry = subscriptions[handle], case .notifier(let notifier) = entry.role, !entry.isEnding,
      entry.dialog?.id.remoteTag == message.fromTag ?? ""
    else { return answer(request, 481, now) }
    guard let number = try? message.cseq.number, entry.dialog?.accepts(number) == true else {
      return answer(request, 500, reason: "CSeq Out Of Order", now)
    }
    guard message.parameterized(.event) == ParameterizedValue(parsing: entry.event) else {
      subscriptions[handle] = entry
      return answer(request, 489, now)
    }
    entry.dialog?.refreshTarget(from: message)
    if request.flow.transport.isReliable { entry.dialog?.flow = request.flow }
    let granted = min(
      message.expires.map { UInt32(clamping: $0) } ?? notifier.maximumExpires, notifier.maximumExpires)
    entry.expiresAt = now + .seconds(Int(granted))
    subscriptions[handle] = entry
    accept(entry, message, request.flow, request.transaction, granted, [], now)
    guard granted > 0 else { return closeNotifier(handle, .unsubscribed, now, &outputs) }
    timers.set(.subscriptionExpiry(handle), at: entry.expiresAt)
    outputs.append(.event(.subscriptionRefreshed(handle, message)))
  }

  /// A NOTIFY is under way or waits: a notifier that coalesces changes waits for its end.
  public func isNotifying(_ subscription: SubscriptionHandle) -> Bool {
    guard case .notifier(let notifier)? = subscriptions[subscription]?.role else { return false }
    return notifier.underWay != nil || !notifier.queued.isEmpty
  }

  /// A NOTIFY. It waits for the response to the one before; `.terminated` ends the subscription, and
  /// `.subscriptionEnded(_, .local)` comes at once.
  public mutating func notify(
    _ subscription: SubscriptionHandle, state: SubscriptionState = .active, headers: [HeaderField] = [],
    body: MessageBody? = nil, now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    guard let entry = subscriptions[subscription], !entry.isEnding, case .notifier(let notifier) = entry.role else {
      return
    }
    let isFetch = notifier.isFetch
    if notifier.queued.count >= configuration.limits.queuedNotifies {
      closeNotifier(subscription, .overflow, now, &outputs)
    } else {
      var state = state
      if isFetch, state == .active || state == .pending { state = .terminated(reason: "timeout") }
      append(.init(state: state, headers: headers, body: body), to: subscription)
      if case .terminated = state {
        subscriptions[subscription]?.isEnding = true
        timers.remove(.subscriptionExpiry(subscription))
        outputs.append(.event(.subscriptionEnded(subscription, .local)))
      }
      sendNotify(subscription, now, &outputs)
    }
    work(now, &outputs)
  }

  private mutating func append(_ notification: Subscription.Notification, to handle: SubscriptionHandle) {
    guard case .notifier(var notifier)? = subscriptions[handle]?.role else { return }
    subscriptions[handle]?.role = .notifier(.init(maximumExpires: 0, isFetch: false))  // one owner of the queue
    notifier.queued.append(notification)
    subscriptions[handle]?.role = .notifier(notifier)
  }

  /// The end by our side: what waited is dropped, the last NOTIFY says why (§4.4.1).
  mutating func closeNotifier(
    _ handle: SubscriptionHandle, _ end: SubscriptionEnd, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let entry = subscriptions[handle], case .notifier(var notifier) = entry.role, !entry.isEnding else { return }
    let reason = if case .overflow = end { "giveup" } else { "timeout" }
    notifier.queued = [.init(state: .terminated(reason: reason), headers: [], body: nil)]
    subscriptions[handle]?.role = .notifier(notifier)
    subscriptions[handle]?.isEnding = true
    timers.remove(.subscriptionExpiry(handle))
    outputs.append(.event(.subscriptionEnded(handle, end)))
    sendNotify(handle, now, &outputs)
  }

  /// Sends the NOTIFY that waits first, unless one is under way: overtaking would break their order (§4.2.2).
  private mutating func sendNotify(
    _ handle: SubscriptionHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let entry = subscriptions[handle], case .notifier(var notifier) = entry.role, notifier.underWay == nil,
      var dialog = entry.dialog
    else { return }
    guard !notifier.queued.isEmpty else {
      if entry.isEnding { forget(handle) }
      return
    }
    let next = notifier.queued.removeFirst()
    var builder = builder(.notify, in: dialog, cseq: dialog.nextCSeq())
    builder.add(.contact, contact(user: entry.contactUser, isFocus: entry.isFocus, dialog.flow))
    builder.add(.event, entry.event)
    let left = max(0, (entry.expiresAt - now).nanoseconds / 1_000_000_000)
    let value: String =
      switch next.state {
      case .active: "active;expires=\(left)"
      case .pending: "pending;expires=\(left)"
      case .terminated(let reason, let retryAfter):
        "terminated;reason=\(reason)" + (retryAfter.map { ";retry-after=\($0)" } ?? "")
      }
    builder.add(.subscriptionState, value)
    finish(&builder, next.headers, next.body)
    subscriptions[handle]?.role = .notifier(notifier)
    subscriptions[handle]?.dialog = dialog
    switch send(builder, over: flows(for: dialog), as: .notify(handle), now) {
    case .success(let id): subscriptions[handle]?.setTransaction(id)
    case .failure(let failure): endSubscription(handle, .failed(failure), &outputs)
    }
  }

  mutating func handleNotifyDone(
    _ handle: SubscriptionHandle, _ message: SIPMessage, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard subscriptions[handle] != nil else { return }
    subscriptions[handle]?.setTransaction(nil)
    if message.status >= 300, !message.contains(.retryAfter) {
      return endSubscription(handle, .notifyFailed(status: message.status), &outputs)
    }
    sendNotify(handle, now, &outputs)
  }

  mutating func handleNotifyFailure(
    _ handle: SubscriptionHandle, status: Int, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    endSubscription(handle, .notifyFailed(status: status), &outputs)
  }
}
