//  TransactionLayer.swift: all transactions of one SIP element, as a value (RFC 3261 §17, §18; RFC 6026; RFC 3581).
//  Walk: SIPMessage.validate → TransactionLayer.receive → UserAgent
import Primitives

/// The four state machines of RFC 3261 §17 with RFC 6026, their table, timers and matching.
///
/// Everything is synchronous and appends to `outputs`. The user:
/// 1. parses and validates a message, then gives it to `receive`. A new request comes out as `.request`; repetitions,
///    ACKs of refused INVITEs and stray responses are handled here and do not come out.
/// 2. answers with `respond(id, with: .response(to: message, from: flow, status: …))`, any number of 1xx, then one
///    final. 100 Trying is sent here when an INVITE has no answer after 200 ms. The 2xx of an INVITE is repeated by
///    the user until its ACK (`repeatResponse`), because ACK and 2xx belong to the dialog (RFC 3261 §13.3.1.4).
/// 3. sends with `send`, which puts a Via with a fresh branch on top, and `cancel`, which waits for a provisional
///    response by itself (RFC 3261 §9.1). The CANCEL's own transaction is invisible. ACK for a 2xx: `sendACK`.
/// 4. calls `advance` when `nextDeadline` is reached and `transportFailed` when the shell says so.
///
/// After `.terminated` an id is dead: every method that is given it does nothing. Responses go to the source of the
/// request by `received` and `rport`; `maddr` is ignored, since it would let a stranger aim our packets. On a stream
/// they go back over their connection, and when that is closed over a new one to the sent-by port.
public struct TransactionLayer: Sendable {
  public let configuration: TransactionConfiguration
  public private(set) var counters = TransactionCounters()
  private var table = TransactionTable()
  private var random: RandomSource
  private var actions: [TransactionAction] = []

  public init(configuration: TransactionConfiguration = TransactionConfiguration(), random: RandomSource) {
    self.configuration = configuration
    self.random = random
  }

  public var serverCount: Int { table.serverCount }
  public var clientCount: Int { table.clientCount }
  public var nextDeadline: Instant { table.nextDeadline }

  // MARK: Network

  /// - Parameter message: validated; one that is not is dropped where its fields cannot be read.
  public mutating func receive(
    _ message: SIPMessage, from flow: SIPFlow, now: Instant, into outputs: inout [TransactionOutput]
  ) {
    guard let via = try? message.topVia else { return }
    if message.isRequest {
      receiveRequest(message, via, flow, now, &outputs)
    } else {
      receiveResponse(message, via, flow, now, &outputs)
    }
  }

