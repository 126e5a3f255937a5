//  TransactionLayerTests.swift: matching, timers, CANCEL, ACK, response routing and limits on virtual time.
import Primitives
import SIP
import Testing

/// A layer with a clock, and its outputs sorted by kind.
private struct Bench {
  var layer: TransactionLayer
  var now = Instant.zero
  var outputs: [TransactionOutput] = []

  init(_ configuration: TransactionConfiguration = TransactionConfiguration()) {
    layer = TransactionLayer(configuration: configuration, random: RandomSource(seed: 1))
  }

  mutating func receive(_ text: String, from flow: SIPFlow = Sample.flow) throws {
    layer.receive(try parsed(text), from: flow, now: now, into: &outputs)
  }
  /// Runs the timers up to `milliseconds` from the start.
  mutating func run(until milliseconds: Int) {
    let end = Instant.zero + .milliseconds(milliseconds)
    while layer.nextDeadline <= end {
      now = layer.nextDeadline
      layer.advance(to: now, into: &outputs)
    }
    now = end
  }
  mutating func take() -> [TransactionOutput] {
    defer { outputs = [] }
    return outputs
  }
  mutating func sent() throws -> [SIPMessage] {
    try take().compactMap { output throws -> SIPMessage? in
      guard case .transmit(let bytes, _) = output else { return nil }
      return try SIPMessage(parsing: bytes)
    }
  }
  mutating func kinds() -> [String] { take().map(kind) }

  func kind(_ output: TransactionOutput) -> String {
    switch output {
    case .transmit(let bytes, _):
      "transmit " + ((try? SIPMessage(parsing: bytes)).map { $0.isRequest ? $0.method.name : String($0.status) } ?? "?")
    case .request(let request): "request " + request.message.method.name
    case .ack: "ack"
    case .response(_, let message, _): "response \(message.status)"
    case .failed(_, let failure): "failed \(failure)"
    case .terminated: "terminated"
    }
  }

