//  SippTests.swift: signalling flows that SIPp drives, against the front end and against a media host alone.

import Foundation
import Testing

/// One run of SIPp over a scenario of ours; its exit status says whether everything came as written.
private func sipp(
  _ scenario: String, port: UInt16, service: String = "sipp", tcp: Bool = false, calls: Int = 1, rate: Int = 10
) throws -> ChildProcess {
  let folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
  let file = folder.appendingPathComponent("Scenarios/\(scenario).xml").path
  return try ChildProcess(
    "sipp \(scenario)", "/usr/bin/sipp",
    [
      "-sf", file, "-s", service, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", "\(FreePort.pair())", "-m", "\(calls)",
      "-r", "\(rate)", "-nostdin", "-timeout", "40s", "-timeout_error", "-t", tcp ? "t1" : "u1",
      "127.0.0.1:\(port)",
    ], environment: ["TERM": "xterm"])
}

@Suite("Signalling flows (SIPp)", .serialized)
struct SippTests {
  private func settings() -> RunningParley.Settings {
    var settings = RunningParley.Settings()
    settings.mediaTimeoutSeconds = 60
    return settings
  }

  private func expectPass(_ process: ChildProcess, _ parley: RunningParley) throws {
    let status = try process.waitForExit(seconds: 60)
    #expect(status == 0, "\(process.name) ended with \(status)\n\(process.output.suffix(4000))\n\(parley.log)")
  }

  @Test(
    "flows against the front end, over UDP and TCP",
    arguments: ["call", "repeated", "hold", "options", "unknown-dialog"], [false, true])
  func frontEndFlows(scenario: String, tcp: Bool) throws {
    let parley = try RunningParley(settings())

    try expectPass(try sipp(scenario, port: parley.sipPort, tcp: tcp), parley)
  }

  @Test("fifty calls at twenty a second into one meeting, all of which end")
  func manyCalls() throws {
    let parley = try RunningParley(settings())

    try expectPass(try sipp("call", port: parley.sipPort, calls: 50, rate: 20), parley)

    try parley.frontEnd.waitForLine(containing: "conference ended")
  }

  @Test("CANCEL while the media host is silent: 487; its late 200 is taken back, and nobody stays in the meeting")
  func cancelAndLate200() throws {
    let parley = try RunningParley(settings())
    let host = try #require(parley.mediaHosts.first)
    host.process.kill(signal: SIGSTOP)

    try expectPass(try sipp("cancel", port: parley.sipPort, service: "cancelled"), parley)
    host.process.kill(signal: SIGCONT)

    // The conference that the late answer would have filled ends empty, and the host serves the next caller.
    try parley.frontEnd.waitForLine(containing: "conference ended", seconds: 30)
    try expectPass(try sipp("call", port: parley.sipPort, service: "next"), parley)
  }

  @Test("a media host's control interface alone: conference, commands, their failures, BYE")
  func hostControl() throws {
    let parley = try RunningParley(settings())
    let host = try #require(parley.mediaHosts.first)

    try expectPass(try sipp("host-control", port: host.sipPort, tcp: true), parley)
  }
}
