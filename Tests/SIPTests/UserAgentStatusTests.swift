//  UserAgentStatusTests.swift: the statuses that a UserAgent answers by itself (RFC 3261 §8.2, §12.2.2).
import Primitives
import SIP
import Testing

@Suite("UserAgent statuses (RFC 3261 §8.2)")
struct UserAgentStatusTests {
  static let stranger = SocketAddress(ipv4: 0x0a00_0063, port: 5060)

  static func request(
    _ method: String, _ headers: [String] = [], uri: String = "sip:b@10.0.0.2", toTag: String? = nil,
    branch: String = "b1", cseq: Int = 1, maxForwards: Int = 70, body: String = ""
  ) -> String {
    let extra = headers.map { $0 + "\r\n" }.joined()
    return """
      \(method) \(uri) SIP/2.0\r
      Via: SIP/2.0/UDP 10.0.0.99:5060;branch=z9hG4bK\(branch)\r
      Max-Forwards: \(maxForwards)\r
      From: <sip:a@10.0.0.99>;tag=stranger\r
      To: <sip:b@10.0.0.2>\(toTag.map { ";tag=\($0)" } ?? "")\r
      Call-ID: c1\r
      CSeq: \(cseq) \(method)\r
      \(extra)Content-Length: \(body.utf8.count)\r
      \r
      \(body)
      """
  }

  /// The final response to one request.
  private func answer(
    _ text: String, _ change: (inout UserAgentConfiguration) -> Void = { _ in }
  ) throws -> SIPMessage {
    let network = Scene.pair(answers: false, change)
    network.receive(text, at: 1, from: Self.stranger)
    network.run(.milliseconds(100))
    return try #require(network.inbox.last?.message)
  }

  @Test("OPTIONS: 200 with Allow, Accept, Supported, Allow-Events; also at Max-Forwards 0")
  func options() throws {
    let response = try answer(Self.request("OPTIONS", maxForwards: 0)) { $0.eventPackages = ["conference"] }

    #expect(response.status == 200)
    #expect(response.lists("INVITE", in: .allow) && response.lists("UPDATE", in: .allow))
    #expect(response.first(.accept) == "application/sdp")
    #expect(response.lists("timer", in: .supported))
    #expect(response.first(.allowEvents) == "conference")
    #expect(response.toTag != nil)
  }

  @Test("420 names what is not supported; timer and configured extensions pass")
  func badExtension() throws {
    let response = try answer(Self.request("OPTIONS", ["Require: timer, foo, mine"])) { $0.extensions = ["mine"] }

    #expect(response.status == 420)
    #expect(response.all(.unsupported) == ["foo"])
  }

  @Test("405 with Allow for a known method, 501 for an unknown one")
  func methods() throws {
    let known = try answer(Self.request("REFER"))
    let unknown = try answer(Self.request("DANCE"))

    #expect(known.status == 405)
    #expect(known.lists("INVITE", in: .allow) && !known.lists("REFER", in: .allow))
    #expect(unknown.status == 501)
  }

  @Test("400 names the header that is missing or garbled")
  func badRequests() throws {
    let whole = Self.request("OPTIONS")
    let missing = try answer(whole.replacing("Call-ID: c1\r\n", with: ""))
    let garbled = try answer(whole.replacing("CSeq: 1 OPTIONS", with: "CSeq: one OPTIONS"))
    let noContact = try answer(Self.request("INVITE"))

    #expect(missing.status == 400 && missing.reasonPhrase.contains("Call-ID"))
    #expect(garbled.status == 400 && garbled.reasonPhrase.contains("CSeq"))
    #expect(noContact.status == 400 && noContact.reasonPhrase.contains("Contact"))
  }

  @Test("481 for requests inside dialogs that are not there")
  func noDialog() throws {
    for method in ["INVITE", "BYE", "INFO", "UPDATE", "PRACK", "NOTIFY", "SUBSCRIBE"] {
      #expect(try answer(Self.request(method, ["Event: x"], toTag: "nobody")).status == 481)
    }
    for method in ["BYE", "INFO", "UPDATE", "PRACK", "NOTIFY"] {
      #expect(try answer(Self.request(method)).status == 481)
    }
  }

  @Test("483 at Max-Forwards 0, 416 for another scheme, 489 for another event package")
  func others() throws {
    #expect(try answer(Self.request("INVITE", ["Contact: <sip:a@10.0.0.99>"], maxForwards: 0)).status == 483)
    #expect(try answer(Self.request("OPTIONS", uri: "mailto:b@example.com")).status == 416)
    let event = try answer(Self.request("SUBSCRIBE", ["Event: presence"])) { $0.eventPackages = ["conference"] }
    #expect(event.status == 489)
    #expect(event.first(.allowEvents) == "conference")
  }

