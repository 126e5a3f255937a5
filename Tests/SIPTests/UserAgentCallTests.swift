//  UserAgentCallTests.swift: calls from INVITE to the last transaction, on virtual time.
import Primitives
import SIP
import Testing

/// Scenes that several suites use.
enum Scene {
  /// Two agents; the second rings and answers when `answers`, and accepts what is offered later.
  static func pair(
    answers: Bool = true, seed: UInt64 = 1, _ change: (inout UserAgentConfiguration) -> Void = { _ in }
  ) -> UserAgentNetwork {
    let network = UserAgentNetwork(seed: seed)
    network.add(change)
    network.add(change)
    network.react = { network, index, event in
      switch event {
      case .invited(let call, _, _) where answers && index == 1:
        network.with(1) { agent, now, outputs in
          agent.ring(call, contactUser: "room", isFocus: true, now: now, into: &outputs)
          agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
        }
      case .offered(let call, _):
        network.with(index) { agent, now, outputs in
          agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
        }
      default: break
      }
    }
    return network
  }

  static func call(_ network: UserAgentNetwork, body: String? = "v=0 offer") -> CallHandle {
    network.with(0) { agent, now, outputs in
      agent.invite(network.invitation(1, from: 0, body: body), now: now, into: &outputs)
    }
  }

  static func hangUp(_ network: UserAgentNetwork, _ index: Int, _ call: CallHandle) {
    network.with(index) { agent, now, outputs in agent.hangUp(call, now: now, into: &outputs) }
  }

  /// The call that the agent was invited to.
  static func invited(_ network: UserAgentNetwork, _ index: Int = 1) throws -> CallHandle {
    try #require(network.events[index].compactMap { if case .invited(let call, _, _) = $0 { call } else { nil } }.last)
  }

  static func names(_ network: UserAgentNetwork, _ index: Int) -> [String] { network.events[index].map(\.name) }

  static func expectEmpty(_ network: UserAgentNetwork) {
    for agent in network.agents { #expect(agent.counts.isEmpty, "\(agent.counts)") }
  }
}

@Suite("UserAgent calls (RFC 3261 §13–§15)")
struct UserAgentCallTests {
  @Test("INVITE, 180, 200, ACK, BYE; nothing is left")
  func wholeCall() throws {
    let network = Scene.pair()

    let call = Scene.call(network)
    network.run(.seconds(1))
    Scene.hangUp(network, 0, call)
    network.run(.seconds(40))

    #expect(Scene.names(network, 0) == ["progressed 180", "answered", "ended local"])
    #expect(Scene.names(network, 1) == ["invited", "acknowledged", "ended byReceived"])
    let ok = try #require(network.log.first { $0.message.status == 200 })
    #expect(ok.message.first(.contact) == "<sip:room@10.0.0.2:5060>;isfocus")
    #expect(ok.message.lists("UPDATE", in: .allow))
    Scene.expectEmpty(network)
  }

  @Test("the callee's BYE goes to the caller's Contact")
  func calleeHangsUp() throws {
    let network = Scene.pair()

    _ = Scene.call(network)
    network.run(.seconds(1))
    Scene.hangUp(network, 1, try Scene.invited(network))
    network.run(.seconds(40))

    #expect(Scene.names(network, 0).last == "ended byReceived")
    Scene.expectEmpty(network)
  }