  mutating func send(_ method: SIPMethod, over flow: SIPFlow = Sample.flow) throws -> (TransactionID, SIPMessage) {
    var builder = SIPMessageBuilder(request: method, uri: "sip:bob@example.com")
    builder.add(.from, "<sip:alice@example.com>;tag=f1")
    builder.add(.to, "<sip:bob@example.com>")
    builder.add(.callID, "call-1")
    builder.add(.cseq, "1 \(method.name)")
    builder.add(.route, "<sip:proxy.example.com;lr>")
    let id = try layer.send(builder, over: flow, now: now, into: &outputs)
    guard case .transmit(let bytes, flow)? = outputs.last else { throw SIPParseError.empty }
    return (id, try SIPMessage(parsing: bytes))
  }
  /// The peer's response to a request of ours.
  func response(_ request: SIPMessage, _ status: Int) -> SIPMessage? {
    try? SIPMessage(
      parsing: SIPMessageBuilder.response(to: request, from: Sample.flow, status: status, toTag: "peer").encoded())
  }
  mutating func answer(_ request: SIPMessage, _ status: Int, from flow: SIPFlow = Sample.flow) throws {
    layer.receive(try #require(response(request, status)), from: flow, now: now, into: &outputs)
  }
  /// Our response to the request that just came out.
  mutating func respond(_ status: Int) throws -> TransactionID {
    for output in take() {
      guard case .request(let request) = output else { continue }
      let builder = SIPMessageBuilder.response(to: request.message, from: request.flow, status: status, toTag: "us")
      layer.respond(request.transaction, with: builder, now: now, into: &outputs)
      return request.transaction
    }
    throw SIPParseError.empty
  }
}

@Suite("Transaction layer, client (RFC 3261 §17.1)")
struct TransactionLayerClientTests {
  @Test("an unanswered INVITE is sent at 0, ½, 1½, 3½, 7½, 15½ and 31½ s, and fails at 32 s")
  func timerA() throws {
    var bench = Bench()
    let (id, _) = try bench.send(.invite)
    var times: [Int] = [0]
    bench.outputs = []
    for time in stride(from: 500, through: 32_000, by: 500) {
      bench.run(until: time)
      let kinds = bench.kinds()
      if kinds == ["transmit INVITE"] { times.append(time) }
      if time == 32_000 { #expect(kinds == ["failed timedOut", "terminated"]) }
    }

    #expect(times == [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500])
    #expect(bench.layer.clientCount == 0 && bench.layer.nextDeadline == .never)
    bench.layer.cancel(id, now: bench.now, into: &bench.outputs)
    #expect(bench.outputs.isEmpty)
  }

  @Test("a BYE without answer is sent 11 times with intervals up to T2")
  func timerE() throws {
    var bench = Bench()
    _ = try bench.send(.bye)

    bench.run(until: 40_000)

    let kinds = bench.kinds()
    #expect(kinds.filter { $0 == "transmit BYE" }.count == 11)
    #expect(kinds.suffix(2) == ["failed timedOut", "terminated"])
  }

  @Test("on a stream nothing is repeated")
  func reliable() throws {
    var bench = Bench()
    _ = try bench.send(.invite, over: Sample.stream)
    _ = try bench.send(.bye, over: Sample.stream)

    bench.run(until: 31_999)
    #expect(bench.kinds() == ["transmit INVITE", "transmit BYE"])
    bench.run(until: 32_000)
    #expect(bench.kinds() == ["failed timedOut", "terminated", "failed timedOut", "terminated"])
  }

  @Test("Via names the configured listening port and asks for rport over UDP only")
  func via() throws {
    var configuration = TransactionConfiguration()
    configuration.listen = [
      .udp: SocketAddress(ipv4: 0, port: 5060), .tcp: SocketAddress(ipv4: 0x0a00_0001, port: 5062),
    ]
    var bench = Bench(configuration)
    let (_, overUDP) = try bench.send(.options)
    let (_, overTCP) = try bench.send(.options, over: Sample.stream)

    #expect(try overUDP.topVia.sentBy == "127.0.0.1:5060" && overUDP.topVia.asksForRport)
    #expect(try overTCP.topVia.sentBy == "10.0.0.1:5062" && !overTCP.topVia.asksForRport)
    #expect(try overUDP.topVia.branch != overTCP.topVia.branch && overUDP.topVia.hasMagicCookie)
    #expect(overUDP.maxForwards == 70 && fault(overTCP, over: .tcp) == nil)
  }

  @Test("a refusal is acknowledged here, again when it is repeated, and seen once")
  func refusal() throws {
    var bench = Bench()
    let (_, invite) = try bench.send(.invite)
    bench.outputs = []

    try bench.answer(invite, 486)
    try bench.answer(invite, 486)

    let sent = bench.outputs
    #expect(bench.kinds() == ["transmit ACK", "response 486", "transmit ACK"])
    guard case .transmit(let bytes, _)? = sent.first else { return }
    let ack = try SIPMessage(parsing: bytes)
    #expect(try ack.topVia == invite.topVia && ack.vias.count == 1)
    #expect(ack.toTag == "peer" && ack.fromTag == "f1" && ack.requestURIText == invite.requestURIText)
    #expect(try ack.cseq == CSeq(1, .ack))
    #expect(ack.all(.route) == ["<sip:proxy.example.com;lr>"])
    bench.run(until: 31_999)
    #expect(bench.kinds() == [])
    bench.run(until: 32_000)
    #expect(bench.kinds() == ["terminated"])
  }

  @Test("each 2xx comes up for 64·T1, so that a late fork is seen; then it is stray")
  func success() throws {
    var bench = Bench()
    let (_, invite) = try bench.send(.invite)
    bench.outputs = []

    try bench.answer(invite, 180)
    try bench.answer(invite, 200)
    bench.run(until: 20_000)
    try bench.answer(invite, 200)
    try bench.answer(invite, 180)

    #expect(bench.kinds() == ["response 180", "response 200", "response 200"])
    bench.run(until: 32_001)
    #expect(bench.kinds() == ["terminated"])
    try bench.answer(invite, 200)
    #expect(bench.outputs.isEmpty && bench.layer.counters.strayResponses == 1)
  }

  @Test("a response with another branch or method is stray")
  func stray() throws {
    var bench = Bench()
    _ = try bench.send(.options)
    bench.outputs = []

    try bench.receive(
      "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKother\nCSeq: 1 OPTIONS\nFrom: <sip:a@b>\nTo: <sip:a@b>\n\n"
    )

    #expect(bench.outputs.isEmpty && bench.layer.counters.strayResponses == 1)
  }

  @Test("CANCEL waits for a provisional response and has the INVITE's branch; its 200 is not shown")
  func cancel() throws {
    var bench = Bench()
    let (id, invite) = try bench.send(.invite)
    bench.outputs = []

    bench.layer.cancel(id, headers: [(.reason, "SIP;cause=200")], now: bench.now, into: &bench.outputs)
    #expect(bench.outputs.isEmpty)
    try bench.answer(invite, 180)

    #expect(bench.outputs.map(bench.kind) == ["response 180", "transmit CANCEL"])
    let cancel = try #require(try bench.sent().last)
    #expect(try cancel.topVia == invite.topVia && cancel.cseq == CSeq(1, .cancel))
    #expect(cancel.toTag == nil && cancel.first(.reason) == "SIP;cause=200" && fault(cancel) == nil)
    try bench.answer(cancel, 200)
    try bench.answer(invite, 487)
    #expect(bench.kinds() == ["transmit ACK", "response 487"])
  }

  @Test("an INVITE whose CANCEL brings no final response is over after 64·T1")
  func cancelTimeout() throws {
    var bench = Bench()
    let (id, invite) = try bench.send(.invite)
    try bench.answer(invite, 180)
    bench.run(until: 60_000)
    bench.outputs = []

    bench.layer.cancel(id, now: bench.now, into: &bench.outputs)
    bench.run(until: 92_000)

    #expect(bench.kinds().suffix(2) == ["failed timedOut", "terminated"])
    #expect(bench.layer.clientCount == 0)
  }

  @Test("a failed connection fails what was sent over it and nothing else")
  func transport() throws {
    var bench = Bench()
    var any = Sample.stream
    any.connection = 0
    let (first, _) = try bench.send(.options, over: Sample.stream)
    let (second, _) = try bench.send(.options, over: any)
    _ = try bench.send(.options, over: Sample.flow)
    bench.outputs = []

    var failed: [[TransactionID]] = []
    for flow in [Sample.stream, any] {
      bench.outputs = []
      bench.layer.transportFailed(flow, now: bench.now, into: &bench.outputs)
      failed.append(
        bench.outputs.compactMap { output -> TransactionID? in
          if case .failed(let id, .transport) = output { id } else { nil }
        })
    }

    // A request that names no connection may be on another one by now: it is lost when the shell says so.
    #expect(failed == [[first], [second]] && bench.layer.clientCount == 1)
  }

  @Test("client transactions are limited")
  func limit() throws {
    var configuration = TransactionConfiguration()
    configuration.clientTransactions = 2
    var bench = Bench(configuration)
    _ = try bench.send(.options)
    _ = try bench.send(.options)

    #expect(throws: TransactionRefusal.full) { try bench.send(.options) }
    #expect(throws: TransactionRefusal.invalid(.missing(.from))) {
      try TransactionLayer(random: RandomSource(seed: 1)).sendBare()
    }
  }
}

extension TransactionLayer {
  fileprivate func sendBare() throws {
    var layer = self
    var outputs: [TransactionOutput] = []
    _ = try layer.send(SIPMessageBuilder(request: .bye, uri: "sip:a@b"), over: Sample.flow, now: .zero, into: &outputs)
  }
}

@Suite("Transaction layer, server (RFC 3261 §17.2, §18.2)")
struct TransactionLayerServerTests {
  private let invite = Sample.request("INVITE", branch: "z9hG4bK1")
  private let ack = Sample.request("ACK", branch: "z9hG4bK1", toTag: "us")

