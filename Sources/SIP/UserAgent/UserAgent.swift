//  UserAgent.swift: calls, requests and subscriptions of one SIP element, as a value (RFC 3261 §8, §12–§15).
//  Walk: SIPMessage → TransactionLayer → UserAgent → UserAgentEvent
import Primitives

/// A SIP user agent core, both roles, over a `TransactionLayer`.
///
/// Everything is synchronous: each method appends what is to be done to `outputs`. Methods that name a handle which is
/// over do nothing, so that a user that was overtaken by the network need not check first.
///
/// Every call made by `invite` or announced by `.invited` ends with exactly one `.refused` or `.ended`, at once also
/// when the user ends it; what is left to be said on the wire then happens without the user. In the same way every
/// subscription ends with one `.subscriptionEnded`, and every request with one `.responded` or `.failed`.
///
/// Not here: digest credentials, 3xx recursion, name resolution beyond the static names, and subscriptions that share
/// a dialog with a call (RFC 6665 §4.5.2 advises against them): a SUBSCRIBE inside a call is answered 403.
public struct UserAgent: Sendable {
  public let configuration: UserAgentConfiguration
  var random: RandomSource
  var transactions: TransactionLayer
  var calls: [CallHandle: InviteSession] = [:]
  var subscriptions: [SubscriptionHandle: Subscription] = [:]
  var owners: [HalfDialogID: DialogOwner] = [:]
  var clients: [TransactionID: ClientUse] = [:]
  /// Initial INVITEs, re-INVITEs and UPDATEs that came.
  var servers: [TransactionID: CallHandle] = [:]
  var serverRequests: [ServerRequestHandle: ServerRequest] = [:]
  var timers = DeadlineHeap<TimerKey>()
  /// From the transaction layer, not yet worked off.
  var queue: [TransactionOutput] = []
  /// Values of Allow, Supported and Allow-Events.
  let allow: String
  let supported: String
  private var lastNumber: UInt64 = 0
  private var isWorking = false

  public init(configuration: UserAgentConfiguration, random: RandomSource) {
    var random = random
    self.configuration = configuration
    var transaction = TransactionConfiguration()
    transaction.timers = configuration.timers
    transaction.listen = configuration.listen
    transaction.advertisedHost = configuration.advertisedHost
    transaction.retryAfterSeconds = configuration.limits.retryAfterSeconds
    transactions = TransactionLayer(configuration: transaction, random: RandomSource(seed: random.bytes(32)))
    self.random = random
    allow = Self.allowed(configuration).map(\.name).sorted().joined(separator: ", ")
    supported = (["timer"] + configuration.extensions).joined(separator: ", ")
  }

  static func allowed(_ configuration: UserAgentConfiguration) -> Set<SIPMethod> {
    var methods = configuration.allowedMethods.union([.options])
    if methods.contains(.invite) { methods.formUnion([.ack, .cancel, .bye, .prack, .update]) }
    return methods
  }

  mutating func takeNumber() -> UInt64 {
    lastNumber &+= 1
    return lastNumber
  }

  // MARK: Input

