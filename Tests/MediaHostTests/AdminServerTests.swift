//  AdminServerTests.swift: figures and questions over a real socket: what is served, what is refused, and what is bounded.

import Glibc
import Media
import MediaHost
import Primitives
import Synchronization
import Testing

@Suite("Figures and questions over HTTP", .serialized)
struct AdminServerTests {
  private func serve(_ body: (UInt16) throws -> Void) throws {
    let server = try AdminServer(address: SocketAddress(ipv4: 0x7f00_0001, port: 0)) { route in
      .text(200, "\(route)")
    }
    defer { server.stop() }
    try body(UInt16(server.port))
  }

  @Test("GET and HEAD are answered and the connection closed")
  func reading() throws {
    try serve { port in
      let answer = try exchange(port, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nmetrics\n"))
      #expect(answer.contains("Content-Length: 8\r\n") && answer.contains("Connection: close\r\n"))

      let head = try exchange(port, "HEAD /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      #expect(head.contains("Content-Length: 8\r\n") && head.hasSuffix("\r\n\r\n"))

      let old = try exchange(port, "GET /api/why?leg=sip%3Abo%40x&seconds=9 HTTP/1.0\r\n\r\n")
      #expect(old.contains("why(leg: \"sip:bo@x\", seconds: 9)"))
    }
  }

  @Test(
    "what is wrong is said with its status",
    arguments: [
      ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404", "/metrics, /api/legs"),
      ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405", "Allow: GET, HEAD"),
      ("GET /workers/0/drain HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "405", "Allow: POST"),
      ("GET /api/why HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "400", "leg=… is missing"),
      ("GET /api/why?leg=1&seconds=601 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "400", "from 1 to 600"),
      ("GET /api/why?leg=%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "400", "not readable"),
      ("GET /api/why?leg=%ff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "400", "not readable"),
      ("GET /api/legs HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403", "not for browsers"),
      ("POST /workers/0/drain HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n\r\n", "403", "browsers"),
      ("\u{16}\u{3}\u{1} no HTTP\r\n\r\n", "400", "no HTTP request"),
    ])
  func refusals(request: String, status: String, text: String) throws {
    try serve { port in
      let answer = try exchange(port, request)
      #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.contains(text), "\(answer)")
    }
  }

  @Test("a request of more bytes than allowed")
  func tooLong() throws {
    try serve { port in
      let answer = try exchange(port, "GET /metrics HTTP/1.1\r\nX: \(String(repeating: "a", count: 9_000))\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 431 ") && answer.contains("8192 bytes"), "\(answer)")
    }
  }

  @Test("one connection more than allowed is closed; when one goes, there is room again")
  func connections() throws {
    try serve { port in
      var open = try (0..<AdminLimits.connections).map { _ in try connection(port) }
      // Each of them has reached the server: the last one is answered.
      send(open[0], "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      #expect(try readAll(open[0]).contains("200 OK"))
      close(open.removeFirst())
      open.append(try connection(port))
      let extra = try connection(port)
      send(extra, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      #expect(try readAll(extra).isEmpty)
      close(extra)
      for descriptor in open { close(descriptor) }
      // The server sees the ends in its own time.
      var answered = false
      for _ in 0..<200 where !answered {
        answered = (try? exchange(port, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").contains("200 OK")) ?? false
      }
      #expect(answered)
    }
  }

  @Test("an address that is taken is an error")
  func taken() throws {
    try serve { port in
      #expect(throws: (any Error).self) {
        try AdminServer(address: SocketAddress(ipv4: 0x7f00_0001, port: port)) { _ in .text(200, "") }
      }
    }
  }

  @Test("who is not on this machine may scrape and nothing else")
  func strangers() throws {
    let scrape = try AdminRoute.parse(method: "GET", target: "/metrics", host: "h", origin: nil, isLoopback: false)
    #expect(scrape == .metrics)
    for target in ["/api/legs", "/api/capacity", "/api/why?leg=1", "/api/audibility?meeting=a"] {
      #expect(throws: AdminRefusal.self) {
        try AdminRoute.parse(method: "GET", target: target, host: "127.0.0.1:9108", origin: nil, isLoopback: false)
      }
    }
    for host in [nil, "localhost", "localhost:9108", "127.0.0.1:9108", "[::1]:9108"] {
      let route = try AdminRoute.parse(method: "GET", target: "/api/legs", host: host, origin: nil, isLoopback: true)
      #expect(route == .legs)
    }
  }

  @Test("whatever bytes come, the server goes on", arguments: [1, 2, 3])
  func nonsense(seed: UInt64) throws {
    try serve { port in
      var random = RandomSource(seed: seed)
      for _ in 0..<30 {
        let descriptor = try connection(port)
        var bytes = random.bytes(1 + Int(random.nextWord() % 400))
        if random.nextWord() % 2 == 0 { bytes = Array("GET /api/why?leg=".utf8) + bytes + Array("\r\n\r\n".utf8) }
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        _ = shutdown(descriptor, Int32(SHUT_WR))
        _ = try readAll(descriptor)
        close(descriptor)
      }
      #expect(try exchange(port, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").contains("200 OK"))
    }
  }

  // MARK: A client that does exactly what it is told

  private struct Broken: Error {}

  private func connection(_ port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    var time = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    guard result == 0 else { throw Broken() }
    return descriptor
  }

  private func send(_ descriptor: Int32, _ text: String) {
    _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }

  /// Until the server closes.
  private func readAll(_ descriptor: Int32) throws -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count == 0 || (count < 0 && errno == ECONNRESET) { return String(decoding: bytes, as: UTF8.self) }
      guard count > 0 else { throw Broken() }
      bytes += buffer[..<count]
    }
  }

  private func exchange(_ port: UInt16, _ request: String) throws -> String {
    let descriptor = try connection(port)
    defer { close(descriptor) }
    send(descriptor, request)
    return try readAll(descriptor)
  }
}

@Suite("History of legs' seconds")
struct EvidenceHistoryTests {
  private func second(_ leg: UInt32, _ time: UInt32) -> LegSecond {
    var second = LegSecond(leg: LegID(rawValue: leg))
    second.second = time
    return second
  }

  @Test("ten minutes of each leg are kept, the newest last")
  func minutes() {
    var history = EvidenceHistory()
    for time in 0..<UInt32(2_000) { history.append(second(1, time)) }

    let kept = history.history(of: LegID(rawValue: 1), last: 10_000)
    #expect(kept.count == 600 && kept.first?.second == 1_400 && kept.last?.second == 1_999)
    #expect(history.history(of: LegID(rawValue: 1), last: 3).map(\.second) == [1_997, 1_998, 1_999])
    #expect(history.history(of: LegID(rawValue: 2), last: 3).isEmpty)
    #expect(history.chunks <= 11)
  }

  @Test("at the bound the oldest minutes go, whosever they are")
  func bound() {
    var history = EvidenceHistory(maximumChunks: 20)
    for time in 0..<UInt32(600) {
      for leg in 0..<UInt32(10) { history.append(second(leg, time)) }
    }

    #expect(history.chunks == 20)
    for leg in 0..<UInt32(10) {
      let kept = history.history(of: LegID(rawValue: leg), last: 600)
      #expect((60...120).contains(kept.count) && kept.last?.second == 599)
    }
  }

  @Test("who has gone is forgotten when the last second is too old, who is there is not")
  func forgetting() {
    var history = EvidenceHistory()
    for leg in 0..<UInt32(1_000) { history.append(second(leg, leg)) }

    history.forget(before: 900) { $0.rawValue == 5 }

    #expect(history.legs == 101 && history.chunks == 101)
    #expect(history.history(of: LegID(rawValue: 5), last: 1).count == 1)
    for leg in 0..<UInt32(50) { history.append(second(leg, 2_000)) }
    #expect(history.legs == 150)
  }
}
