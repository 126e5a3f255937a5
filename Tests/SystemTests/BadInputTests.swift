//  BadInputTests.swift: each bad input gets its right answer, and a meeting that goes on beside it is not disturbed.

import Foundation
import Testing

@Suite("Bad input", .serialized)
struct BadInputTests {
  private func withRaw(
    _ parley: RunningParley, stream: Bool = false, _ body: (RawSIP, RawRequest) throws -> Void
  ) throws {
    let socket = try RawSIP(port: parley.sipPort, stream: stream)
    var request = RawRequest(uri: "sip:raw@127.0.0.1:\(parley.sipPort)", port: socket.localPort)
    request.transport = stream ? "TCP" : "UDP"
    try body(socket, request)
  }

  private func expectAlive(_ parley: RunningParley) throws {
    let socket = try RawSIP(port: parley.sipPort)
    let options = RawRequest("OPTIONS", uri: "sip:127.0.0.1:\(parley.sipPort)", port: socket.localPort)
    try socket.send(options.text)
    #expect(socket.finalResponse()?.status == 200)
  }

  /// Changes one thing of a good request; what must come back.
  private static let refusals: [(String, Int, @Sendable (inout RawRequest) -> Void)] = [
    ("three conflicting Content-Lengths", 400, { $0.contentLengths = [$0.body.utf8.count, 3, 99_999] }),
    ("no Call-ID", 400, { $0.without = ["Call-ID"] }),
    ("no CSeq", 400, { $0.without = ["CSeq"] }),
    ("no From", 400, { $0.without = ["From"] }),
    ("no To", 400, { $0.without = ["To"] }),
    ("an unknown method", 501, { $0.method = "FROBNICATE" }),
    (
      "a known method that is not for us", 405,
      {
        $0.method = "MESSAGE"
        $0.body = "hello"
        $0.contentType = "text/plain"
      }
    ),
    ("no hop left", 483, { $0.maxForwards = 0 }),
    ("an extension that we do not know", 420, { $0.extra = ["Require: frobnication"] }),
    ("an address that is no meeting of ours", 404, { $0.uri = "sip:demo@elsewhere.example.org" }),
    ("an address scheme that is not SIP", 416, { $0.uri = "mailto:demo@example.com" }),
    ("a request in a dialog that does not exist", 481, { $0.toTag = "nobody" }),
    ("SDP that is none", 400, { $0.body = "this is no session description\r\n" }),
    (
      "SDP without audio", 488,
      { $0.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 RTP/AVP 96\r\n" }
    ),
    (
      "a codec that nobody speaks", 488,
      { $0.body = $0.body.replacingOccurrences(of: "RTP/SAVP 8 101", with: "RTP/SAVP 3") }
    ),
    (
      "a crypto suite that nobody speaks", 488,
      { $0.body = $0.body.replacingOccurrences(of: "AES_CM_128", with: "ROT13") }
    ),
    (
      "payload type 4294967296", 488,
      { $0.body = $0.body.replacingOccurrences(of: "RTP/SAVP 8", with: "RTP/SAVP 4294967296") }
    ),
    ("a body type that is no offer", 415, { $0.contentType = "application/x-garbage" }),
    ("a session timer below the least", 422, { $0.extra = ["Supported: timer", "Session-Expires: 10"] }),
  ]

  @Test("each bad request gets its status, over UDP and TCP, and a meeting beside it goes on")
  func requests() throws {
    var settings = RunningParley.Settings()
    settings.mediaTimeoutSeconds = 30
    let parley = try RunningParley(settings)
    let load = try LoadRun(parley, participants: 4, seconds: 20)
    try load.waitUntilTalking()

    for stream in [false, true] {
      for (what, status, change) in Self.refusals {
        try withRaw(parley, stream: stream) { socket, request in
          var request = request
          change(&request)
          try socket.send(request.text)
          let response = socket.finalResponse()
          #expect(response?.status == status, "\(what) over \(request.transport): \(response?.text ?? "no answer")")
          if status == 405 { #expect(response?.text.contains("Allow:") == true, "\(what)") }
          if status == 488 {
            #expect(response?.text.contains("Warning: 3") == true, "\(what): \(response?.text ?? "")")
          }
          if status == 420 { #expect(response?.text.contains("Unsupported: frobnication") == true, "\(what)") }
          if status == 422 { #expect(response?.text.contains("Min-SE:") == true, "\(what)") }
        }
      }
    }
    try expectAlive(parley)

    let report = try load.report()
    #expect((report["failures"] as? [String]) == [], "\(report)")
  }

  @Test("garbage on the SIP port: datagrams of every kind, and streams that are cut, oversized or never end")
  func garbage() throws {
    let parley = try RunningParley()
    var generator = SystemRandomNumberGenerator()
    let good = Array(RawRequest(uri: parley.uri("demo"), port: 9).text.utf8)
    let socket = try RawSIP(port: parley.sipPort)
    for round in 0..<400 {
      var bytes = good
      switch round % 4 {
      case 0: bytes = Array(good.prefix(Int.random(in: 0..<good.count, using: &generator)))
      case 1: bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      case 2:
        bytes = (0..<Int.random(in: 0..<1_400, using: &generator)).map { _ in
          UInt8.random(in: 0...255, using: &generator)
        }
      default: bytes += Array(repeating: UInt8(ascii: "a"), count: 30_000)
      }
      try? socket.send(bytes)
    }
    try expectAlive(parley)

    // A header that never ends is refused and the connection closed; memory does not grow with it.
    let endless = try RawSIP(port: parley.sipPort, stream: true)
    try endless.send("OPTIONS sip:127.0.0.1 SIP/2.0\r\nX-Long: ")
    // The server may close while we still send.
    for _ in 0..<200 { try? endless.send(Array(repeating: UInt8(ascii: "b"), count: 4_096)) }
    #expect(endless.isClosed(seconds: 5))
    let announced = try RawSIP(port: parley.sipPort, stream: true)
    var huge = RawRequest(uri: parley.uri("demo"), port: announced.localPort)
    huge.transport = "TCP"
    huge.contentLengths = [50_000_000]
    try announced.send(huge.text)
    #expect([413, 513, 400].contains(announced.finalResponse()?.status ?? 0))
    // Half a message and then silence costs nobody else anything.
    let half = try RawSIP(port: parley.sipPort, stream: true)
    try half.send("INVITE sip:demo@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP")

    try expectAlive(parley)
    #expect(parley.frontEnd.isRunning)
  }

  @Test("the same request by two ways is merged (482), a repeated one is answered once more")
  func mergedAndRepeated() throws {
    let parley = try RunningParley()
    try withRaw(parley) { socket, request in
      try socket.send(request.text)
      let first = try #require(socket.finalResponse())
      #expect(first.status == 200)
      // The 200 comes again until it is acknowledged: a lost ACK costs nothing.
      let again = try #require(socket.finalResponse())
      #expect(again.text == first.text)
      var merged = request
      merged.branch += "x"
      try socket.send(merged.text)
      var status: Int?
      while let response = socket.finalResponse(seconds: 3), status == nil {
        if response.text.contains(merged.branch) { status = response.status }
      }
      #expect(status == 482)
      try socket.send(request.inDialog("ACK", response: first.text, sequence: 1).text)
      try socket.send(request.inDialog("BYE", response: first.text, sequence: 2).text)
      var ended: Int?
      while ended == nil, let response = socket.finalResponse(seconds: 3) {
        if response.text.contains("2 BYE") { ended = response.status }
      }
      #expect(ended == 200)
    }
  }

  @Test("a call that is never acknowledged ends by itself")
  func neverAcknowledged() throws {
    var settings = RunningParley.Settings()
    settings.mediaTimeoutSeconds = 3
    let parley = try RunningParley(settings)
    try withRaw(parley) { socket, request in
      try socket.send(request.text)
      #expect(socket.finalResponse()?.status == 200)
      // No ACK, no media: the front end gives up and says BYE.
      var bye = false
      let deadline = Date(timeIntervalSinceNow: 45)
      while !bye, Date() < deadline, let message = socket.receive(seconds: 10) { bye = message.hasPrefix("BYE ") }
      #expect(bye)
    }
    try parley.frontEnd.waitForLine(containing: "conference ended", seconds: 40)
  }

  @Test("XML that attacks its reader is refused by the media host's control interface, which goes on")
  func entityBomb() throws {
    let parley = try RunningParley()
    let host = try #require(parley.mediaHosts.first)
    let bomb = """
      <?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
      <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d SYSTEM "file:///etc/passwd">]>
      <request xmlns="urn:ietf:params:xml:ns:cccp" requestId="1" from="a" to="b"><addConference>&c;&d;</addConference></request>
      """
    let deep = String(repeating: "<a>", count: 10_000)
    for body in [bomb, deep, "<request", String(repeating: "x", count: 40_000)] {
      let socket = try RawSIP(port: host.sipPort, stream: true)
      var request = RawRequest(uri: "sip:av@127.0.0.1:\(host.sipPort)", port: socket.localPort)
      request.transport = "TCP"
      request.contentType = "application/cccp+xml"
      request.body = body
      try socket.send(request.text)
      let response = socket.finalResponse()
      #expect((400...499).contains(response?.status ?? 0), "\(response?.text ?? "no answer")")
    }
    let load = try LoadRun(parley, participants: 3, seconds: 3)
    #expect((try load.report()["failures"] as? [String]) == [])
  }

  @Test("packets that are nobody's do not disturb a meeting: random bytes, plain RTP, RTP with a wrong key")
  func strayPackets() throws {
    let parley = try RunningParley()
    let host = try #require(parley.mediaHosts.first)
    let load = try LoadRun(parley, participants: 4, seconds: 10)
    try load.waitUntilTalking()
    var generator = SystemRandomNumberGenerator()
    let media = try RawSIP(port: host.mediaPort)
    let control = try RawSIP(port: host.mediaPort + 1)

    let deadline = Date(timeIntervalSinceNow: 6)
    var sent = 0
    while Date() < deadline {
      var packet = (0..<Int.random(in: 0..<400, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      if sent % 2 == 0, packet.count > 12 {
        packet[0] = 0x80
        packet[1] = UInt8([0, 8, 9, 96, 111, 200, 201][sent / 2 % 7])
      }
      try? (sent % 5 == 0 ? control : media).send(packet)
      sent += 1
      if sent % 20 == 0 { Thread.sleep(forTimeInterval: 0.002) }
    }

    let report = try load.report()
    #expect((report["failures"] as? [String]) == [], "after \(sent) packets: \(report)")
    #expect(host.process.isRunning)
  }

  @Test("a port that is in use at the start: a message that names it, and exit status 78")
  func portInUse() throws {
    let parley = try RunningParley()
    let host = try #require(parley.mediaHosts.first)
    let directory = try ScratchDirectory()

    let frontEnd = try directory.write("a.yaml", "front-end:\n  listen: 127.0.0.1:\(parley.sipPort)\n  store: memory\n")
    let second = try ChildProcess("second front end", Program.path("parley-front-end"), ["--config", frontEnd])
    #expect(try second.waitForExit() == 78)
    #expect(second.output.contains("127.0.0.1:\(parley.sipPort)"))
    #expect(second.output.contains("in use"))

    let free = FreePort.pair()
    let mediaHost = try directory.write(
      "b.yaml",
      "media-host:\n  name: other\n  listen: 127.0.0.1:\(free)\n  front-end: 127.0.0.1:\(parley.sipPort)\n"
        + "  media-port: \(host.mediaPort)\n  workers: [0]\n")
    let other = try ChildProcess("second media host", Program.path("parley-media-host"), ["--config", mediaHost])
    #expect(try other.waitForExit() == 78)
    #expect(other.output.contains("\(host.mediaPort)"))
    #expect(other.output.contains("in use"))
  }

  @Test("a wrong configuration: every error names its key, exit status 78")
  func wrongConfiguration() throws {
    let directory = try ScratchDirectory()
    let file = try directory.write("wrong.yaml", "front-end:\n  lissten: 1.2.3.4:5\nmedia-host:\n  srtp: none\n")
    for (program, arguments) in [
      ("parley-front-end", ["--config", file]), ("parley-media-host", ["--config", file]),
      ("parley", ["config", "check", file]),
    ] {
      let process = try ChildProcess(program, Program.path(program), arguments)
      #expect(try process.waitForExit() == 78)
      #expect(process.output.contains("front-end.lissten"), "\(process.output)")
      #expect(process.output.contains("media-host.srtp"), "\(process.output)")
    }
  }

  @Test("a media host that dies in the middle of a join: another host, or 503, never a hang")
  func hostDiesInJoin() throws {
    var settings = RunningParley.Settings()
    settings.mediaTimeoutSeconds = 30
    for another in [false, true] {
      let parley = try RunningParley(settings)
      let host = try #require(parley.mediaHosts.first)
      host.process.kill(signal: SIGSTOP)
      try withRaw(parley) { socket, request in
        try socket.send(request.text)
        #expect(socket.receive()?.hasPrefix("SIP/2.0 100") == true)
        if another { try parley.startMediaHost("mh2", maximumLegs: 10) }
        host.process.kill(signal: SIGKILL)
        let response = socket.finalResponse(seconds: 30)
        #expect(response?.status == (another ? 200 : 503), "\(response?.text ?? "no answer")\n\(parley.log)")
        if !another { #expect(response?.text.contains("Retry-After:") == true) }
      }
      try expectAlive(parley)
    }
  }
}