  /// Nothing can be sent over this flow: the connection closed or could not be opened, or the host is unreachable.
  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [TransactionOutput]) {
    for slot in table.indices(using: flow) {
      if let other = table[slot]?.alternative, other != flow, flow.connection != 0 {
        table.redirect(slot, to: other)
        if table[slot]?.awaitsACK == true { runServer(slot, .request, nil, flow, now, &outputs) }
        continue
      }
      if table[slot]?.isServer == true {
        runServer(slot, .transportFailed, nil, flow, now, &outputs)
      } else {
        runClient(slot, .transportFailed, nil, flow, now, &outputs)
      }
    }
  }

  public mutating func advance(to now: Instant, into outputs: inout [TransactionOutput]) {
    while let (slot, timer) = table.takeDueTimer(now) {
      guard let flow = table[slot]?.flow else { continue }
      if table[slot]?.isServer == true {
        runServer(slot, .timer(timer), nil, flow, now, &outputs)
      } else {
        runClient(slot, .timer(timer), nil, flow, now, &outputs)
      }
    }
  }

  // MARK: Client

  /// Starts a client transaction; the request goes out at once.
  /// - Parameter request: without a Via of ours: it gets one. Max-Forwards 70 is added when it has none.
  public mutating func send(
    _ request: SIPMessageBuilder, over flow: SIPFlow, now: Instant, into outputs: inout [TransactionOutput]
  ) throws(TransactionRefusal) -> TransactionID {
    guard let method = request.method, method != .ack else { throw .invalid(.methodMismatch) }
    guard table.clientCount < configuration.clientTransactions else { throw .full }
    let via = makeVia(flow)
    let message: SIPMessage
    do throws(SIPParseError) {
      message = try SIPMessage(parsing: encode(request, via))
      try message.validate(over: flow.transport)
    } catch { throw .invalid(error) }
    return begin(message, branch: via.branch ?? "", flow, isInternal: false, now, &outputs)
  }

  /// Sends the ACK of a 2xx, which is no transaction. Send the returned bytes again for each repeated 2xx.
  @discardableResult
  public mutating func sendACK(
    _ ack: SIPMessageBuilder, over flow: SIPFlow, into outputs: inout [TransactionOutput]
  ) -> [UInt8] {
    let bytes = encode(ack, makeVia(flow))
    outputs.append(.transmit(bytes, flow))
    return bytes
  }

  /// Cancels an INVITE as soon as a provisional response allows it. The INVITE's own final response follows, mostly
  /// 487 and possibly 2xx; without one it fails with `.timedOut` after 64·T1.
  /// - Parameter headers: added to the CANCEL, such as Reason.
  public mutating func cancel(
    _ id: TransactionID, headers: [(SIPHeaderName, String)] = [], now: Instant,
    into outputs: inout [TransactionOutput]
  ) {
    guard let slot = table.slot(id), case .inviteClient(let machine)? = table[slot]?.machine else { return }
    switch machine.state {
    case .initial, .calling: table.setPendingCancel(slot, headers)
    case .proceeding: sendCancel(slot, headers, now, &outputs)
    case .cancelling, .accepted, .completed, .terminated: break
    }
  }

  // MARK: Server

  /// Answers a request.
  /// - Parameter response: from `SIPMessageBuilder.response(to:from:status:)`.
  /// - Returns: false when the transaction is over or has its final response already.
  @discardableResult
  public mutating func respond(
    _ id: TransactionID, with response: SIPMessageBuilder, now: Instant, into outputs: inout [TransactionOutput]
  ) -> Bool {
    guard let slot = table.slot(id), let entry = table[slot], entry.isServer, response.status >= 100,
      entry.accepts(status: response.status)
    else { return false }
    table.setKept(slot, response.encoded())
    runServer(slot, .init(status: response.status), nil, entry.flow, now, &outputs)
    return true
  }

  /// Sends the 2xx of an INVITE again.
  /// - Returns: false once the transaction is over: 64·T1 after the 2xx.
  @discardableResult
  public mutating func repeatResponse(_ id: TransactionID, into outputs: inout [TransactionOutput]) -> Bool {
    guard let slot = table.slot(id), let entry = table[slot], entry.isServer, !entry.kept.isEmpty else { return false }
    outputs.append(.transmit(entry.kept, entry.flow))
    return true
  }

  /// Answers a request without a transaction: one that failed `validate`, or that no table has room for. ACK gets no
  /// answer.
  public func reject(
    _ request: SIPMessage, from flow: SIPFlow, status: Int, reason: String? = nil,
    headers: [(SIPHeaderName, String)] = [], into outputs: inout [TransactionOutput]
  ) {
    guard request.isRequest, request.method != .ack else { return }
    var response = SIPMessageBuilder.response(
      to: request, from: flow, status: status, reason: reason, toTag: Self.statelessTag(request))
    for (name, value) in headers { response.add(name, value) }
    outputs.append(.transmit(response.encoded(), Self.responseFlow(try? request.topVia, flow)))
  }

  // MARK: Matching

  private mutating func receiveRequest(
    _ message: SIPMessage, _ via: Via, _ flow: SIPFlow, _ now: Instant, _ outputs: inout [TransactionOutput]
  ) {
    let isACK = message.method == .ack
    guard let key = try? ServerTransactionKey(message, via, method: isACK ? .invite : message.method) else { return }
    if let slot = table.server(key) {
      return runServer(slot, isACK ? .ack : .request, message, flow, now, &outputs)
    }
    if isACK { return outputs.append(.ack(message, flow, nil)) }
    guard table.serverCount < configuration.serverTransactions, table.keptBytes < configuration.keptResponseBytes
    else {
      counters.refusedRequests &+= 1
      return reject(
        message, from: flow, status: 503, headers: [(.retryAfter, "\(configuration.retryAfterSeconds)")],
        into: &outputs)
    }
    let isReliable = flow.transport.isReliable
    let timers = configuration.timers
    let slot = table.insert(
      server: key, merge: MergeKey(message),
      machine: message.method == .invite
        ? .inviteServer(InviteServerTransaction(isReliable: isReliable, timers: timers))
        : .nonInviteServer(NonInviteServerTransaction(isReliable: isReliable, timers: timers)),
      flow: Self.responseFlow(via, flow), alternative: Self.reopenedFlow(via, flow))
    if message.method == .invite {
      // Made now, so that the request's bytes need not be kept.
      table.setKept(slot, SIPMessageBuilder.response(to: message, from: flow, status: 100).encoded())
    }
    runServer(slot, .begin, message, flow, now, &outputs)
  }

  private mutating func receiveResponse(
    _ message: SIPMessage, _ via: Via, _ flow: SIPFlow, _ now: Instant, _ outputs: inout [TransactionOutput]
  ) {
    let key = ClientTransactionKey(branch: via.branch ?? "", method: message.method)
    guard let slot = table.client(key) else {
      counters.strayResponses &+= 1
      return
    }
    table.adopt(slot, flow)
    runClient(slot, .init(status: message.status), message, flow, now, &outputs)
  }

  // MARK: Running

  private mutating func begin(
    _ message: SIPMessage, branch: String, _ flow: SIPFlow, isInternal: Bool, _ now: Instant,
    _ outputs: inout [TransactionOutput]
  ) -> TransactionID {
    let isReliable = flow.transport.isReliable
    let timers = configuration.timers
    let slot = table.insert(
      client: ClientTransactionKey(branch: branch, method: message.method),
      machine: message.method == .invite
        ? .inviteClient(InviteClientTransaction(isReliable: isReliable, timers: timers))
        : .nonInviteClient(NonInviteClientTransaction(isReliable: isReliable, timers: timers)),
      request: message, flow: flow, isInternal: isInternal)
    let id = table.id(slot)
    runClient(slot, .begin, nil, flow, now, &outputs)
    return id
  }

  private mutating func runClient(
    _ slot: Int, _ input: ClientTransactionInput, _ message: SIPMessage?, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [TransactionOutput]
  ) {
    actions.removeAll(keepingCapacity: true)
    table.handle(slot, input, &actions)
    perform(slot, message, flow, now, &outputs)
    if input == .provisional, let headers = table.takePendingCancel(slot) { sendCancel(slot, headers, now, &outputs) }
  }

  private mutating func runServer(
    _ slot: Int, _ input: ServerTransactionInput, _ message: SIPMessage?, _ flow: SIPFlow, _ now: Instant,
    _ outputs: inout [TransactionOutput]
  ) {
    actions.removeAll(keepingCapacity: true)
    table.handle(slot, input, &actions)
    perform(slot, message, flow, now, &outputs)
  }

  private mutating func perform(
    _ slot: Int, _ message: SIPMessage?, _ flow: SIPFlow, _ now: Instant, _ outputs: inout [TransactionOutput]
  ) {
    for action in actions {
      guard let entry = table[slot] else { return }
      let id = table.id(slot)
      switch action {
      case .transmitRequest:
        if let request = entry.request { outputs.append(.transmit(request.bytes, entry.flow)) }
      case .transmitACK:
        if entry.ack.isEmpty, let request = entry.request, let message {
          table.setACK(slot, Self.ack(for: request, message).encoded())
        }
        if let ack = table[slot]?.ack { outputs.append(.transmit(ack, entry.flow)) }
      case .transmitResponse, .transmitTrying:
        if !entry.kept.isEmpty { outputs.append(.transmit(entry.kept, entry.flow)) }
      case .deliver:
        if let message, !entry.isInternal { outputs.append(delivery(id, entry, message, flow)) }
      case .start(let timer, let interval): table.start(slot, timer, now + interval)
      case .stop(let timer): table.stop(slot, timer)
      case .failed(let failure):
        if !entry.isInternal { outputs.append(.failed(id, failure)) }
      case .terminated:
        table.remove(slot)
        if !entry.isInternal { outputs.append(.terminated(id)) }
      }
    }
  }

  private func delivery(
    _ id: TransactionID, _ entry: TransactionTable.Entry, _ message: SIPMessage, _ flow: SIPFlow
  ) -> TransactionOutput {
    if !message.isRequest { return .response(id, message, flow) }
    if message.method == .ack { return .ack(message, flow, id) }
    var cancels: TransactionID?
    if message.method == .cancel, let via = try? message.topVia,
      let key = try? ServerTransactionKey(message, via, method: .invite), let slot = table.server(key)
    {
      cancels = table.id(slot)
    }
    return .request(
      IncomingRequest(
        transaction: id, message: message, flow: flow, isMerged: entry.isMerged, cancels: cancels))
  }

  // MARK: Messages made here

  private mutating func sendCancel(
    _ slot: Int, _ headers: [(SIPHeaderName, String)], _ now: Instant, _ outputs: inout [TransactionOutput]
  ) {
    guard let entry = table[slot], let request = entry.request else { return }
    runClient(slot, .cancelled, nil, entry.flow, now, &outputs)
    var cancel = Self.follower(.cancel, of: request)
    cancel.copy(.to, from: request)
    for (name, value) in headers { cancel.add(name, value) }
    guard let message = try? SIPMessage(parsing: cancel.encoded()), let branch = (try? request.topVia)?.branch else {
      return
    }
    _ = begin(message, branch: branch, entry.flow, isInternal: true, now, &outputs)
  }

  private func encode(_ request: SIPMessageBuilder, _ via: Via) -> [UInt8] {
    var request = request
    if !request.lines.contains(where: { $0.name == .maxForwards }) { request.add(.maxForwards, "70") }
    request.push(via)
    return request.encoded()
  }

  private mutating func makeVia(_ flow: SIPFlow) -> Via {
    let listen = configuration.listen[flow.transport]
    let address = listen.map { $0.isUnspecified ? flow.local.with(port: $0.port) : $0 } ?? flow.local
    let host = configuration.advertisedHost ?? (address.isIPv4 ? address.host : "[\(address.host)]")
    var via = Via(transport: flow.transport, host: host, port: address.port)
    via.parameters["branch"] = Via.magicCookie + random.token(20)
    // Asks to be answered where this came from, through a NAT (RFC 3581).
    if !flow.transport.isReliable { via.parameters.insert("rport") }
    return via
  }
}
