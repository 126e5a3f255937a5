//  ConferenceNetwork.swift: a core, scripted phones and scripted media hosts on virtual time, joined by a lossy network.
import ConferenceDocuments
import Conferencing
import Primitives
import SIP

/// The core at 10.0.0.1, media hosts at 10.0.1.n over TCP, phones at 10.0.2.n over UDP.
final class ConferenceNetwork {
  private struct Packet {
    var at: Instant
    var order: UInt64
    var bytes: [UInt8]
    var flow: SIPFlow
  }

  static let front = SocketAddress(ipv4: 0x0a00_0001, port: 5060)
  var core: ConferencingCore
  private(set) var nodes: [SocketAddress: Node] = [:]
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private(set) var records: [ConferenceRecord] = []
  private(set) var log: [ConferencingLogEvent] = []
  var loss = 0.0
  var duplication = 0.0
  var delayMilliseconds = 1...1
  private var packets: [Packet] = []
  private var order: UInt64 = 0
  var random: RandomSource
  let seed: UInt64

  init(seed: UInt64 = 1, _ change: (inout ConferencingConfiguration) -> Void = { _ in }) {
    self.seed = seed
    random = RandomSource(seed: seed)
    var configuration = ConferencingConfiguration(
      domains: ["conf.example.com"], listen: [.udp: Self.front, .tcp: Self.front])
    configuration.trustedMediaHosts = (1...9).map { SocketAddress(ipv4: 0x0a00_0100 + $0, port: 0) }
    change(&configuration)
    core = ConferencingCore(configuration: configuration, random: RandomSource(seed: random.next()))
  }

  // MARK: Who takes part

  /// A registered, active media host.
  func addHost(_ number: Int, room: Int = 100) -> ScriptedHost {
    let host = ScriptedHost(self, number: number, room: room)
    add(host)
    host.register()
    run(.milliseconds(20))
    return host
  }

  func add(_ node: Node) { nodes[node.address] = node }

  func addPhone(_ number: Int) -> ScriptedPhone {
    let phone = ScriptedPhone(self, number: number)
    add(phone)
    return phone
  }

  // MARK: Core

  @discardableResult
  func withCore<Result>(
    _ body: (inout ConferencingCore, Instant, inout [ConferencingOutput]) throws -> Result
  ) rethrows -> Result {
    var outputs: [ConferencingOutput] = []
    let result = try body(&core, now, &outputs)
    for output in outputs {
      switch output {
      case .transmit(let bytes, let flow): send(bytes, flow)
      case .record(let record): records.append(record)
      case .log(let event): log.append(event)
      }
    }
    return result
  }

  // MARK: Network

  func send(_ bytes: [UInt8], _ flow: SIPFlow) {
    let isLossy = !flow.transport.isReliable
    if isLossy, Double.random(in: 0..<1, using: &random) < loss { return }
    let copies = isLossy && Double.random(in: 0..<1, using: &random) < duplication ? 2 : 1
    for _ in 0..<copies {
      order += 1
      // Streams keep their order.
      let delay = isLossy ? Int.random(in: delayMilliseconds, using: &random) : delayMilliseconds.lowerBound
      packets.append(Packet(at: now + .milliseconds(delay), order: order, bytes: bytes, flow: flow))
    }
  }

  /// Lets time pass.
  func run(_ interval: Interval) {
    let end = now + interval
    while true {
      let packet = packets.indices.min {
        (packets[$0].at, packets[$0].order) < (packets[$1].at, packets[$1].order)
      }
      let nextPacket = packet.map { packets[$0].at } ?? .never
      let live = nodes.values.filter { !$0.isDead }
      let nextTimer = min(core.nextDeadline, live.map(\.nextDeadline).min() ?? .never)
      let next = min(nextPacket, nextTimer)
      guard next <= end else { break }
      now = max(now, next)
      if let packet, nextPacket <= nextTimer {
        deliver(packets.remove(at: packet))
        continue
      }
      if core.nextDeadline <= now { withCore { core, now, outputs in core.advance(to: now, into: &outputs) } }
      for node in live.sorted(by: { $0.address.low < $1.address.low }) where node.nextDeadline <= now { node.advance() }
    }
    now = end
  }

