//  UserAgentBrokenStreamTests.swift: a connection breaks after the peer has read a request and before its answer arrives.
import Primitives
import SIP
import Testing

/// A subscriber and a notifier on one numbered TCP connection after another.
private struct BrokenStream {
  static let addresses = [SocketAddress(ipv4: 0x0a00_0001, port: 5_060), SocketAddress(ipv4: 0x0a00_0002, port: 5_060)]

  var agents: [UserAgent]
  var now = Instant.zero + .seconds(1)
  var connection: UInt64 = 1
  var losesResponses = false
  var watcher: SubscriptionHandle?
  var ended = 0
  var notified = 0
  var refused: [Int] = []
  /// Sent over a connection that was gone.
  var wasted = 0
  var numbers: [UInt32] = []

  init() {
    agents = Self.addresses.enumerated().map { index, address in
      var configuration = UserAgentConfiguration()
      configuration.listen = [.tcp: address]
      return UserAgent(configuration: configuration, random: RandomSource(seed: UInt64(index + 1)))
    }
  }

  func flow(_ index: Int) -> SIPFlow {
    SIPFlow(
      transport: .tcp, local: Self.addresses[index], remote: Self.addresses[1 - index], connection: connection)
  }

  mutating func perform(_ index: Int, _ body: (inout UserAgent, Instant, inout [UserAgentOutput]) -> Void) {
    var outputs: [UserAgentOutput] = []
    body(&agents[index], now, &outputs)
    for output in outputs {
      switch output {
      case .transmit(let bytes, let target):
        guard let message = try? SIPMessage(parsing: bytes) else { continue }
        guard target.connection == 0 || target.connection == connection else {
          wasted += 1
          perform(index) { $0.transportFailed(target, now: $1, into: &$2) }
          continue
        }
        if message.method == .notify {
          if message.isRequest { numbers.append((try? message.cseq.number) ?? 0) }
          if message.status >= 300 { refused.append(message.status) }
          if !message.isRequest, losesResponses { continue }
        }
        let arriving = flow(1 - index)
        perform(1 - index) { $0.receive(bytes, from: arriving, now: $1, into: &$2) }
      case .event(let event): handle(event, index)
      }
    }
  }

  private mutating func handle(_ event: UserAgentEvent, _ index: Int) {
    switch event {
    case .requested(let request, _, _, _):
      var handle: SubscriptionHandle?
      perform(index) { handle = $0.acceptSubscription(of: request, now: $1, into: &$2) }
      watcher = handle
      notify()
    case .notified: notified += 1
    case .subscriptionEnded: ended += 1
    default: break
    }
  }

  mutating func notify() {
    guard let watcher else { return }
    let body = MessageBody(contentType: "application/conference-info+xml", text: "<x/>")
    perform(1) { $0.notify(watcher, body: body, now: $1, into: &$2) }
  }

  mutating func subscribe() {
    let flow = flow(0)
    perform(0) { agent, now, outputs in
      _ = agent.subscribe(
        OutgoingSubscription(
          target: "sip:conf@10.0.0.2;transport=tcp", from: "<sip:w@10.0.0.1>", to: "<sip:conf@10.0.0.2>",
          event: "conference", accept: ["application/conference-info+xml"], flow: flow), now: now, into: &outputs)
    }
  }

  mutating func breakConnection() {
    let broken = [flow(0), flow(1)]
    connection += 1
    losesResponses = false
    for index in 0...1 { perform(index) { $0.transportFailed(broken[index], now: $1, into: &$2) } }
  }
}

@Suite("UserAgent on connections that break")
struct UserAgentBrokenStreamTests {
  @Test("a NOTIFY whose answer is lost with its connection is repeated with the next number, and nothing ends")
  func notify() {
    var bench = BrokenStream()
    bench.subscribe()
    bench.losesResponses = true
    bench.notify()

    bench.breakConnection()
    bench.notify()

    #expect(bench.refused.isEmpty)
    #expect(bench.ended == 0)
    #expect(bench.notified == 4)
    // The dialog goes on over the connection that its last request was answered over: nothing is tried in vain first.
    #expect(bench.wasted == 0)
    #expect(zip(bench.numbers, bench.numbers.dropFirst()).allSatisfy { $0 < $1 }, "\(bench.numbers)")
  }
}
