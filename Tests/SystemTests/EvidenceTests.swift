//  EvidenceTests.swift: what an operator can find out about a running host: scrape, why, audibility, capacity.

import Foundation
import Testing

@Suite("Evidence: metrics, why, audibility, capacity", .serialized)
struct EvidenceTests {
  private func parley(_ arguments: [String], _ parley: RunningParley) throws -> (status: Int32, output: String) {
    let host = try #require(parley.mediaHosts.first)
    let process = try ChildProcess(
      "parley", Program.path("parley"), arguments + ["--host", "127.0.0.1:\(host.metricsPort)"])
    let status = try process.waitForExit(seconds: 20)
    return (status, process.output)
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
  }

  /// One sample of a scrape.
  private func value(_ sample: String, in scrape: String) -> Double? {
    scrape.split(separator: "\n").first { $0.hasPrefix(sample + " ") }.flatMap {
      Double($0.dropFirst(sample.count + 1))
    }
  }

  private func scrape(_ parley: RunningParley) throws -> String {
    let port = try #require(parley.mediaHosts.first).metricsPort
    return try PlainHTTP.get("/metrics", port: port)
  }

  @Test("a meeting of virtual participants: counters, verdicts, who hears whom, and room for more")
  func meeting() throws {
    let running = try RunningParley()
    let load = try LoadRun(running, participants: 6, seconds: 20, ["--talkers", "2"])
    try load.waitUntilTalking()
    // A few seconds of evidence: the host counts them.
    let deadline = Date(timeIntervalSinceNow: 15)
    var text = ""
    repeat {
      text = try scrape(running)
    } while (value("parley_residence_seconds_count{worker=\"0\"}", in: text) ?? 0) < 400 && Date() < deadline

    #expect(text.hasPrefix("# HELP parley_build_info "))
    #expect(value("parley_host_legs", in: text) == 6)
    #expect(value("parley_worker_legs{worker=\"0\"}", in: text) == 6)
    #expect(value("parley_host_registered", in: text) == 1)
    let packets = try #require(value("parley_packets_total{worker=\"0\",direction=\"in\"}", in: text))
    #expect(packets > 500)
    #expect(try #require(value("parley_decodes_total{worker=\"0\",codec=\"opus\"}", in: text)) > 100)
    #expect(try #require(value("parley_tick_slack_seconds_count{worker=\"0\"}", in: text)) > 100)
    #expect(try #require(value("parley_process_resident_memory_bytes", in: text)) > 1e6)

    let meetings = try parley(["audibility", "--json"], running)
    let list = try #require(try object(meetings.output)["meetings"] as? [[String: Any]])
    let conference = try #require(list.first?["conference"] as? String)
    #expect(list.count == 1 && list[0]["legs"] as? Int == 6)
    let audibility = try parley(["audibility", conference, "--json"], running)
    let people = try #require(try object(audibility.output)["participants"] as? [[String: Any]])
    #expect(people.count == 6)
    #expect(people.allSatisfy { $0["voiceIsFault"] as? Bool == false && $0["earIsFault"] as? Bool == false })
    #expect(people.count { $0["voice"] as? String == "talking" } >= 1, "\(audibility.output)")
    let matrix = try parley(["audibility", conference], running)
    #expect(matrix.status == 0 && matrix.output.contains("no fault") && matrix.output.contains("│"))

    let legs = try #require(try object(try parley(["why", "--json"], running).output)["legs"] as? [[String: Any]])
    let first = try #require(legs.first)
    let number = "\(try #require(first["leg"] as? Int))"
    for name in [number, try #require(first["callID"] as? String)] {
      let why = try object(try parley(["why", name, "--json"], running).output)
      #expect((why["leg"] as? [String: Any])?["leg"] as? Int == first["leg"] as? Int)
      #expect(try #require(why["secondsSeen"] as? Int) >= 2)
    }
    let unknown = try parley(["why", "nobody-at-all"], running)
    #expect(unknown.status == 67 && unknown.output.contains("there are: "), "\(unknown.output)")

    let capacity = try parley(["capacity"], running)
    #expect(capacity.status == 0 && capacity.output.contains("more listeners in the largest meeting"))
    let answer = try object(try parley(["capacity", "--json"], running).output)
    let worker = try #require((answer["workers"] as? [[String: Any]])?.first)
    #expect(worker["legs"] as? Int == 6 && worker["basis"] as? String == "measured")
    #expect(answer["legsConfiguredFree"] as? Int == 194)
    #expect((try load.report()["failures"] as? [String]) == [], "\(running.log)")
  }