  private func deliver(_ packet: Packet) {
    let flow = packet.flow
    let reversed = SIPFlow(transport: flow.transport, local: flow.remote, remote: flow.local)
    if flow.remote == Self.front {
      withCore { core, now, outputs in core.receive(packet.bytes, from: reversed, now: now, into: &outputs) }
    } else if let node = nodes[flow.remote], !node.isDead {
      if !node.isSilent { node.receive(packet.bytes, from: reversed) }
    } else if flow.transport == .tcp {
      withCore { core, now, outputs in core.transportFailed(flow, now: now, into: &outputs) }
    }
  }

  /// The process is gone: its connections are reset.
  func kill(_ node: Node) {
    node.isDead = true
    let flow = SIPFlow(transport: .tcp, local: Self.front, remote: node.address)
    withCore { core, now, outputs in core.transportFailed(flow, now: now, into: &outputs) }
  }

  // MARK: What to expect

  func roster(_ name: String = "room") -> Roster? { ConferenceName(user: name).flatMap { core.roster(of: $0) } }

  /// Tables of the core that are not empty; the user agent's are, once its transactions are over.
  var leaks: [String] {
    let counts = core.userAgentCounts
    var sizes = core.tableSizes
    sizes["agent calls"] = counts.calls
    sizes["agent dialogs"] = counts.dialogs
    sizes["agent subscriptions"] = counts.subscriptions
    sizes["agent server requests"] = counts.serverRequests
    sizes["agent transactions"] = counts.transactions
    sizes["agent timers"] = counts.timers
    return sizes.filter { $0.value != 0 }.map { "\($0.key): \($0.value)" }.sorted()
  }

  func left(_ cause: LeaveCause) -> Int {
    records.count {
      if case .participantLeft(_, _, _, cause, _) = $0 { true } else { false }
    }
  }
}

/// Something with a user agent.
class Node {
  unowned let network: ConferenceNetwork
  let address: SocketAddress
  let transport: SIPTransport
  var agent: UserAgent
  /// The process is gone.
  var isDead = false
  /// It is there and does nothing: stopped, or behind a broken network.
  var isSilent = false

  init(_ network: ConferenceNetwork, _ address: SocketAddress, _ transport: SIPTransport) {
    self.network = network
    self.address = address
    self.transport = transport
    var configuration = UserAgentConfiguration()
    configuration.listen = [transport: address]
    agent = UserAgent(configuration: configuration, random: RandomSource(seed: network.random.next()))
  }

  /// Toward the front end.
  var flow: SIPFlow { SIPFlow(transport: transport, local: address, remote: ConferenceNetwork.front) }
  var nextDeadline: Instant { agent.nextDeadline }

  func advance() { with { agent, now, outputs in agent.advance(to: now, into: &outputs) } }

  func receive(_ bytes: [UInt8], from flow: SIPFlow) {
    with { agent, now, outputs in agent.receive(bytes, from: flow, now: now, into: &outputs) }
  }

  @discardableResult
  func with<Result>(_ body: (inout UserAgent, Instant, inout [UserAgentOutput]) -> Result) -> Result {
    var outputs: [UserAgentOutput] = []
    let result = body(&agent, network.now, &outputs)
    for output in outputs {
      switch output {
      case .transmit(let bytes, let flow): if !isDead, !isSilent { network.send(bytes, flow) }
      case .event(let event): handle(event)
      }
    }
    return result
  }

  func handle(_ event: UserAgentEvent) {}
}

/// A phone that calls conferences, and watches them.
final class ScriptedPhone: Node {
  private(set) var call: CallHandle?
  private(set) var answer: SIPMessage?
  /// Bodies of the answers to the INVITE and every re-INVITE.
  private(set) var answers: [String] = []
  private(set) var refusal: (status: Int, message: SIPMessage?)?
  private(set) var reofferRefusals: [Int] = []
  private(set) var end: CallEnd?
  private(set) var offers: [String] = []
  private(set) var responses: [SIPMessage] = []
  private(set) var documents: [ConferenceInfo] = []
  private(set) var subscriptionEnd: SubscriptionEnd?
  private var subscription: SubscriptionHandle?
  /// Sent in the ACK of a 200 that brings an offer.
  var delayedAnswer = "v=0 delayed answer"

