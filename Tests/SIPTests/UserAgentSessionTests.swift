//  UserAgentSessionTests.swift: offers inside calls, glare, and session timers, on virtual time.
import Primitives
import SIP
import Testing

@Suite("UserAgent offers in a call (RFC 3261 §14, RFC 3311)")
struct UserAgentOfferTests {
  private func established(
    _ change: (inout UserAgentConfiguration) -> Void = { _ in }
  ) throws -> (UserAgentNetwork, CallHandle, CallHandle) {
    let network = Scene.pair(change)
    let call = Scene.call(network)
    network.run(.seconds(1))
    return (network, call, try Scene.invited(network))
  }

  @Test("re-INVITE from either side")
  func reinvite() throws {
    let (network, caller, callee) = try established()

    network.with(0) { agent, now, outputs in
      agent.reinvite(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    network.with(1) { agent, now, outputs in
      agent.reinvite(callee, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))

    #expect(Scene.names(network, 0) == ["progressed 180", "answered", "answered", "offered", "acknowledged"])
    #expect(Scene.names(network, 1) == ["invited", "acknowledged", "offered", "acknowledged", "answered"])
    let reinvite = try #require(network.log.last { $0.message.method == .invite && $0.message.isRequest }?.message)
    #expect(reinvite.first(.contact) == "<sip:room@10.0.0.2:5060>;isfocus")
    Scene.hangUp(network, 0, caller)
    network.run(.seconds(80))
    Scene.expectEmpty(network)
  }

  @Test("re-INVITE without an offer: the answer offers, acknowledge answers")
  func delayed() throws {
    let (network, caller, _) = try established()

    network.with(0) { agent, now, outputs in agent.reinvite(caller, body: nil, now: now, into: &outputs) }
    network.run(.seconds(2))
    #expect(Scene.names(network, 1).last == "offered")
    network.with(0) { agent, now, outputs in
      agent.acknowledge(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))

    #expect(Scene.names(network, 1).last == "acknowledged")
  }

  @Test("UPDATE with an offer is the user's, one without is answered here")
  func update() throws {
    let (network, caller, _) = try established()

    network.with(0) { agent, now, outputs in
      agent.update(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    network.with(0) { agent, now, outputs in agent.update(caller, body: nil, now: now, into: &outputs) }
    network.run(.seconds(1))

    #expect(Scene.names(network, 1) == ["invited", "acknowledged", "offered"])
    #expect(Scene.names(network, 0).suffix(2) == ["answered", "answered"])
    #expect(network.sent(.update, status: 200) == 2)
  }

  @Test("glare: both get 491, both try again, both succeed", arguments: [1, 2, 3] as [UInt64])
  func glare(seed: UInt64) throws {
    let (network, caller, callee) = try established()

    for (index, call) in [(0, caller), (1, callee)] {
      network.with(index) { agent, now, outputs in
        agent.reinvite(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
      }
    }
    network.run(.seconds(10))

    #expect(network.sent(.invite, status: 491) == 2)
    for index in 0...1 {
      #expect(Scene.names(network, index).filter { $0 == "offered" }.count == 1)
      #expect(Scene.names(network, index).contains("reofferRefused 491") == false)
    }
  }

  @Test("an offer while another is unanswered: 500 with Retry-After; refused offers leave the call")
  func overlapping() throws {
    let (network, caller, callee) = try established()
    network.react = { _, _, _ in }

    network.with(0) { agent, now, outputs in
      agent.update(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
      agent.reinvite(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    #expect(Scene.names(network, 0).last == "reofferRefused 491")
    network.with(1) { agent, now, outputs in
      agent.reject(callee, status: 488, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    #expect(Scene.names(network, 0).last == "reofferRefused 488")
    Scene.hangUp(network, 0, caller)
    network.run(.seconds(80))
    Scene.expectEmpty(network)
  }

  @Test("an offer that the user never answers is answered 500")
  func unansweredOffer() throws {
    let (network, caller, _) = try established()
    network.react = { _, _, _ in }

    network.with(0) { agent, now, outputs in
      agent.reinvite(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(31))

    #expect(Scene.names(network, 0).last == "reofferRefused 500")
  }

  @Test("a BYE while an offer is pending")
  func byeDuringOffer() throws {
    let (network, caller, callee) = try established()
    network.react = { _, _, _ in }

    network.with(0) { agent, now, outputs in
      agent.reinvite(caller, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    Scene.hangUp(network, 1, callee)
    network.run(.seconds(80))

    #expect(network.sent(.invite, status: 487) >= 1)
    Scene.expectEmpty(network)
  }
}

@Suite("UserAgent session timers (RFC 4028)")
struct UserAgentSessionTimerTests {
  private func established(
    _ change: (inout UserAgentConfiguration) -> Void
  ) throws -> (UserAgentNetwork, CallHandle, CallHandle) {
    let network = Scene.pair(change)
    let call = Scene.call(network)
    network.run(.seconds(1))
    return (network, call, try Scene.invited(network))
  }

  @Test("the refresher refreshes by UPDATE, either side, and the call lasts", arguments: [true, false])
  func refresh(byCaller: Bool) throws {
    let (network, caller, _) = try established {
      $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 90, refresher: byCaller ? .uac : .uas)
    }

    network.run(.seconds(1000))

    #expect(network.sent(.update) >= 20)
    let index = byCaller ? 0 : 1
    #expect(network.agents[index].counts.calls == 1)
    #expect(Scene.names(network, 0) == ["progressed 180", "answered"])
    Scene.hangUp(network, 0, caller)
    network.run(.seconds(80))
    Scene.expectEmpty(network)
  }

  @Test("a peer without UPDATE is refreshed by re-INVITE with the last description")
  func refreshByReinvite() throws {
    let network = Scene.pair { $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 90, refresher: .uac) }
    var hidden = 0
    // The phone's Allow has no UPDATE: its 200 is rewritten on the way.
    network.react = { network, index, event in
      switch event {
      case .invited(let call, _, _):
        network.with(1) { agent, now, outputs in
          agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
        }
      case .offered(let call, let message):
        hidden += String(decoding: message.body, as: UTF8.self) == "v=0 offer" ? 1 : 0
        network.with(1) { agent, now, outputs in
          agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
        }
      default: break
      }
    }
    network.rewrite = { text in text.replacing(", UPDATE", with: "") }

    _ = Scene.call(network)
    network.run(.seconds(200))

    #expect(hidden >= 3)
    #expect(network.sent(.update) == 0)
    #expect(network.agents[0].counts.calls == 1)
  }

  @Test("the path dies: both sides end the call, the one by silence, the other by its failed refresh")
  func expiry() throws {
    let (network, _, _) = try established {
      $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 90, refresher: .uac)
    }

    network.drops = { _ in true }
    network.run(.seconds(95))

    #expect(Scene.names(network, 0).last == "ended sessionExpired")
    #expect(Scene.names(network, 1).last == "ended sessionExpired")
    network.run(.seconds(80))
    Scene.expectEmpty(network)
  }

  @Test("422: the caller asks again with the Min-SE it was told")
  func tooSmall() throws {
    let network = Scene.pair {
      $0.sessionTimer =
        $0.productName == "test0"
        ? SessionTimerPolicy(expiresSeconds: 90) : SessionTimerPolicy(expiresSeconds: 600, minimumSeconds: 300)
    }

    _ = Scene.call(network)
    network.run(.seconds(1))

    #expect(network.sent(.invite, status: 422) == 1)
    #expect(Scene.names(network, 0) == ["progressed 180", "answered"])
    let ok = try #require(network.log.last { $0.message.status == 200 }?.message)
    #expect(ok.first(.sessionExpires) == "300;refresher=uac")
    #expect(ok.lists("timer", in: .require))
  }

  @Test("a peer without the extension is refreshed by us, whoever called")
  func deafPeer() throws {
    let network = Scene.pair { $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 100) }

    network.receive(
      UserAgentStatusTests.request("INVITE", ["Contact: <sip:a@10.0.0.99>"]), at: 1,
      from: UserAgentStatusTests.stranger)
    network.run(.milliseconds(50))
    let ok = try #require(network.inbox.last { $0.message.status == 200 }?.message)
    network.receive(
      UserAgentStatusTests.request("ACK", toTag: ok.toTag, branch: "ack"), at: 1, from: UserAgentStatusTests.stranger)
    #expect(ok.first(.sessionExpires) == "100;refresher=uas")
    network.run(.seconds(51))

    // No Allow was seen, so the refresh is a re-INVITE. It is not answered: the call is given up.
    #expect(network.inbox.last?.message.method == .invite)
    network.run(.seconds(50))
    #expect(Scene.names(network, 1).last == "ended sessionExpired")
  }

  @Test("a Session-Expires of one second from a peer without the extension is not honoured")
  func hostileInterval() throws {
    let network = Scene.pair()

    network.receive(
      UserAgentStatusTests.request("INVITE", ["Contact: <sip:a@10.0.0.99>", "Session-Expires: 1"]), at: 1,
      from: UserAgentStatusTests.stranger)
    network.run(.milliseconds(50))

    let ok = try #require(network.inbox.last { $0.message.status == 200 }?.message)
    #expect(ok.first(.sessionExpires) == "90;refresher=uas")
  }

  @Test("arithmetic: half for the refresher, min(32, third) before the end for the other")
  func values() throws {
    let network = Scene.pair { $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 1800) }
    _ = Scene.call(network)
    network.run(.seconds(1))
    network.run(.seconds(898))
    #expect(network.sent(.update) == 0)
    network.run(.seconds(2))
    #expect(network.sent(.update) == 1)
  }
}