  @Test(
    "a phone that falls silent as if its cable were pulled: seen within 3 s, on its way in, and nobody else's fault")
  func cutOff() throws {
    let running = try RunningParley()
    let directory = try ScratchDirectory()
    var phones: [Baresip] = []
    for (name, tone) in [("ann", 440.0), ("bo", 1_000.0)] {
      let file = directory.path("\(name).wav")
      try WaveFile.tone(tone, seconds: 60).write(to: file)
      let phone = try Baresip(name, microphone: file)
      try phone.dial(running.uri("cable"))
      phones.append(phone)
    }
    func faults() throws -> (status: Int32, output: String) { try parley(["audibility", "cable"], running) }
    let settled = Date(timeIntervalSinceNow: 15)
    var before = try faults()
    while !(before.status == 0 && before.output.contains("heard now")), Date() < settled { before = try faults() }
    #expect(before.status == 0 && before.output.contains("ann"), "\(before.output)\n\(running.log)")

    phones[0].freeze()
    let frozen = Date()
    var after = try faults()
    while after.status == 0, Date().timeIntervalSince(frozen) < 10 { after = try faults() }
    let seen = Date().timeIntervalSince(frozen)

    #expect(after.status == 1 && after.output.contains("ann") && after.output.contains("cut off"), "\(after.output)")
    // The command itself takes a moment.
    #expect(seen < 3.5, "seen after \(seen) s")
    let lines = after.output.split(separator: "\n")
    #expect(lines.filter { $0.contains("cut off") }.allSatisfy { $0.contains("ann") && !$0.contains("bo@") })
    let list = try parley(["why"], running).output.split(separator: "\n")
    let leg = try #require(list.first { $0.contains("ann@") }?.split(separator: " ").first.map(String.init))
    let why = try parley(["why", leg], running)
    #expect(why.status == 1 && why.output.contains("nothing came in any more"), "\(why.output)")
    #expect(why.output.contains("verdict: the network on the way in"), "\(why.output)")
    phones[0].thaw()
    for phone in phones { try? phone.quit() }
  }

  @Test("the log of a call names its legs by number and Call-ID, nobody by name, and no key")
  func log() throws {
    let running = try RunningParley()
    let directory = try ScratchDirectory()
    try WaveFile.tone(440, seconds: 10).write(to: directory.path("tone.wav"))
    let phone = try Baresip("quentin-quarterstaff", microphone: directory.path("tone.wav"))
    try phone.dial(running.uri("secrets"))
    let host = try #require(running.mediaHosts.first)
    try host.process.waitForLine(containing: "leg opened")
    try phone.quit()
    try host.process.waitForLine(containing: "leg closed")

    let log = host.process.output
    #expect(log.contains("leg=1") && log.contains("meeting=1") && log.contains("call-id="))
    let closed = try #require(log.split(separator: "\n").last { $0.contains("leg closed") })
    #expect(closed.contains("call-id=") && closed.contains("meeting=1") && closed.contains("leg=1"))
    for secret in ["quentin", "quarterstaff", "inline:", "a=crypto", "secrets"] {
      #expect(!log.contains(secret), "\(secret) in\n\(log)")
    }
    // A master key and salt are 40 characters or more of base64.
    let words = log.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "+" || $0 == "/" || $0 == "=")) }
    let suspects = words.filter {
      $0.count >= 40 && $0.contains(where: \.isNumber) && $0.contains(where: \.isUppercase)
    }
    #expect(suspects.isEmpty, "\(suspects)")
  }

  @Test("no host there, a taken address, a wrong one: said in words, with a status")
  func mistakes() throws {
    let running = try RunningParley()
    let host = try #require(running.mediaHosts.first)
    let absent = try ChildProcess(
      "parley", Program.path("parley"), ["capacity", "--host", "127.0.0.1:\(FreePort.pair())"])
    #expect(try absent.waitForExit() == 69)
    #expect(absent.output.contains("is not reachable"), "\(absent.output)")

    let wrong = try ChildProcess("parley", Program.path("parley"), ["why", "1", "--host", "nowhere"])
    #expect(try wrong.waitForExit() == 64)
    #expect(wrong.output.contains("nowhere"))

    let second = try ChildProcess(
      "parley-media-host", Program.path("parley-media-host"),
      [
        "--standalone", "--listen", "127.0.0.1:\(FreePort.pair())", "--media-port", "\(FreePort.pair())", "--workers",
        "0", "--metrics", "127.0.0.1:\(host.metricsPort)",
      ])
    #expect(try second.waitForExit() == 78)
    #expect(second.output.contains("media-host.metrics"), "\(second.output)")
  }
}

/// One GET over a socket.
enum PlainHTTP {
  static func get(_ path: String, port: UInt16) throws -> String {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw HarnessError("nothing listens on port \(port)") }
    let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    _ = send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL))
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { bytes += buffer[..<count] }
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.hasPrefix("HTTP/1.1 200 "), let body = text.range(of: "\r\n\r\n") else {
      throw HarnessError("no answer to GET \(path): \(text.prefix(200))")
    }
    return String(text[body.upperBound...])
  }
}