  @Test("a refusal, with a body")
  func refusal() throws {
    let network = Scene.pair(answers: false)

    _ = Scene.call(network)
    network.run(.seconds(1))
    let callee = try Scene.invited(network)
    network.with(1) { agent, now, outputs in
      agent.reject(
        callee, status: 486, headers: [HeaderField("Warning", "399 x \"full\"")],
        body: MessageBody(contentType: "application/cccp+xml", text: "<r/>"), now: now, into: &outputs)
    }
    network.run(.seconds(40))

    #expect(Scene.names(network, 0) == ["refused 486"])
    #expect(Scene.names(network, 1) == ["invited", "ended local"])
    guard case .refused(_, _, let message?)? = network.events[0].last else { return #expect(Bool(false)) }
    #expect(String(decoding: message.body, as: UTF8.self) == "<r/>")
    Scene.expectEmpty(network)
  }

  @Test("CANCEL before any response waits for the 180, then 487")
  func cancel() throws {
    let network = Scene.pair(answers: false)

    let call = Scene.call(network)
    Scene.hangUp(network, 0, call)
    network.run(.milliseconds(100))
    #expect(network.sent(.cancel) == 0)
    let callee = try Scene.invited(network)
    network.with(1) { agent, now, outputs in agent.ring(callee, now: now, into: &outputs) }
    network.run(.seconds(40))

    #expect(network.sent(.cancel) == 1)
    #expect(Scene.names(network, 0) == ["ended local"])
    #expect(Scene.names(network, 1) == ["invited", "ended cancelled"])
    #expect(network.sent(.invite, status: 487) == 1)
    Scene.expectEmpty(network)
  }

  @Test("a 200 that crosses the CANCEL is acknowledged and ended by BYE")
  func cancelRace() throws {
    let network = Scene.pair(answers: false)

    let call = Scene.call(network)
    network.run(.milliseconds(100))
    let callee = try Scene.invited(network)
    network.with(1) { agent, now, outputs in agent.ring(callee, now: now, into: &outputs) }
    network.run(.milliseconds(100))
    Scene.hangUp(network, 0, call)
    network.with(1) { agent, now, outputs in
      agent.answer(callee, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(40))

    #expect(network.sent(.ack) >= 1)
    #expect(network.sent(.bye) == 1)
    #expect(Scene.names(network, 1).last == "ended byReceived")
    #expect(Scene.names(network, 0) == ["progressed 180", "ended local"])
    Scene.expectEmpty(network)
  }

  @Test("CANCEL for nothing is answered 481")
  func strayCancel() {
    let network = Scene.pair()

    network.receive(
      UserAgentStatusTests.request("CANCEL"), at: 1, from: UserAgentStatusTests.stranger)
    network.run(.seconds(1))

    #expect(network.inbox.map(\.message.status) == [481])
  }

  @Test("no response at all is 408")
  func silence() {
    let network = UserAgentNetwork()
    network.add()

    _ = Scene.call(network)
    network.run(.seconds(33))

    #expect(Scene.names(network, 0) == ["refused 408"])
    Scene.expectEmpty(network)
  }

  @Test("ringing for ever: the caller cancels, and without any answer to that gives up")
  func ringsForEver() throws {
    let network = Scene.pair(answers: false) {
      $0.ringingTimeout = $0.productName == "test0" ? .seconds(20) : .seconds(1000)
    }

    _ = Scene.call(network)
    network.run(.seconds(1))
    network.drops = { $0.method == .cancel }
    network.run(.seconds(60))

    #expect(Scene.names(network, 0) == ["ended unanswered"])
    #expect(network.agents[0].counts.isEmpty)
  }

  @Test("the user never answers: 480 after ringingTimeout")
  func neverAnswered() {
    let network = Scene.pair(answers: false) {
      $0.ringingTimeout = $0.productName == "test1" ? .seconds(30) : .seconds(1000)
    }

    _ = Scene.call(network)
    network.run(.seconds(80))

    #expect(Scene.names(network, 1) == ["invited", "ended unanswered"])
    Scene.expectEmpty(network)
  }

  @Test("a lost ACK: the 200 is repeated and acknowledged again")
  func lostACK() throws {
    let network = Scene.pair()
    var dropped = 0
    network.drops = { message in
      guard message.method == .ack, dropped < 3 else { return false }
      dropped += 1
      return true
    }

    _ = Scene.call(network)
    network.run(.seconds(20))

    #expect(dropped == 3)
    #expect(Scene.names(network, 1) == ["invited", "acknowledged"])
    #expect(Scene.names(network, 0) == ["progressed 180", "answered"])
    let acks = network.log.filter { $0.message.method == .ack }.map(\.message.bytes)
    #expect(Set(acks).count == 1, "the same bytes each time")
  }

  @Test("no ACK within 64·T1: BYE and .noACK")
  func noACK() {
    let network = Scene.pair()
    network.drops = { $0.method == .ack }

    _ = Scene.call(network)
    network.run(.seconds(33))

    #expect(Scene.names(network, 1) == ["invited", "ended noACK"])
    #expect(network.sent(.bye) == 1)
    network.run(.seconds(40))
    Scene.expectEmpty(network)
  }

  @Test("hanging up before the ACK sends BYE only after it (RFC 3261 §15)")
  func hangUpBeforeACK() throws {
    let network = Scene.pair()
    var isClosed = true
    network.drops = { $0.method == .ack && isClosed }

    _ = Scene.call(network)
    network.run(.milliseconds(300))
    Scene.hangUp(network, 1, try Scene.invited(network))
    network.run(.seconds(2))
    #expect(network.sent(.bye) == 0)
    isClosed = false
    network.run(.seconds(40))

    #expect(network.sent(.bye) == 1)
    #expect(Scene.names(network, 1) == ["invited", "ended local"])
    Scene.expectEmpty(network)
  }

  @Test("delayed offer: the 200 offers, acknowledge answers, a repeated 200 gets the same ACK")
  func delayedOffer() throws {
    let network = Scene.pair()

    let call = Scene.call(network, body: nil)
    network.run(.seconds(1))
    #expect(network.sent(.ack) == 0)
    network.with(0) { agent, now, outputs in
      agent.acknowledge(
        call, body: MessageBody(contentType: "application/sdp", text: "v=0 mine"), now: now, into: &outputs)
    }
    network.run(.seconds(5))

    guard case .acknowledged(_, let ack)? = network.events[1].last else { return #expect(Bool(false)) }
    #expect(String(decoding: ack.body, as: UTF8.self) == "v=0 mine")
    Scene.hangUp(network, 0, call)
    network.run(.seconds(40))
    Scene.expectEmpty(network)
  }

  @Test("a call over TCP whose peer cannot be reached any more ends with the first request that needs it")
  func transportLost() throws {
    let network = Scene.pair()
    network.with(0) { agent, now, outputs in
      var invitation = network.invitation(1, from: 0)
      invitation.target += ";transport=tcp"
      _ = agent.invite(invitation, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    let callee = try Scene.invited(network)

    network.refusesTCP = true
    network.with(1) { agent, now, outputs in
      _ = agent.request(.info, in: callee, now: now, into: &outputs)
    }
    network.run(.seconds(1))

    #expect(Scene.names(network, 1).suffix(2) == ["failed transport", "ended transport"])
    network.run(.seconds(80))
    #expect(network.agents[1].counts.isEmpty)
  }

  @Test("a body that is no description: the 200 offers all the same")
  func expectsOffer() throws {
    let network = Scene.pair()

    let call = network.with(0) { agent, now, outputs in
      var invitation = network.invitation(1, from: 0, body: "<addUser/>")
      invitation.expectsOffer = true
      return agent.invite(invitation, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    #expect(network.sent(.ack) == 0)
    network.with(0) { agent, now, outputs in
      agent.acknowledge(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.seconds(1))

    guard case .acknowledged(_, let ack)? = network.events[1].last else { return #expect(Bool(false)) }
    #expect(!ack.body.isEmpty)
  }

  @Test("a second answer of a forked INVITE is acknowledged and ended")
  func fork() throws {
    let network = Scene.pair()
    var forked = false
    network.react = { network, index, event in
      guard index == 1, case .invited(let call, let message, _) = event else { return }
      network.with(1) { agent, now, outputs in
        agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
      }
      guard !forked else { return }
      forked = true
      // Another branch at 10.0.0.9 answers the same INVITE a little later.
      let via = message.first(.via) ?? ""
      let other = """
        SIP/2.0 200 OK\r
        Via: \(via)\r
        From: \(message.first(.from) ?? "")\r
        To: \(message.first(.to) ?? "");tag=other\r
        Call-ID: \(message.callID)\r
        CSeq: \(message.first(.cseq) ?? "")\r
        Contact: <sip:x@10.0.0.9:5060>\r
        Content-Length: 0\r
        \r

        """
      network.transmit(
        Array(other.utf8),
        SIPFlow(
          transport: .udp, local: UserAgentNetwork.address(8), remote: UserAgentNetwork.address(0)))
      network.transmit(
        Array(other.utf8),
        SIPFlow(transport: .udp, local: UserAgentNetwork.address(8), remote: UserAgentNetwork.address(0)))
    }

    let call = Scene.call(network)
    network.run(.seconds(2))

    let atOther = network.inbox.map(\.message.method)
    #expect(atOther.filter { $0 == .ack }.count + atOther.filter { $0 == .bye }.count >= 2)
    #expect(Scene.names(network, 0).filter { $0 == "answered" }.count == 1)
    Scene.hangUp(network, 0, call)
    network.run(.seconds(70))
    Scene.expectEmpty(network)
  }

  @Test("100rel required: the 180 is repeated until PRACK, the 200 with a description waits (RFC 3262)")
  func reliableProvisional() throws {
    let network = Scene.pair(answers: false)
    var prackLost = false
    network.drops = { message in
      guard message.method == .prack, message.isRequest, !prackLost else { return false }
      prackLost = true
      return true
    }

    network.with(0) { agent, now, outputs in
      var invitation = network.invitation(1, from: 0)
      invitation.headers = [HeaderField("Require", "100rel")]
      _ = agent.invite(invitation, now: now, into: &outputs)
    }
    network.run(.milliseconds(50))
    let callee = try Scene.invited(network)
    network.with(1) { agent, now, outputs in
      agent.ring(callee, status: 183, body: UserAgentNetwork.sdp, now: now, into: &outputs)
      agent.ring(callee, status: 180, now: now, into: &outputs)
      agent.answer(callee, body: UserAgentNetwork.sdp, now: now, into: &outputs)
    }
    network.run(.milliseconds(100))
    #expect(network.sent(.invite, status: 200) == 0)
    network.run(.seconds(5))

    #expect(Scene.names(network, 0) == ["progressed 183", "answered"])
    #expect(Scene.names(network, 1) == ["invited", "acknowledged"])
    #expect(network.sent(.prack, status: 200) >= 1)
  }

  @Test("no PRACK: 504")
  func noPrack() throws {
    let network = Scene.pair(answers: false)
    network.drops = { $0.method == .prack }

    network.with(0) { agent, now, outputs in
      var invitation = network.invitation(1, from: 0)
      invitation.headers = [HeaderField("Require", "100rel")]
      _ = agent.invite(invitation, now: now, into: &outputs)
    }
    network.run(.milliseconds(50))
    let callee = try Scene.invited(network)
    network.with(1) { agent, now, outputs in agent.ring(callee, now: now, into: &outputs) }
    network.run(.seconds(80))

    #expect(Scene.names(network, 0) == ["progressed 180", "refused 504"])
    #expect(Scene.names(network, 1) == ["invited", "ended unanswered"])
    Scene.expectEmpty(network)
  }

  @Test("INFO both ways, and an INFO that meets a dead peer ends the call")
  func info() throws {
    let network = Scene.pair()

    let call = Scene.call(network)
    network.run(.seconds(1))
    let body = MessageBody(contentType: "application/cccp+xml", text: "<request/>")
    network.with(0) { agent, now, outputs in
      _ = agent.request(.info, in: call, body: body, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    guard case .requested(let request, let callee?, let message, _)? = network.events[1].last else {
      return #expect(Bool(false))
    }
    #expect(String(decoding: message.body, as: UTF8.self) == "<request/>")
    network.with(1) { agent, now, outputs in
      agent.respond(to: request, status: 202, body: body, now: now, into: &outputs)
    }
    network.run(.seconds(1))
    #expect(Scene.names(network, 0).last == "responded 202")

    network.drops = { _ in true }
    network.with(1) { agent, now, outputs in
      _ = agent.request(.info, in: callee, now: now, into: &outputs)
    }
    network.run(.seconds(33))
    #expect(Scene.names(network, 1).suffix(2) == ["failed timeout", "ended dialogLost 408"])
    network.run(.seconds(40))
    #expect(network.agents[1].counts.isEmpty)
  }

  @Test("requests that wait when the call ends are answered 487, unanswered ones 500")
  func pendingRequests() throws {
    let network = Scene.pair { $0.answerTimeout = .seconds(10) }

    let call = Scene.call(network)
    network.run(.seconds(1))
    network.with(0) { agent, now, outputs in _ = agent.request(.info, in: call, now: now, into: &outputs) }
    network.run(.seconds(11))
    #expect(Scene.names(network, 0).last == "responded 500")
    network.with(0) { agent, now, outputs in _ = agent.request(.info, in: call, now: now, into: &outputs) }
    network.run(.seconds(1))
    Scene.hangUp(network, 1, try Scene.invited(network))
    network.run(.seconds(50))

    #expect(network.sent(.info, status: 487) == 1)
    Scene.expectEmpty(network)
  }

  @Test("Record-Route is obeyed in both directions")
  func recordRoute() throws {
    let network = Scene.pair()
    let invite = UserAgentStatusTests.request(
      "INVITE",
      [
        "Record-Route: <sip:10.0.0.11;lr>, <sip:10.0.0.12:5070;lr>", "Contact: <sip:a@10.0.0.13>",
        "Content-Type: application/sdp",
      ], body: "v=0")

    network.receive(invite, at: 1, from: UserAgentStatusTests.stranger)
    network.run(.milliseconds(10))
    let ok = try #require(network.inbox.last { $0.message.status == 200 }?.message)
    network.receive(
      UserAgentStatusTests.request("ACK", toTag: ok.toTag, branch: "ack"), at: 1,
      from: UserAgentStatusTests.stranger)
    Scene.hangUp(network, 1, try Scene.invited(network))
    network.run(.milliseconds(10))

    let bye = try #require(network.inbox.last?.message)
    #expect(bye.method == .bye)
    #expect(try bye.requestURI.text == "sip:a@10.0.0.13")
    #expect(bye.all(.route) == ["<sip:10.0.0.11;lr>", "<sip:10.0.0.12:5070;lr>"])
  }

  @Test("a request over 1300 bytes goes by TCP, and back to UDP when that fails")
  func largeRequest() {
    let network = Scene.pair { $0.sendsLargeRequestsOverTCP = true }

    _ = Scene.call(network, body: String(repeating: "a", count: 1400))
    network.run(.seconds(1))
    #expect(network.log.first?.message.first(.via)?.hasPrefix("SIP/2.0/TCP") == true)
    #expect(Scene.names(network, 0) == ["progressed 180", "answered"])

    network.refusesTCP = true
    _ = Scene.call(network, body: String(repeating: "a", count: 1400))
    network.run(.seconds(1))
    #expect(Scene.names(network, 0).suffix(2) == ["progressed 180", "answered"])
  }

  @Test("a target that leads nowhere is 503 at once; a static name is found")
  func targets() {
    let network = Scene.pair { $0.names = ["conf.example.com": UserAgentNetwork.address(1).with(port: 0)] }

    network.with(0) { agent, now, outputs in
      var invitation = network.invitation(1, from: 0)
      invitation.target = "sip:x@unknown.example.com"
      _ = agent.invite(invitation, now: now, into: &outputs)
      invitation.target = "sip:x@Conf.Example.Com"
      _ = agent.invite(invitation, now: now, into: &outputs)
    }
    network.run(.seconds(1))

    #expect(Scene.names(network, 0) == ["refused 503", "progressed 180", "answered"])
  }

  @Test("tables at their limit: 503 with Retry-After")
  func limits() throws {
    let network = Scene.pair { $0.limits.calls = 2 }

    for _ in 0..<3 {
      network.with(0) { agent, now, outputs in
        _ = agent.invite(network.invitation(1, from: 0), now: now, into: &outputs)
      }
    }
    #expect(Scene.names(network, 0) == ["refused 503"])
    network.run(.seconds(1))
    network.receive(
      UserAgentStatusTests.request("INVITE", ["Contact: <sip:a@10.0.0.99>"]), at: 1,
      from: UserAgentStatusTests.stranger)
    network.run(.seconds(1))

    let refusal = try #require(network.inbox.last?.message)
    #expect(refusal.status == 503)
    #expect(refusal.first(.retryAfter) == "10")
  }
}
