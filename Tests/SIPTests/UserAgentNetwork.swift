//  UserAgentNetwork.swift: user agents joined by a lossy network on virtual time, for the tests.
import Primitives
import SIP

/// UserAgents at 10.0.0.1, .2 … on port 5060, and whatever else has an address there (`inbox`).
final class UserAgentNetwork {
  struct Packet {
    var at: Instant
    var order: UInt64
    var bytes: [UInt8]
    var flow: SIPFlow
  }

  var agents: [UserAgent] = []
  var events: [[UserAgentEvent]] = []
  /// What arrived at addresses without an agent.
  var inbox: [(at: Instant, message: SIPMessage)] = []
  /// Called for each event before it is stored.
  var react: (UserAgentNetwork, Int, UserAgentEvent) -> Void = { _, _, _ in }
  /// Drops a packet when it says so, before `loss` is asked.
  var drops: (SIPMessage) -> Bool = { _ in false }
  /// Changes a message on its way.
  var rewrite: ((String) -> String)?
  /// Remote addresses to which TCP cannot connect.
  var refusesTCP = false
  var loss = 0.0
  var duplication = 0.0
  var delayMilliseconds = 5...5
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private(set) var log: [(at: Instant, message: SIPMessage)] = []
  private var packets: [Packet] = []
  private var order: UInt64 = 0
  private var random: RandomSource

  init(seed: UInt64 = 1) { random = RandomSource(seed: seed) }

  static func address(_ index: Int) -> SocketAddress { SocketAddress(ipv4: 0x0a00_0001 + UInt32(index), port: 5060) }

  static func configuration(_ index: Int) -> UserAgentConfiguration {
    var configuration = UserAgentConfiguration()
    configuration.listen = [.udp: address(index), .tcp: address(index)]
    configuration.productName = "test\(index)"
    return configuration
  }

  @discardableResult
  func add(_ change: (inout UserAgentConfiguration) -> Void = { _ in }) -> Int {
    var configuration = Self.configuration(agents.count)
    change(&configuration)
    agents.append(UserAgent(configuration: configuration, random: RandomSource(seed: random.next())))
    events.append([])
    return agents.count - 1
  }

  /// Does something with an agent and performs its outputs.
  @discardableResult
  func with<Result>(
    _ index: Int, _ body: (inout UserAgent, Instant, inout [UserAgentOutput]) -> Result
  ) -> Result {
    var outputs: [UserAgentOutput] = []
    let result = body(&agents[index], now, &outputs)
    for output in outputs {
      switch output {
      case .transmit(let bytes, let flow): transmit(bytes, flow)
      case .event(let event):
        events[index].append(event)
        react(self, index, event)
      }
    }
    return result
  }

  func transmit(_ original: [UInt8], _ flow: SIPFlow) {
    let bytes = rewrite.map { Array($0(String(decoding: original, as: UTF8.self)).utf8) } ?? original
    guard let message = try? SIPMessage(parsing: bytes) else { return }
    log.append((now, message))
    let isLossy = !flow.transport.isReliable
    if drops(message) { return }
    if isLossy, Double.random(in: 0..<1, using: &random) < loss { return }
    let copies = isLossy && Double.random(in: 0..<1, using: &random) < duplication ? 2 : 1
    for _ in 0..<copies {
      let delay = Int.random(in: delayMilliseconds, using: &random)
      order += 1
      packets.append(Packet(at: now + .milliseconds(delay), order: order, bytes: bytes, flow: flow))
    }
  }

  func receive(_ text: String, at index: Int, from remote: SocketAddress, transport: SIPTransport = .udp) {
    let bytes = Array(text.utf8)
    with(index) { agent, now, outputs in
      let flow = SIPFlow(transport: transport, local: Self.address(index), remote: remote)
      agent.receive(bytes, from: flow, now: now, into: &outputs)
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
      let nextTimer = agents.map(\.nextDeadline).min() ?? .never
      let next = min(nextPacket, nextTimer)
      guard next <= end else { break }
      now = max(now, next)
      if let packet, nextPacket <= nextTimer {
        deliver(packets.remove(at: packet))
      } else {
        for index in agents.indices where agents[index].nextDeadline <= now {
          with(index) { agent, now, outputs in agent.advance(to: now, into: &outputs) }
        }
      }
    }
    now = end
  }