  /// - Parameter bytes: one datagram, or one whole message from `StreamFramer`.
  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [UserAgentOutput]
  ) {
    // What cannot be indexed cannot be answered: keep-alives, noise, what is cut short.
    guard let message = try? SIPMessage(parsing: bytes) else { return }
    do throws(SIPParseError) {
      try message.validate(over: flow.transport)
      transactions.receive(message, from: flow, now: now, into: &queue)
    } catch {
      transactions.reject(message, from: flow, status: error.status, reason: error.reason, into: &queue)
    }
    work(now, &outputs)
  }

  /// Nothing can be sent over this flow: the connection failed or closed.
  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [UserAgentOutput]) {
    transactions.transportFailed(flow, now: now, into: &queue)
    work(now, &outputs)
  }

  public mutating func advance(to now: Instant, into outputs: inout [UserAgentOutput]) {
    transactions.advance(to: now, into: &queue)
    work(now, &outputs)
    while let key = timers.takeDue(at: now) {
      ring(key, now, &outputs)
      work(now, &outputs)
    }
  }

  public var nextDeadline: Instant { min(transactions.nextDeadline, timers.nextDeadline) }

  public var counts: UserAgentCounts {
    UserAgentCounts(
      calls: calls.count, subscriptions: subscriptions.count, dialogs: owners.count,
      clientTransactions: clients.count, serverInvites: servers.count, serverRequests: serverRequests.count,
      timers: timers.count, transactions: transactions.clientCount + transactions.serverCount)
  }

  // MARK: Work

  /// Handles what the transaction layer put out, and what comes of that, until nothing is left.
  mutating func work(_ now: Instant, _ outputs: inout [UserAgentOutput]) {
    // Called from inside by a method that is also the user's: the loop that runs comes to it.
    guard !isWorking else { return }
    isWorking = true
    defer { isWorking = false }
    var next = 0
    while next < queue.count {
      let output = queue[next]
      next += 1
      switch output {
      case .transmit(let bytes, let flow): outputs.append(.transmit(bytes, flow))
      case .request(let request): handle(request, now, &outputs)
      case .ack(let message, _, _): handleACK(message, now, &outputs)
      case .response(let id, let message, let flow): handleResponse(id, message, flow, now, &outputs)
      case .failed(let id, let failure): handleFailure(id, failure, now, &outputs)
      case .terminated(let id):
        clients[id] = nil
        servers[id] = nil
      }
    }
    queue.removeAll(keepingCapacity: true)
  }

  private mutating func handleResponse(
    _ id: TransactionID, _ message: SIPMessage, _ flow: SIPFlow, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    guard let use = clients[id] else { return }
    // 100 belongs to the hop. INVITE gives every provisional and every 2xx on, other requests their one final response.
    guard message.status > 100 else { return }
    keep(flow, use.purpose)
    switch use.purpose {
    case .invite(let call): handleInviteResponse(call, id, message, flow, now, &outputs)
    case .offer(let call): handleOfferResponse(call, id, message, flow, now, &outputs)
    case .bye(let call): if message.status >= 200 { handleLeft(call) }
    case .unattended: break
    case .inCall(let call, let request):
      guard message.status >= 200, !use.isAnswered else { return }
      clients[id]?.isAnswered = true
      outputs.append(.event(.responded(request, call, message)))
      if message.status == 481 { lose(call, status: 481, now, &outputs) }
    case .request(let request):
      guard message.status >= 200, !use.isAnswered else { return }
      clients[id]?.isAnswered = true
      outputs.append(.event(.responded(request, nil, message)))
    case .subscribe(let subscription): handleSubscribeResponse(subscription, id, message, flow, now, &outputs)
    case .notify(let subscription): if message.status >= 200 { handleNotifyDone(subscription, message, now, &outputs) }
    }
  }

  private mutating func handleFailure(
    _ id: TransactionID, _ failure: TransactionFailure, _ now: Instant, _ outputs: inout [UserAgentOutput]
  ) {
    // Of a server transaction: the peer repeats its request, or gives up as we do.
    guard let use = clients[id] else { return }
    if failure == .transport, var builder = use.builder, let flow = use.alternatives.first {
      // The peer may have had the request before the connection broke: in a dialog the same CSeq again would be out
      // of order (§12.2.2).
      renumber(&builder, use.purpose)
      if case .success(let moved) = start(
        builder, over: flow, alternatives: Array(use.alternatives.dropFirst()), as: use.purpose, now)
      {
        return handleMoved(use.purpose, to: moved)
      }
    }
    let status = failure == .transport ? 503 : 408
    switch use.purpose {
    case .invite(let call): handleInviteFailure(call, status: status, &outputs)
    case .offer(let call): handleOfferRefused(call, id, status: status, nil, now, &outputs)
    case .bye(let call): handleLeft(call)
    case .unattended: break
    case .inCall(let call, let request):
      outputs.append(.event(.failed(request, call, failure == .transport ? .transport : .timeout)))
      // RFC 3261 §12.2.1.2: no response at all is a 408, and a 408 ends the dialog.
      if failure == .timedOut { lose(call, status: 408, now, &outputs) } else { loseTransport(call, now, &outputs) }
    case .request(let request):
      outputs.append(.event(.failed(request, nil, failure == .transport ? .transport : .timeout)))
    case .subscribe(let subscription): handleSubscribeFailure(subscription, failure, now, &outputs)
    case .notify(let subscription): handleNotifyFailure(subscription, status: status, now, &outputs)
    }
  }

  /// The connection over which the peer answers is the one for what follows in the dialog.
  private mutating func keep(_ flow: SIPFlow, _ purpose: ClientUse.Purpose) {
    guard flow.transport.isReliable else { return }
    switch purpose {
    case .offer(let call), .bye(let call), .inCall(let call, _):
      if calls[call]?.dialog?.flow.transport == flow.transport { calls[call]?.dialog?.flow = flow }
    case .subscribe(let subscription), .notify(let subscription):
      if subscriptions[subscription]?.dialog?.flow.transport == flow.transport {
        subscriptions[subscription]?.dialog?.flow = flow
      }
    case .invite, .request, .unattended: break
    }
  }

  /// Gives a request in a dialog the dialog's next CSeq. One outside keeps its own: there is no order to keep.
  private mutating func renumber(_ builder: inout SIPMessageBuilder, _ purpose: ClientUse.Purpose) {
    guard let method = builder.method else { return }
    let number: UInt32?
    switch purpose {
    case .offer(let call):
      number = calls[call]?.dialog?.nextCSeq()
      if let number { calls[call]?.renegotiation.sent?.cseq = number }
    case .bye(let call), .inCall(let call, _): number = calls[call]?.dialog?.nextCSeq()
    case .subscribe(let subscription), .notify(let subscription):
      number = subscriptions[subscription]?.dialog?.nextCSeq()
    case .invite, .request, .unattended: number = nil
    }
    if let number { builder.set(.cseq, CSeq(number, method).text) }
  }

  /// The same request goes on as another transaction, over another flow.
  private mutating func handleMoved(_ purpose: ClientUse.Purpose, to id: TransactionID) {
    switch purpose {
    case .invite(let call): calls[call]?.transaction = id
    case .offer(let call): calls[call]?.renegotiation.sent?.transaction = id
    case .subscribe(let subscription): subscriptions[subscription]?.setTransaction(id)
    case .notify(let subscription): subscriptions[subscription]?.setTransaction(id)
    case .bye, .inCall, .request, .unattended: break
    }
  }

  private mutating func ring(_ key: TimerKey, _ now: Instant, _ outputs: inout [UserAgentOutput]) {
    switch key {
    case .call(let call, let timer):
      switch timer {
      case .ringing: handleRangTooLong(call, now, &outputs)
      case .acknowledgement: repeat2xx(call, now, &outputs)
      case .provisional: repeatProvisional(call, now, &outputs)
      case .refresh: refreshSession(call, now, &outputs)
      case .expiry: expireSession(call, now, &outputs)
      case .glare: handleGlareOver(call, now, &outputs)
      case .offer: reject(call, status: 500, reason: "Server Time-out", now: now, into: &outputs)
      }
    case .serverRequest(let request):
      respond(to: request, status: 500, reason: "Server Time-out", now: now, into: &outputs)
    case .subscriptionExpiry(let subscription): handleSubscriptionExpired(subscription, now, &outputs)
    case .subscriptionRefresh(let subscription): refreshSubscription(subscription, now, &outputs)
    }
  }
}