  init(_ network: ConferenceNetwork, number: Int) {
    super.init(network, SocketAddress(ipv4: 0x0a00_0200 + UInt32(number), port: 5060), .udp)
  }

  var user: String { "user\(address.ipv4.map { $0 & 255 } ?? 0)" }
  var isIn: Bool { answer != nil && end == nil }
  /// Refused, or in and out again.
  var isDone: Bool { refusal != nil || end != nil }
  /// The Reason of the BYE.
  var byeReason: String? {
    if case .byReceived(let message)? = end { return message.first(.reason) }
    return nil
  }

  func dial(_ target: String = "sip:room@conf.example.com", offer: String? = "v=0 offer") {
    (answer, refusal, end) = (nil, nil, nil)
    call = with { agent, now, outputs in
      let invitation = Invitation(
        target: target, from: "\"\(user)\" <sip:\(user)@example.com>", to: "<\(target)>", flow: flow,
        body: offer.map { MessageBody(contentType: "application/sdp", text: $0) })
      return agent.invite(invitation, now: now, into: &outputs)
    }
  }

  func hangUp() {
    guard let call else { return }
    with { agent, now, outputs in agent.hangUp(call, now: now, into: &outputs) }
  }

  func reinvite(_ offer: String?) {
    guard let call else { return }
    with { agent, now, outputs in
      agent.reinvite(
        call, body: offer.map { MessageBody(contentType: "application/sdp", text: $0) }, now: now, into: &outputs)
    }
  }

  func info(_ contentType: String, _ bytes: [UInt8]) {
    guard let call else { return }
    with { agent, now, outputs in
      _ = agent.request(
        .info, in: call, body: MessageBody(contentType: contentType, bytes: bytes), now: now, into: &outputs)
    }
  }

  func watch(
    _ target: String = "sip:room@conf.example.com", event: String = "conference",
    accept: String = ConferenceInfo.contentType
  ) {
    subscription = with { agent, now, outputs in
      let subscription = OutgoingSubscription(
        target: target, from: "<sip:\(user)@example.com>", to: "<\(target)>", event: event, accept: [accept],
        flow: flow)
      return agent.subscribe(subscription, now: now, into: &outputs)
    }
  }

  func unwatch() {
    guard let subscription else { return }
    with { agent, now, outputs in agent.endSubscription(subscription, now: now, into: &outputs) }
  }

  override func handle(_ event: UserAgentEvent) {
    switch event {
    case .answered(let handle, let message):
      if answer == nil { answer = message }
      answers.append(String(decoding: message.body, as: UTF8.self))
      with { agent, now, outputs in
        // Does nothing unless the INVITE went without an offer.
        agent.acknowledge(
          handle, body: MessageBody(contentType: "application/sdp", text: delayedAnswer), now: now, into: &outputs)
      }
    case .refused(_, let status, let message): refusal = (status, message)
    case .reofferRefused(_, let status, _): reofferRefusals.append(status)
    case .ended(_, let end): self.end = end
    case .offered(let handle, let message):
      offers.append(String(decoding: message.body, as: UTF8.self))
      with { agent, now, outputs in
        agent.answer(
          handle, body: MessageBody(contentType: "application/sdp", text: "v=0 phone's answer"), now: now,
          into: &outputs)
      }
    case .responded(_, _, let message): responses.append(message)
    case .notified(_, let message):
      if let document = try? ConferenceInfo(parsing: message.body) { documents.append(document) }
    case .subscriptionEnded(_, let end): subscriptionEnd = end
    case .invited, .acknowledged, .progressed, .requested, .failed, .subscriptionAccepted, .subscriptionRefreshed: break
    }
  }
}

/// A name that the test knows to be good.
func conferenceName(_ user: String) -> ConferenceName {
  guard let name = ConferenceName(user: user) else { preconditionFailure("bad conference name in a test") }
  return name
}
