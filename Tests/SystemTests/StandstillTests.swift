//  StandstillTests.swift: a media host that gets no time for ten seconds goes on as if nothing had been.

import Foundation
import Testing

@Suite("A media host that stands still", .serialized)
struct StandstillTests {
  private func count(_ text: String, in log: String) -> Int { log.components(separatedBy: text).count - 1 }

  @Test(
    "SIGSTOP for ten seconds: one line in the log, no worker is blamed, calls stay, and the next meeting is perfect")
  func stopped() throws {
    let parley = try RunningParley()
    let host = try #require(parley.mediaHosts.first)
    let running = try LoadRun(parley, participants: 4, seconds: 20, ["--talkers", "2"])
    try running.waitUntilTalking()

    host.process.kill(signal: SIGSTOP)
    Thread.sleep(forTimeInterval: 10)
    host.process.kill(signal: SIGCONT)
    // Those calls lose ten seconds of sound; that they stay up is what counts here.
    _ = try running.report()
    let after = try LoadRun(parley, participants: 4, seconds: 5, ["--talkers", "2"])
    let report = try after.report()

    #expect(host.process.isRunning)
    #expect((report["failures"] as? [String]) == [], "\(report)\n\(parley.log)")
    #expect(count("the process stood still", in: host.process.output) == 1, "\(host.process.output)")
    #expect(count("worker stands still", in: host.process.output) == 0)
    #expect(count("media worker failed", in: host.process.output) == 0)
  }
}