  private func deliver(_ packet: Packet) {
    let flow = packet.flow
    if flow.transport == .tcp, refusesTCP {
      guard let sender = agents.indices.first(where: { Self.address($0).sameHost(as: flow.local) }) else { return }
      return with(sender) { agent, now, outputs in agent.transportFailed(flow, now: now, into: &outputs) }
    }
    guard let index = agents.indices.first(where: { Self.address($0) == flow.remote }) else {
      if let message = try? SIPMessage(parsing: packet.bytes) { inbox.append((now, message)) }
      return
    }
    let reversed = SIPFlow(
      transport: flow.transport, local: flow.remote, remote: flow.local, connection: flow.connection)
    with(index) { agent, now, outputs in agent.receive(packet.bytes, from: reversed, now: now, into: &outputs) }
  }

  /// Messages put on the wire that match.
  func sent(_ method: SIPMethod, status: Int = 0) -> Int {
    log.count { $0.message.method == method && $0.message.status == status }
  }

  func invitation(_ callee: Int, from caller: Int, body: String? = "v=0 offer") -> Invitation {
    Invitation(
      target: "sip:callee@\(Self.address(callee))", from: "<sip:caller@\(Self.address(caller).host)>",
      to: "<sip:callee@\(Self.address(callee).host)>",
      body: body.map { MessageBody(contentType: "application/sdp", text: $0) })
  }

  static let sdp = MessageBody(contentType: "application/sdp", text: "v=0 answer")
}

extension UserAgentEvent {
  /// The case's name, with a status where there is one: for comparing whole histories.
  var name: String {
    switch self {
    case .invited: "invited"
    case .offered: "offered"
    case .acknowledged: "acknowledged"
    case .progressed(_, let message): "progressed \(message.status)"
    case .answered: "answered"
    case .refused(_, let status, _): "refused \(status)"
    case .reofferRefused(_, let status, _): "reofferRefused \(status)"
    case .ended(_, let end): "ended \(end.name)"
    case .requested(_, _, let message, _): "requested \(message.method)"
    case .responded(_, _, let message): "responded \(message.status)"
    case .failed(_, _, let failure): "failed \(failure)"
    case .notified: "notified"
    case .subscriptionAccepted: "subscriptionAccepted"
    case .subscriptionRefreshed: "subscriptionRefreshed"
    case .subscriptionEnded(_, let end): "subscriptionEnded \(end.name)"
    }
  }
  var call: CallHandle? {
    switch self {
    case .invited(let call, _, _), .offered(let call, _), .acknowledged(let call, _), .progressed(let call, _),
      .answered(let call, _), .refused(let call, _, _), .reofferRefused(let call, _, _), .ended(let call, _):
      call
    case .requested(_, let call, _, _), .responded(_, let call, _), .failed(_, let call, _): call
    case .notified, .subscriptionAccepted, .subscriptionRefreshed, .subscriptionEnded: nil
    }
  }
}

extension CallEnd {
  var name: String {
    switch self {
    case .byReceived: "byReceived"
    case .cancelled: "cancelled"
    case .sessionExpired: "sessionExpired"
    case .noACK: "noACK"
    case .dialogLost(let status): "dialogLost \(status)"
    case .transport: "transport"
    case .unanswered: "unanswered"
    case .local: "local"
    }
  }
}

extension SubscriptionEnd {
  var name: String {
    switch self {
    case .terminated(let reason, _): "terminated \(reason ?? "-")"
    case .refused(let status, _): "refused \(status)"
    case .unsubscribed: "unsubscribed"
    case .expired: "expired"
    case .notifyFailed(let status): "notifyFailed \(status)"
    case .overflow: "overflow"
    case .failed(let failure): "failed \(failure)"
    case .local: "local"
    }
  }
}