  @Test("482 for the same request by another path")
  func merged() throws {
    let network = Scene.pair(answers: false)

    network.receive(
      Self.request("INVITE", ["Contact: <sip:a@10.0.0.99>"]), at: 1, from: Self.stranger)
    network.receive(
      Self.request("INVITE", ["Contact: <sip:a@10.0.0.99>"], branch: "b2"), at: 1, from: Self.stranger)
    network.run(.milliseconds(100))

    #expect(network.inbox.map(\.message.status).contains(482))
    #expect(Scene.names(network, 1) == ["invited"])
  }

  @Test("500 for a CSeq that is not higher")
  func cseqOrder() throws {
    let network = Scene.pair()
    network.receive(
      Self.request("INVITE", ["Contact: <sip:a@10.0.0.99>"], cseq: 10), at: 1, from: Self.stranger)
    network.run(.milliseconds(100))
    let tag = try #require(network.inbox.last?.message.toTag)
    network.receive(
      Self.request("ACK", toTag: tag, branch: "ack", cseq: 10), at: 1, from: Self.stranger)

    network.receive(Self.request("INFO", toTag: tag, branch: "i1", cseq: 9), at: 1, from: Self.stranger)
    network.receive(Self.request("INFO", toTag: tag, branch: "i2", cseq: 11), at: 1, from: Self.stranger)
    network.run(.milliseconds(100))

    #expect(network.inbox.last?.message.status == 500)
    #expect(network.inbox.last?.message.reasonPhrase == "CSeq Out Of Order")
    #expect(Scene.names(network, 1) == ["invited", "acknowledged", "requested INFO"])
  }

  @Test("a phone behind a NAT is answered and called back where its datagrams come from (RFC 3581)")
  func symmetric() throws {
    let network = Scene.pair()
    let nat = SocketAddress(ipv4: 0xc633_6401, port: 40_000)
    let invite = Self.request("INVITE", ["Contact: <sip:a@192.168.1.2:5060>"])
      .replacing("Via: SIP/2.0/UDP 10.0.0.99:5060", with: "Via: SIP/2.0/UDP 192.168.1.2:5060;rport")

    network.with(1) { agent, now, outputs in
      let flow = SIPFlow(transport: .udp, local: UserAgentNetwork.address(1), remote: nat)
      agent.receive(Array(invite.utf8), from: flow, now: now, into: &outputs)
      for case .transmit(_, let to) in outputs { #expect(to.remote == nat) }
    }
    network.run(.milliseconds(50))
    let ok = try #require(network.inbox.last?.message)
    #expect(try ok.topVia.rport == 40_000 && ok.topVia.received == "198.51.100.1")
    network.receive(Self.request("ACK", toTag: ok.toTag, branch: "ack"), at: 1, from: nat)
    let call = try Scene.invited(network)
    network.with(1) { agent, now, outputs in
      agent.hangUp(call, now: now, into: &outputs)
      guard case .transmit(_, let flow)? = outputs.last else { return #expect(Bool(false)) }
      #expect(flow.remote == nat)
    }
  }

  @Test("out-of-dialog requests: REGISTER answered, a table that is full, one that is never answered")
  func requests() throws {
    let network = Scene.pair {
      $0.allowedMethods.insert(.register)
      $0.limits.serverRequests = 2
      $0.answerTimeout = .seconds(5)
    }

    for _ in 0..<3 {
      network.with(0) { agent, now, outputs in
        var request = OutgoingRequest(
          .register, target: "sip:10.0.0.2", from: "<sip:host@10.0.0.1>", to: "<sip:host@10.0.0.1>")
        request.hasContact = true
        request.contactParameters = ";expires=60"
        _ = agent.request(request, now: now, into: &outputs)
      }
    }
    network.run(.seconds(1))
    #expect(Scene.names(network, 0) == ["responded 503"])
    guard case .requested(let handle, nil, let message, _)? = network.events[1].first else {
      return #expect(Bool(false))
    }
    #expect(message.first(.contact) == "<sip:parley@10.0.0.1:5060>;expires=60")
    network.with(1) { agent, now, outputs in
      agent.respond(to: handle, status: 200, headers: [HeaderField("Expires", "60")], now: now, into: &outputs)
    }
    network.run(.seconds(6))
    #expect(Scene.names(network, 0) == ["responded 503", "responded 200", "responded 500"])
    network.run(.seconds(40))
    Scene.expectEmpty(network)
  }

  @Test("noise is not answered")
  func noise() {
    let network = Scene.pair()

    for text in ["", "\r\n\r\n", "hello", "SIP/2.0 200 OK\r\n\r\n", String(repeating: "x", count: 70_000)] {
      network.receive(text, at: 1, from: Self.stranger)
    }
    network.run(.seconds(1))

    #expect(network.inbox.isEmpty)
    Scene.expectEmpty(network)
  }
}
