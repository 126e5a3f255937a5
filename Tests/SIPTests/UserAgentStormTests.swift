//  UserAgentStormTests.swift: many calls and subscriptions over a network that loses, repeats and reorders, by seed.
import Primitives
import SIP
import Testing

@Suite("UserAgent on a bad network")
struct UserAgentStormTests {
  /// Random users on both ends: they ring, answer, refuse, offer, hang up, or do nothing.
  private final class Users {
    var random: RandomSource
    init(_ seed: UInt64) { random = RandomSource(seed: seed ^ 0xabcd) }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    func react(_ network: UserAgentNetwork, _ index: Int, _ event: UserAgentEvent) {
      network.with(index) { agent, now, outputs in
        switch event {
        case .invited(let call, _, _):
          if chance(80) { agent.ring(call, now: now, into: &outputs) }
          if chance(10) { agent.reject(call, status: 486, now: now, into: &outputs) }
          if chance(80) { agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs) }
        case .offered(let call, _):
          if chance(80) { agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs) }
          if chance(50) { agent.reject(call, status: 488, now: now, into: &outputs) }
        case .answered(let call, _):
          if chance(80) { agent.acknowledge(call, body: UserAgentNetwork.sdp, now: now, into: &outputs) }
          if chance(20) { agent.hangUp(call, now: now, into: &outputs) }
        case .requested(let request, _, let message, _):
          if message.method == .subscribe,
            let handle = agent.acceptSubscription(of: request, expiresSeconds: 60, now: now, into: &outputs)
          {
            for _ in 0..<3 { agent.notify(handle, now: now, into: &outputs) }
          } else if chance(80) {
            agent.respond(to: request, status: 200, now: now, into: &outputs)
          }
        case .progressed, .acknowledged, .refused, .reofferRefused, .ended, .responded, .failed, .notified,
          .subscriptionAccepted, .subscriptionRefreshed, .subscriptionEnded:
          break
        }
      }
    }
  }

  @Test(
    "every call and subscription ends once, every INVITE is answered, nothing leaks",
    arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
  func storm(seed: UInt64) throws {
    let users = Users(seed)
    let network = UserAgentNetwork(seed: seed)
    for _ in 0..<2 {
      network.add {
        $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 90, refresher: seed % 2 == 0 ? .uac : .uas)
        $0.ringingTimeout = .seconds(60)
        $0.sendsLargeRequestsOverTCP = seed % 3 == 0
      }
    }
    network.react = users.react
    network.loss = 0.02 * Double(seed)
    network.duplication = 0.1
    network.delayMilliseconds = 1...400

    var calls: [(Int, CallHandle)] = []
    var subscriptions: [(Int, SubscriptionHandle)] = []
    for _ in 0..<30 {
      let from = users.chance(50) ? 0 : 1
      let isDelayed = users.chance(10)
      network.with(from) { agent, now, outputs in
        var invitation = network.invitation(1 - from, from: from, body: isDelayed ? nil : "v=0 offer")
        if users.chance(20) { invitation.headers = [HeaderField("Require", "100rel")] }
        calls.append((from, agent.invite(invitation, now: now, into: &outputs)))
        if users.chance(20) {
          subscriptions.append(
            (
              from,
              agent.subscribe(
                OutgoingSubscription(
                  target: "sip:c@\(UserAgentNetwork.address(1 - from))", from: "<sip:w@x>", to: "<sip:c@x>",
                  event: "conference", accept: []), now: now, into: &outputs)
            ))
        }
        guard let (owner, call) = calls.randomElement(using: &users.random), owner == from else { return }
        switch Int.random(in: 0..<5, using: &users.random) {
        case 0: agent.hangUp(call, now: now, into: &outputs)
        case 1: agent.reinvite(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
        case 2: agent.update(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
        default: _ = agent.request(.info, in: call, now: now, into: &outputs)
        }
      }
      network.run(.milliseconds(Int.random(in: 0...3000, using: &users.random)))
    }
    network.run(.seconds(300))
    for (owner, call) in calls { Scene.hangUp(network, owner, call) }
    for (owner, subscription) in subscriptions {
      network.with(owner) { agent, now, outputs in agent.endSubscription(subscription, now: now, into: &outputs) }
    }
    network.run(.seconds(400))

    Scene.expectEmpty(network)
    for index in 0...1 { expectOneEnd(network.events[index], seed) }
    let asked = Set(network.log.filter { $0.message.method == .invite && $0.message.isRequest }.map(Self.key))
    let answered = Set(network.log.filter { $0.message.method == .invite && $0.message.status >= 200 }.map(Self.key))
    let reached = Set(
      network.events.joined().compactMap { if case .invited(_, let m, _) = $0 { Self.key((.zero, m)) } else { nil } })
    #expect(reached.subtracting(answered).isEmpty, "seed \(seed)")
    #expect(asked.count >= 30)
  }

  private static func key(_ entry: (at: Instant, message: SIPMessage)) -> String {
    "\(entry.message.callID) \(entry.message.first(.cseq) ?? "") \(entry.message.fromTag ?? "")"
  }

  private func expectOneEnd(_ events: [UserAgentEvent], _ seed: UInt64) {
    var begun: Set<CallHandle> = []
    var ends: [CallHandle: Int] = [:]
    var subscriptionEnds: [SubscriptionHandle: Int] = [:]
    for event in events {
      if let call = event.call { begun.insert(call) }
      switch event {
      case .refused(let call, _, _), .ended(let call, _): ends[call, default: 0] += 1
      case .subscriptionEnded(let handle, _): subscriptionEnds[handle, default: 0] += 1
      default: break
      }
    }
    #expect(Set(ends.keys) == begun, "seed \(seed)")
    #expect(ends.values.allSatisfy { $0 == 1 }, "seed \(seed)")
    #expect(subscriptionEnds.values.allSatisfy { $0 == 1 }, "seed \(seed)")
  }
}