  @Test("100 Trying after 200 ms, and at once for a repeated INVITE")
  func trying() throws {
    var bench = Bench()
    try bench.receive(invite)
    #expect(bench.kinds() == ["request INVITE"])
    bench.run(until: 199)
    #expect(bench.kinds() == [])
    bench.run(until: 200)
    let trying = try #require(try bench.sent().first)
    #expect(trying.status == 100 && trying.toTag == nil)
    try bench.receive(invite)
    #expect(bench.kinds() == ["transmit 100"])
  }

  @Test("a lost ACK: the refusal is sent again until the ACK comes, and the ACK is not shown")
  func lostACK() throws {
    var bench = Bench()
    try bench.receive(invite)
    _ = try bench.respond(486)

    bench.run(until: 3_600)
    #expect(bench.kinds() == ["transmit 486", "transmit 486", "transmit 486", "transmit 486"])
    try bench.receive(invite)
    #expect(bench.kinds() == ["transmit 486"])
    try bench.receive(ack)
    try bench.receive(ack)
    bench.run(until: 8_599)
    #expect(bench.kinds() == [])
    bench.run(until: 8_600)
    #expect(bench.kinds() == ["terminated"])
    #expect(bench.layer.serverCount == 0 && bench.layer.nextDeadline == .never)
  }

