//  SIPEdgeTests.swift: the edge over real loopback sockets; every wait is for an event.
import Primitives
import SIP
import SIPEdge
import Testing

@Suite("SIPEdge over loopback", .timeLimit(.minutes(1)))
struct SIPEdgeTests {
  @Test("a datagram goes there and back")
  func datagram() async throws {
    let near = try await EdgeHarness([.udp])
    let far = try await EdgeHarness([.udp], echoes: true)
    let bytes = EdgeHarness.message()

    near.send(bytes, to: near.flow(.udp, to: far.address(.udp)))

    #expect(await far.next() == .received(bytes, far.flow(.udp, to: near.address(.udp))))
    #expect(await near.next() == .received(bytes, near.flow(.udp, to: far.address(.udp))))
    try await near.edge.stop().get()
    try await far.edge.stop().get()
  }

  @Test("a connection is opened on demand, reused, and answered over its number")
  func stream() async throws {
    let near = try await EdgeHarness([.tcp])
    let far = try await EdgeHarness([.tcp], echoes: true)
    let flow = near.flow(.tcp, to: far.address(.tcp))

    for callID in ["a", "b", "c"] { near.send(EdgeHarness.message(callID: callID), to: flow) }

    for callID in ["a", "b", "c"] {
      guard case .received(let bytes, let arrived) = await far.next() else { return #expect(Bool(false)) }
      #expect(bytes == EdgeHarness.message(callID: callID))
      #expect(arrived.connection == 1)
      guard case .received(let echo, let back) = await near.next() else { return #expect(Bool(false)) }
      #expect(echo == bytes)
      #expect(back.connection == 1 && back.remote == far.address(.tcp))
    }
    #expect(try await near.edge.counters().get().connectionsOpened == 1)
    #expect(try await far.edge.counters().get().connectionsAccepted == 1)
    try await near.edge.stop().get()
    try await far.edge.stop().get()
  }

  @Test("messages written byte by byte, and two in one write")
  func splitWrites() async throws {
    let edge = try await EdgeHarness([.tcp])
    let client = try await RawClient(to: edge.address(.tcp))
    let first = EdgeHarness.message("body one", callID: "one")
    let second = EdgeHarness.message("", callID: "two")

    for index in first.indices { try await client.write(first[index...index]) }
    try await client.write((second + first)[...])

    for expected in [first, second, first] {
      guard case .received(let bytes, _) = await edge.next() else { return #expect(Bool(false)) }
      #expect(bytes == expected)
    }
    try await client.channel.close()
    guard case .failed(let flow) = await edge.next() else { return #expect(Bool(false)) }
    #expect(flow.connection == 1)
    #expect(try await edge.edge.connectionCount().get() == 0)
    try await edge.edge.stop().get()
  }

  @Test("a double CRLF is answered by one CRLF (RFC 5626 §3.5.1)")
  func keepAlive() async throws {
    let edge = try await EdgeHarness([.tcp])
    let client = try await RawClient(to: edge.address(.tcp))

    try await client.write([13, 10, 13, 10])

    #expect(await client.next() == [13, 10])
    try await edge.edge.stop().get()
  }

  @Test("a stream that is not SIP is closed")
  func framingError() async throws {
    let edge = try await EdgeHarness([.tcp])
    let client = try await RawClient(to: edge.address(.tcp))

    try await client.write(Array(repeating: 65, count: SIPLimits.messageBytes + 1)[...])

    #expect(await client.readToEnd().isEmpty)
    #expect(try await edge.edge.counters().get().framingErrors == 1)
    try await edge.edge.stop().get()
  }

  @Test("a peer that does not read is closed at the bound, and the core is told")
  func slowPeer() async throws {
    let edge = try await EdgeHarness([.tcp]) { $0.writeBacklogBytes = 100_000 }
    let client = try await RawClient(to: edge.address(.tcp), reads: false)
    try await client.write(EdgeHarness.message()[...])
    guard case .received(_, let flow) = await edge.next() else { return #expect(Bool(false)) }
    let bytes = EdgeHarness.message(String(repeating: "x", count: 50_000))

    // More than loopback sockets buffer: 64 MiB.
    edge.edge.execute { [edge = edge.edge] _, _ in
      for _ in 0..<1_300 { edge.send(bytes, to: flow) }
    }

    var failure = await edge.next()
    while case .received = failure { failure = await edge.next() }
    #expect(failure == .failed(flow))
    #expect(try await edge.edge.counters().get().slowPeersClosed == 1)
    #expect(try await edge.edge.connectionCount().get() == 0)
    try? await client.channel.close()
    try await edge.edge.stop().get()
  }

  @Test("a port in use fails with the address and the cure", arguments: [SIPTransport.udp, .tcp])
  func addressInUse(transport: SIPTransport) async throws {
    let first = try await EdgeHarness([transport])
    let address = first.address(transport)

    let error = await #expect(throws: SIPEdgeError.self) {
      _ = try await EdgeHarness([transport], address: address)
    }

    #expect(error == .addressInUse(transport, address))
    #expect(error?.exitStatus == 78)
    #expect(error?.description.contains("\(address)") == true)
    #expect(error?.description.contains("configure another port") == true)
    try await first.edge.stop().get()
  }

  @Test("an address of another machine, and a transport that is not built")
  func otherBindErrors() async throws {
    let foreign = SocketAddress(ipv4: 0xc000_0201, port: 0)

    await #expect(throws: SIPEdgeError.addressNotAvailable(.udp, foreign)) {
      _ = try await EdgeHarness([.udp], address: foreign)
    }
    await #expect(throws: SIPEdgeError.unsupportedTransport(.tls)) { _ = try await EdgeHarness([.udp, .tls]) }
  }

  @Test("a connection that is refused fails the flow it was wanted for")
  func connectionRefused() async throws {
    let gone = try await EdgeHarness([.tcp])
    let address = gone.address(.tcp)
    try await gone.edge.stop().get()
    let edge = try await EdgeHarness([.tcp])
    let flow = edge.flow(.tcp, to: address)

    edge.send(EdgeHarness.message(), to: flow)

    var seen: [EdgeEvent] = []
    while !seen.contains(.failed(flow)), let event = await edge.next() { seen.append(event) }
    #expect(seen.contains(.failed(flow)))
    #expect(try await edge.edge.connectionCount().get() == 0)
    try await edge.edge.stop().get()
  }

  @Test("a connection number that is gone fails")
  func unknownConnection() async throws {
    let edge = try await EdgeHarness([.tcp])
    var flow = edge.flow(.tcp, to: edge.address(.tcp))
    flow.connection = 99

    edge.send(EdgeHarness.message(), to: flow)

    #expect(await edge.next() == .failed(flow))
    try await edge.edge.stop().get()
  }

  @Test("connections at the limit are served, one past it is closed")
  func connectionLimit() async throws {
    let edge = try await EdgeHarness([.tcp]) { $0.connectionsPerHost = 2 }
    let clients = [try await RawClient(to: edge.address(.tcp)), try await RawClient(to: edge.address(.tcp))]
    for client in clients { try await client.write(EdgeHarness.message()[...]) }
    for _ in clients {
      guard case .received = await edge.next() else { return #expect(Bool(false)) }
    }

    let third = try await RawClient(to: edge.address(.tcp))

    #expect(await third.readToEnd().isEmpty)
    #expect(try await edge.edge.counters().get().connectionsRefused == 1)
    #expect(try await edge.edge.connectionCount().get() == 2)
    try await edge.edge.stop().get()
  }

  @Test("silence ends a connection, and so does half a message")
  func timeouts() async throws {
    let edge = try await EdgeHarness([.tcp]) {
      $0.idleTimeout = .seconds(3600)
      $0.messageTimeout = .milliseconds(40)
    }
    let stuck = try await RawClient(to: edge.address(.tcp))
    try await stuck.write(EdgeHarness.message().prefix(40))
    #expect(await stuck.readToEnd().isEmpty)
    #expect(try await edge.edge.counters().get().idleClosed == 1)
    try await edge.edge.stop().get()

    let idle = try await EdgeHarness([.tcp]) { $0.idleTimeout = .milliseconds(40) }
    let silent = try await RawClient(to: idle.address(.tcp))
    #expect(await silent.readToEnd().isEmpty)
    #expect(try await idle.edge.counters().get().idleClosed == 1)
    try await idle.edge.stop().get()
  }

  @Test("the core's deadline is kept")
  func deadline() async throws {
    let edge = try await EdgeHarness([.udp])
    let start = Clock.now

    edge.edge.execute { handler, now in (handler as? RecordingHandler)?.nextDeadline = now + .milliseconds(20) }

    #expect(await edge.next() == .advanced)
    #expect(Clock.now - start >= .milliseconds(20))
    try await edge.edge.stop().get()
  }
}
