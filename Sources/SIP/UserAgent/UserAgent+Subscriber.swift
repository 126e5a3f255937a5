//  UserAgent+Subscriber.swift: subscriptions that we hold with others (RFC 6665 §4.1).
import Primitives

extension UserAgent {
  public mutating func subscribe(
    _ subscription: OutgoingSubscription, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> SubscriptionHandle {
    let handle = SubscriptionHandle(number: takeNumber())
    let localTag = random.token(10)
    let callID = random.token(20)
    guard subscriptions.count < configuration.limits.subscriptions,
      let from = Self.party(subscription.from, tag: localTag), Self.party(subscription.to, tag: nil) != nil
    else {
      outputs.append(.event(.subscriptionEnded(handle, .failed(.full))))
      return handle
    }
    let half = HalfDialogID(callID: callID, localTag: localTag)
    let subscriber = Subscription.Subscriber(
      request: subscription, localParty: from, localTag: localTag, callID: callID, cseq: 0,
      flows: initialFlows(subscription.flow, routes: subscription.routes, target: subscription.target))
    subscriptions[handle] = Subscription(
      role: .subscriber(subscriber), half: half, event: subscription.event, contactUser: subscription.contactUser,
      expiresAt: .never)
    owners[half] = .subscription(handle)
    if let failure = sendSubscribe(handle, expires: subscription.expiresSeconds, now) {
      endSubscription(handle, .failed(failure), &outputs)
    }
    work(now, &outputs)
    return handle
  }

  /// The first SUBSCRIBE, a refresh, or with 0 the end.
  private mutating func sendSubscribe(
    _ handle: SubscriptionHandle, expires: UInt32, _ now: Instant
  ) -> RequestFailure? {
    guard var subscription = subscriptions[handle], case .subscriber(var subscriber) = subscription.role else {
      return .noDialog
    }
    var builder: SIPMessageBuilder
    let flows: [SIPFlow]
    if var dialog = subscription.dialog {
      builder = self.builder(.subscribe, in: dialog, cseq: dialog.nextCSeq())
      flows = self.flows(for: dialog)
      subscription.dialog = dialog
    } else {
      subscriber.cseq += 1
      builder = self.builder(
        .subscribe, uri: subscriber.request.target, routes: subscriber.request.routes, from: subscriber.localParty,
        to: Self.party(subscriber.request.to, tag: nil) ?? subscriber.request.to, callID: subscriber.callID,
        cseq: subscriber.cseq)
      flows = subscriber.flows
    }
    guard let flow = flows.first else { return .unresolved }
    builder.add(.contact, contact(user: subscription.contactUser, isFocus: subscription.isFocus, flow))
    builder.add(.event, subscription.event)
    builder.add(.expires, "\(expires)")
    if !subscriber.request.accept.isEmpty {
      builder.add(.accept, subscriber.request.accept.joined(separator: ", "))
    }
    builder.add(.supported, supported)
    finish(&builder, subscriber.request.headers, subscription.dialog == nil ? subscriber.request.body : nil)
    subscription.role = .subscriber(subscriber)
    subscriptions[handle] = subscription
    switch send(builder, over: flows, as: .subscribe(handle), now) {
    case .success(let id):
      subscriptions[handle]?.setTransaction(id)
      return nil
    case .failure(let failure): return failure
    }
  }

  mutating func handleSubscribeResponse(
    _ handle: SubscriptionHandle, _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [UserAgentOutput]
  ) {
    guard message.status >= 200, var subscription = subscriptions[handle],
      case .subscriber(var subscriber) = subscription.role, subscriber.transaction == id
    else { return }
    subscriber.transaction = nil
    if message.status < 300 {
      let isFirst = !subscriber.isAccepted
      subscriber.isAccepted = true
      if subscription.dialog == nil {
        subscription.dialog = try? Dialog(
          from: message, over: flow, localParty: subscriber.localParty, localCSeq: subscriber.cseq,
          fallbackTarget: subscriber.request.target, maximumRoutes: configuration.limits.routes)
      } else if message.toTag == subscription.dialog?.id.remoteTag {
        subscription.dialog?.confirm(from: message, maximumRoutes: configuration.limits.routes)
        subscription.dialog?.flow = flow
      }
      subscription.role = .subscriber(subscriber)
      subscriptions[handle] = subscription
      if subscription.isEnding {
        // The last NOTIFY may still come: it is waited for as long as any (§4.1.2.3, timer N).
        return waitForLastNotify(handle, now)
      }
      setExpiry(handle, seconds: UInt32(clamping: message.expires ?? Int(subscriber.request.expiresSeconds)), now)
      // Timer N (§4.1.2.4): without a NOTIFY within 64·T1 there is no subscription.
      if isFirst, !subscriber.hasNotify {
        let limit = now + configuration.timers.patience
        if limit < subscriptions[handle]?.expiresAt ?? .never { timers.set(.subscriptionExpiry(handle), at: limit) }
      }
      if isFirst { outputs.append(.event(.subscriptionAccepted(handle, message))) }
      return
    }
    if subscription.isEnding { return forget(handle) }
    if message.status == 423, subscriber.tooBriefRetries == 0, let minimum = message.number(.minExpires),
      UInt32(clamping: minimum) > subscriber.request.expiresSeconds
    {
      subscriber.tooBriefRetries = 1
      subscriber.request.expiresSeconds = UInt32(clamping: minimum)
      subscription.role = .subscriber(subscriber)
      subscriptions[handle] = subscription
      if sendSubscribe(handle, expires: UInt32(clamping: minimum), now) == nil { return }
    }
    subscription.role = .subscriber(subscriber)
    subscriptions[handle] = subscription
    // A refresh that met a passing trouble leaves the subscription until it expires (§4.1.2.2).
    let endsAll: Set<Int> = [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]
    if subscriber.isAccepted, !endsAll.contains(message.status) { return retrySubscription(handle, now) }
    endSubscription(handle, .refused(status: message.status, message), &outputs)
  }

  mutating func handleSubscribeFailure(
    _ handle: SubscriptionHandle, _ failure: TransactionFailure, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let subscription = subscriptions[handle], case .subscriber(let subscriber) = subscription.role else { return }
    subscriptions[handle]?.setTransaction(nil)
    if subscription.isEnding { return forget(handle) }
    if subscriber.isAccepted { return retrySubscription(handle, now) }
    endSubscription(handle, .failed(failure == .transport ? .transport : .timeout), &outputs)
  }

  /// Refresh at three quarters, but no more than five minutes early, and not as fast as a hostile notifier likes: a
  /// subscription under five seconds just ends.
  private mutating func setExpiry(_ handle: SubscriptionHandle, seconds: UInt32, _ now: Instant) {
    let interval = Interval.seconds(Int(seconds))
    subscriptions[handle]?.expiresAt = now + interval
    timers.set(.subscriptionExpiry(handle), at: now + interval)
    timers.set(.subscriptionRefresh(handle), at: now + max(interval - min(interval / 4, .seconds(300)), .seconds(5)))
  }

  private mutating func retrySubscription(_ handle: SubscriptionHandle, _ now: Instant) {
    guard let expiry = subscriptions[handle]?.expiresAt else { return }
    let left = expiry - now
    if left > .seconds(2) { timers.set(.subscriptionRefresh(handle), at: now + left / 2) }
  }

  mutating func refreshSubscription(
    _ handle: SubscriptionHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let subscription = subscriptions[handle], case .subscriber(let subscriber) = subscription.role,
      !subscription.isEnding, subscriber.transaction == nil
    else { return }
    if sendSubscribe(handle, expires: subscriber.request.expiresSeconds, now) != nil { retrySubscription(handle, now) }
  }

  private mutating func waitForLastNotify(_ handle: SubscriptionHandle, _ now: Instant) {
    timers.remove(.subscriptionRefresh(handle))
    timers.set(.subscriptionExpiry(handle), at: now + configuration.timers.patience)
  }

  /// NOTIFY (§4.1.3): answered here, then given to the user.
  mutating func handleNotify(
    _ handle: SubscriptionHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    let message = request.message
    guard var subscription = subscriptions[handle], case .subscriber(var subscriber) = subscription.role else {
      return answer(request, 481, now)
    }
    guard let state = message.parameterized(.subscriptionState) else {
      return answer(request, 400, reason: "Missing Subscription-State Header", now)
    }
    if subscription.dialog == nil {
      // It overtook the 2xx (§4.1.2.4).
      subscription.dialog = try? Dialog(
        from: message, over: request.flow, localParty: subscriber.localParty, localCSeq: subscriber.cseq,
        fallbackTarget: subscriber.request.target, maximumRoutes: configuration.limits.routes)
      guard subscription.dialog != nil else { return answer(request, 400, now) }
    } else {
      // Another branch of a forked SUBSCRIBE (§4.1.2.4): only one is kept.
      guard subscription.dialog?.id.remoteTag == message.fromTag ?? "" else { return answer(request, 481, now) }
      guard let number = try? message.cseq.number, subscription.dialog?.accepts(number) == true else {
        return answer(request, 500, reason: "CSeq Out Of Order", now)
      }
      subscription.dialog?.refreshTarget(from: message)
      if request.flow.transport.isReliable { subscription.dialog?.flow = request.flow }
    }
    let isFirst = !subscriber.hasNotify
    subscriber.hasNotify = true
    subscription.role = .subscriber(subscriber)
    subscriptions[handle] = subscription
    answer(request, 200, now)
    if !subscription.isEnding { outputs.append(.event(.notified(handle, message))) }
    if state.value.lowercased() == "terminated" {
      if subscription.isEnding { return forget(handle) }
      let retryAfter = state.parameters["retry-after"].flatMap { DeltaSeconds.parse($0) }
      return endSubscription(
        handle, .terminated(reason: state.parameters["reason"], retryAfterSeconds: retryAfter), &outputs)
    }
    guard !subscription.isEnding else { return }
    if let seconds = state.parameters["expires"].flatMap({ DeltaSeconds.parse($0) }) {
      setExpiry(handle, seconds: seconds, now)
    } else if isFirst, subscription.expiresAt != .never {
      timers.set(.subscriptionExpiry(handle), at: subscription.expiresAt)
    }
  }

  // MARK: Both roles

  /// Subscriber: SUBSCRIBE with Expires: 0. Notifier: NOTIFY `terminated;reason=noresource`.
  ///
  /// `.subscriptionEnded(_, .local)` comes at once.
  public mutating func endSubscription(
    _ subscription: SubscriptionHandle, now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    guard let entry = subscriptions[subscription], !entry.isEnding else { return }
    switch entry.role {
    case .notifier:
      notify(subscription, state: .terminated(reason: "noresource"), now: now, into: &outputs)
    case .subscriber:
      subscriptions[subscription]?.isEnding = true
      outputs.append(.event(.subscriptionEnded(subscription, .local)))
      waitForLastNotify(subscription, now)
      if sendSubscribe(subscription, expires: 0, now) != nil { forget(subscription) }
    }
    work(now, &outputs)
  }

  mutating func endSubscription(
    _ handle: SubscriptionHandle, _ end: SubscriptionEnd, _ outputs: inout [UserAgentOutput]
  ) {
    guard let subscription = subscriptions[handle] else { return }
    if !subscription.isEnding { outputs.append(.event(.subscriptionEnded(handle, end))) }
    forget(handle)
  }

  mutating func forget(_ handle: SubscriptionHandle) {
    guard let subscription = subscriptions.removeValue(forKey: handle) else { return }
    owners[subscription.half] = nil
    timers.remove(.subscriptionExpiry(handle))
    timers.remove(.subscriptionRefresh(handle))
  }

  mutating func handleInSubscription(
    _ handle: SubscriptionHandle, _ request: IncomingRequest, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let subscription = subscriptions[handle] else { return answer(request, 481, now) }
    switch (subscription.role, request.message.method) {
    case (.subscriber, .notify): handleNotify(handle, request, now, &outputs)
    case (.notifier, .subscribe): handleResubscribe(handle, request, now, &outputs)
    case (_, .options): answerOptions(request, now)
    case (.subscriber, _), (.notifier, _): answer(request, 481, now)
    }
  }

  mutating func handleSubscriptionExpired(
    _ handle: SubscriptionHandle, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let subscription = subscriptions[handle] else { return }
    switch subscription.role {
    case .subscriber(let subscriber):
      endSubscription(handle, subscriber.hasNotify ? .expired : .failed(.timeout), &outputs)
    case .notifier: closeNotifier(handle, .expired, now, &outputs)
    }
  }
}