  @Test("no ACK at all is reported after 64·T1")
  func noACK() throws {
    var bench = Bench()
    try bench.receive(invite)
    _ = try bench.respond(404)

    bench.run(until: 32_000)

    #expect(bench.kinds().suffix(2) == ["failed noACK", "terminated"])
  }

  @Test("a 2xx: repeated by its user for 64·T1, repeated INVITEs are absorbed, the ACK comes up")
  func accepted() throws {
    var bench = Bench()
    try bench.receive(invite)
    let id = try bench.respond(200)
    #expect(bench.kinds() == ["transmit 200"])

    try bench.receive(invite)
    #expect(bench.kinds() == [])
    #expect(bench.layer.repeatResponse(id, into: &bench.outputs))
    try bench.receive(Sample.request("ACK", branch: "z9hG4bKnew", toTag: "us"))
    #expect(bench.kinds() == ["transmit 200", "ack"])
    bench.run(until: 32_000)
    #expect(bench.kinds() == ["terminated"])
    #expect(!bench.layer.repeatResponse(id, into: &bench.outputs))
  }

  @Test("a second final response is not sent")
  func onlyOneFinal() throws {
    var bench = Bench()
    try bench.receive(invite)
    let id = try bench.respond(486)
    let request = try parsed(invite)
    bench.outputs = []

    for status in [180, 200, 500] {
      let response = SIPMessageBuilder.response(to: request, from: Sample.flow, status: status)
      #expect(!bench.layer.respond(id, with: response, now: bench.now, into: &bench.outputs))
    }

    bench.run(until: 500)
    #expect(bench.kinds() == ["transmit 486"])
  }

  @Test("a repeated request gets its response again until timer J")
  func nonInvite() throws {
    var bench = Bench()
    let info = Sample.request("INFO", branch: "z9hG4bK2", toTag: "us")
    try bench.receive(info)
    try bench.receive(info)
    #expect(bench.outputs.count == 1)
    _ = try bench.respond(200)
    try bench.receive(info)
    #expect(bench.kinds() == ["transmit 200", "transmit 200"])
    bench.run(until: 32_000)
    #expect(bench.kinds() == ["terminated"])
    try bench.receive(info)
    #expect(bench.kinds() == ["request INFO"])
  }

  @Test("CANCEL names its INVITE; without one it names none")
  func cancel() throws {
    var bench = Bench()
    try bench.receive(invite)
    guard case .request(let request)? = bench.take().first else { return }

    try bench.receive(Sample.request("CANCEL", branch: "z9hG4bK1"))
    try bench.receive(Sample.request("CANCEL", branch: "z9hG4bK9"))

    let cancels = bench.take().compactMap { output -> TransactionID?? in
      if case .request(let cancel) = output { .some(cancel.cancels) } else { nil }
    }
    #expect(cancels == [request.transaction, nil])
  }

  @Test("sent-by and method tell transactions of one branch apart; case does not")
  func matching() throws {
    var bench = Bench()
    try bench.receive(invite)
    try bench.receive(invite.replacing("192.0.2.10:5070", with: "192.0.2.10:5071"))
    try bench.receive(Sample.request("OPTIONS", branch: "z9hG4bK1"))
    #expect(bench.kinds() == ["request INVITE", "request INVITE", "request OPTIONS"])
  }

  @Test("RFC 2543 branches match by the whole request")
  func withoutCookie() throws {
    var bench = Bench()
    let old = Sample.request("INVITE", branch: "1")
    try bench.receive(old)
    try bench.receive(old)
    #expect(bench.kinds() == ["request INVITE", "transmit 100"])
    try bench.receive(Sample.request("INVITE", branch: "1", cseq: 2))
    _ = try bench.respond(486)
    bench.outputs = []
    try bench.receive(Sample.request("ACK", branch: "1", cseq: 2, toTag: "us"))
    bench.run(until: 10_000)
    #expect(bench.kinds() == ["terminated"])
  }

  @Test("the same request by another path is merged; a new one is not")
  func merged() throws {
    var bench = Bench()
    try bench.receive(invite)
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK2"))
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK3", cseq: 2))
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK4", toTag: "us"))

    let merged = bench.take().compactMap { output -> Bool? in
      if case .request(let request) = output { request.isMerged } else { nil }
    }
    #expect(merged == [false, true, false, false])
  }

