//  UserAgentSubscriptionTests.swift: subscriptions, both roles, on virtual time.
import Primitives
import SIP
import Testing

@Suite("UserAgent subscriptions (RFC 6665)")
struct UserAgentSubscriptionTests {
  /// Agent 1 notifies; it accepts for at most 100 s and notifies at once and at each refresh.
  private func scene(
    accepts: Bool = true, _ change: (inout UserAgentConfiguration) -> Void = { _ in }
  ) -> UserAgentNetwork {
    let network = UserAgentNetwork()
    network.add(change)
    network.add(change)
    network.react = { network, index, event in
      network.with(index) { agent, now, outputs in
        switch event {
        case .requested(let request, _, let message, _) where message.method == .subscribe && accepts:
          guard
            let handle = agent.acceptSubscription(
              of: request, expiresSeconds: 100, contactUser: "conf", isFocus: true, now: now, into: &outputs)
          else { return }
          agent.notify(handle, body: Self.document, now: now, into: &outputs)
        case .subscriptionRefreshed(let handle, _):
          agent.notify(handle, body: Self.document, now: now, into: &outputs)
        default: break
        }
      }
    }
    return network
  }

  private static let document = MessageBody(contentType: "application/conference-info+xml", text: "<x/>")

  private func subscribe(_ network: UserAgentNetwork, expires: UInt32 = 3600) -> SubscriptionHandle {
    network.with(0) { agent, now, outputs in
      agent.subscribe(
        OutgoingSubscription(
          target: "sip:conf@10.0.0.2", from: "<sip:w@10.0.0.1>", to: "<sip:conf@10.0.0.2>", event: "conference",
          accept: ["application/conference-info+xml"], expiresSeconds: expires), now: now, into: &outputs)
    }
  }

  private func notifier(_ network: UserAgentNetwork) throws -> SubscriptionHandle {
    try #require(
      network.events[1].compactMap { if case .subscriptionRefreshed(let handle, _) = $0 { handle } else { nil } }.last)
  }

  @Test("accepted, notified, refreshed before the end, ended by the subscriber")
  func life() throws {
    let network = scene()

    let handle = subscribe(network)
    network.run(.seconds(80))
    let names = Scene.names(network, 0)
    network.with(0) { agent, now, outputs in agent.endSubscription(handle, now: now, into: &outputs) }
    network.run(.seconds(80))

    #expect(
      names == ["subscriptionAccepted", "notified", "notified"]
        || names == ["notified", "subscriptionAccepted", "notified"])
    #expect(Scene.names(network, 0).last == "subscriptionEnded local")
    #expect(
      Scene.names(network, 1) == ["requested SUBSCRIBE", "subscriptionRefreshed", "subscriptionEnded unsubscribed"])
    let last = try #require(network.log.last { $0.message.method == .notify && $0.message.isRequest }?.message)
    #expect(last.first(.subscriptionState) == "terminated;reason=timeout")
    #expect(network.log.contains { $0.message.first(.contact)?.contains("sip:conf@10.0.0.2:5060>;isfocus") == true })
    Scene.expectEmpty(network)
  }

  @Test("the NOTIFY may come before the 200")
  func notifyFirst() {
    let network = scene()
    var held = 0
    network.drops = { message in
      guard message.method == .subscribe, message.status == 200, held == 0 else { return false }
      held += 1
      return true
    }

    _ = subscribe(network)
    network.run(.seconds(5))

    #expect(Scene.names(network, 0) == ["notified", "subscriptionAccepted"])
  }

  @Test("the notifier's end reaches the subscriber with its reason")
  func notifierEnds() throws {
    let network = scene()

    _ = subscribe(network)
    network.run(.seconds(76))
    let handle = try notifier(network)
    network.with(1) { agent, now, outputs in
      agent.notify(
        handle, state: .terminated(reason: "noresource", retryAfterSeconds: 7), now: now, into: &outputs)
    }
    network.run(.seconds(80))

    #expect(Scene.names(network, 0).last == "subscriptionEnded terminated noresource")
    #expect(Scene.names(network, 1).last == "subscriptionEnded local")
    Scene.expectEmpty(network)
  }

  @Test("no refresh: the notifier ends it; the subscriber that hears nothing ends too")
  func expiry() {
    let network = scene()

    _ = subscribe(network)
    network.run(.seconds(5))
    network.drops = { _ in true }
    network.run(.seconds(200))

    #expect(Scene.names(network, 0).last == "subscriptionEnded expired")
    #expect(Scene.names(network, 1).last == "subscriptionEnded expired")
    Scene.expectEmpty(network)
  }

  @Test("a NOTIFY that meets 481 ends the subscription, one that meets silence too")
  func notifyFails() throws {
    let network = scene()
    _ = subscribe(network)
    network.run(.seconds(76))
    let handle = try notifier(network)
    // The subscriber forgets everything.
    network.agents[0] = UserAgent(configuration: UserAgentNetwork.configuration(0), random: RandomSource(seed: 77))

    network.with(1) { agent, now, outputs in agent.notify(handle, body: Self.document, now: now, into: &outputs) }
    network.run(.seconds(80))

    #expect(Scene.names(network, 1).last == "subscriptionEnded notifyFailed 481")
    Scene.expectEmpty(network)
  }

  @Test("NOTIFYs stay in order behind one that is lost, and overflow ends the subscription")
  func queueing() throws {
    let network = scene { $0.limits.queuedNotifies = 4 }
    _ = subscribe(network)
    network.run(.seconds(76))
    let handle = try notifier(network)
    network.drops = { $0.method == .notify && $0.isRequest }

    for _ in 0..<5 {
      network.with(1) { agent, now, outputs in agent.notify(handle, body: Self.document, now: now, into: &outputs) }
    }
    #expect(network.agents[1].isNotifying(handle))
    #expect(Scene.names(network, 1).last == "subscriptionRefreshed")
    network.with(1) { agent, now, outputs in agent.notify(handle, body: Self.document, now: now, into: &outputs) }
    #expect(Scene.names(network, 1).last == "subscriptionEnded overflow")
    network.drops = { _ in false }
    network.run(.seconds(80))

    #expect(Scene.names(network, 0).last == "subscriptionEnded terminated giveup")
    Scene.expectEmpty(network)
  }

  @Test("a NOTIFY whose connection breaks after it arrived goes again with the next CSeq")
  func connectionBreaks() throws {
    let network = scene()
    network.with(0) { agent, now, outputs in
      _ = agent.subscribe(
        OutgoingSubscription(
          target: "sip:conf@10.0.0.2;transport=tcp", from: "<sip:w@10.0.0.1>", to: "<sip:conf@10.0.0.2>",
          event: "conference", accept: [], flow: Self.connection(from: 0)), now: now, into: &outputs)
    }
    network.run(.seconds(76))
    let handle = try notifier(network)
    // The response is lost with the connection.
    network.drops = { $0.method == .notify && $0.status == 200 }
    network.with(1) { agent, now, outputs in agent.notify(handle, body: Self.document, now: now, into: &outputs) }
    network.run(.seconds(1))
    network.drops = { _ in false }
    network.with(1) { agent, now, outputs in
      agent.transportFailed(Self.connection(from: 1), now: now, into: &outputs)
    }
    network.run(.seconds(1))

    #expect(network.log.allSatisfy { $0.message.status != 500 })
    #expect(!network.agents[1].isNotifying(handle))
    #expect(network.agents[1].counts.subscriptions == 1)
  }

  private static func connection(from index: Int) -> SIPFlow {
    SIPFlow(
      transport: .tcp, local: UserAgentNetwork.address(index), remote: UserAgentNetwork.address(1 - index),
      connection: 7)
  }

  @Test("a fetch: one NOTIFY, terminated")
  func fetch() {
    let network = scene()

    _ = subscribe(network, expires: 0)
    network.run(.seconds(80))

    #expect(Scene.names(network, 0).contains("notified"))
    #expect(Scene.names(network, 0).last == "subscriptionEnded terminated timeout")
    #expect(Scene.names(network, 1) == ["requested SUBSCRIBE", "subscriptionEnded local"])
    Scene.expectEmpty(network)
  }

  @Test("refused, and refused at a refresh with 481")
  func refused() {
    let network = scene(accepts: false)
    network.react = { network, index, event in
      guard case .requested(let request, _, _, _) = event else { return }
      network.with(index) { agent, now, outputs in
        agent.respond(to: request, status: 403, now: now, into: &outputs)
      }
    }

    _ = subscribe(network)
    network.run(.seconds(40))

    #expect(Scene.names(network, 0) == ["subscriptionEnded refused 403"])
    Scene.expectEmpty(network)
  }

  @Test("accepted but never notified: failed after 64·T1 (timer N)")
  func timerN() {
    let network = scene()
    network.drops = { $0.method == .notify && $0.isRequest }

    _ = subscribe(network)
    network.run(.seconds(34))

    #expect(Scene.names(network, 0) == ["subscriptionAccepted", "subscriptionEnded failed timeout"])
  }

  @Test("a table at its limit answers 503 with Retry-After")
  func limits() throws {
    let network = scene { $0.limits.subscriptions = 1 }

    _ = subscribe(network)
    network.run(.seconds(1))
    network.receive(
      UserAgentStatusTests.request("SUBSCRIBE", ["Event: conference", "Contact: <sip:a@10.0.0.99>"]), at: 1,
      from: UserAgentStatusTests.stranger)
    network.run(.seconds(1))

    #expect(network.inbox.last?.message.status == 503)
    #expect(network.inbox.last?.message.first(.retryAfter) == "10")
  }
}