  @Test("responses go to the source: by rport, else by sent-by's port; maddr and a forged host do not matter")
  func routing() throws {
    let withPort = Sample.flow
    for (via, port) in [
      ("192.0.2.10:5070;branch=z9hG4bK1;rport", 6_666), ("192.0.2.10:5070;branch=z9hG4bK1", 5_070),
      ("203.0.113.9;branch=z9hG4bK1", 5_060), ("192.0.2.10:5070;branch=z9hG4bK1;maddr=203.0.113.9", 5_070),
    ] {
      var bench = Bench()
      var flow = withPort
      flow.remote = flow.remote.with(port: 6_666)
      try bench.receive(invite.replacing("192.0.2.10:5070;branch=z9hG4bK1;rport", with: via), from: flow)
      _ = try bench.respond(200)
      guard case .transmit(_, let used)? = bench.outputs.first else {
        Issue.record("nothing sent")
        return
      }
      #expect(used.remote == withPort.remote.with(port: UInt16(port)), "\(via)")
    }
  }

  @Test("when its connection is closed a response goes over a new one to the sent-by port, then is given up")
  func reopened() throws {
    var bench = Bench()
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK1", transport: "TCP"), from: Sample.stream)
    let requests = bench.outputs

    bench.layer.transportFailed(Sample.stream, now: bench.now, into: &bench.outputs)
    #expect(bench.outputs.count == 1)
    bench.outputs = requests
    _ = try bench.respond(486)

    guard case .transmit(_, let used)? = bench.outputs.first else { return }
    #expect(used.connection == 0 && used.remote.port == 5_070)
    bench.outputs = []
    bench.layer.transportFailed(used, now: bench.now, into: &bench.outputs)
    #expect(bench.kinds() == ["failed transport"])
  }

  @Test("a full table answers 503 with Retry-After, the same for a repetition, and nothing to ACK")
  func limit() throws {
    var configuration = TransactionConfiguration()
    configuration.serverTransactions = 2
    var bench = Bench(configuration)
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK1", callID: "a"))
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK2", callID: "b"))
    bench.outputs = []

    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK3", callID: "c"))
    try bench.receive(Sample.request("INVITE", branch: "z9hG4bK3", callID: "c"))
    try bench.receive(Sample.request("ACK", branch: "z9hG4bK3", toTag: "x", callID: "c"))

    let sent = try bench.sent()
    #expect(sent.map(\.status) == [503, 503] && sent[0].bytes == sent[1].bytes)
    #expect(sent[0].first(.retryAfter) == "10" && bench.layer.counters.refusedRequests == 2)
  }

  @Test("kept bytes are limited as well, and freed with their transactions")
  func keptBytes() throws {
    var configuration = TransactionConfiguration()
    configuration.keptResponseBytes = 8_000
    var bench = Bench(configuration)
    for number in 0..<3 {
      try bench.receive(
        Sample.request(
          "OPTIONS", branch: "z9hG4bK\(number)" + String(repeating: "x", count: 4_000), callID: "\(number)"))
    }
    #expect(bench.outputs.map(bench.kind) == ["request OPTIONS", "request OPTIONS", "transmit 503"])

    for output in bench.take() {
      guard case .request(let request) = output else { continue }
      let response = SIPMessageBuilder.response(to: request.message, from: request.flow, status: 200)
      bench.layer.respond(request.transaction, with: response, now: bench.now, into: &bench.outputs)
    }
    bench.run(until: 33_000)
    bench.outputs = []
    try bench.receive(Sample.request("OPTIONS", branch: "z9hG4bK9"))

    #expect(bench.kinds() == ["request OPTIONS"])
  }

  @Test("10,000 transactions: every timer fires, the table is empty afterwards")
  func many() throws {
    var bench = Bench()
    for number in 0..<10_000 {
      bench.now = .zero + .microseconds(number * 100)
      try bench.receive(Sample.request("OPTIONS", branch: "z9hG4bK\(number)", callID: "\(number)"))
      _ = try bench.respond(200)
    }
    #expect(bench.layer.serverCount == 10_000)
    bench.outputs = []

    bench.run(until: 34_000)

    #expect(bench.outputs.count == 10_000 && bench.layer.serverCount == 0 && bench.layer.nextDeadline == .never)
  }
}
