//  LoadFaultTests.swift: a running meeting under packets that no honest phone sends, and on a bad network.

import Foundation
import Testing

@Suite("Faults that parley-load makes", .serialized)
struct LoadFaultTests {
  @Test("a million packets with wrong tags, from a leg's address and from foreign ones: nobody hears anything of it")
  func badTags() throws {
    let parley = try RunningParley()

    let report = try LoadRun.validReport(parley, participants: 8, seconds: 20, ["--bad-tags", "1000000"])

    #expect((report["failures"] as? [String]) == [], "\(report)\n\(parley.log)")
    // Some leave while the mixes settle, before anything is counted.
    #expect((report["badTagsSent"] as? Int ?? 0) > 900_000)
    #expect((report["windowsJudged"] as? Int ?? 0) > 0)
  }

  @Test("a leg that sends a hundred times its packets disturbs nobody")
  func flood() throws {
    let parley = try RunningParley()

    let report = try LoadRun.validReport(parley, participants: 8, seconds: 8, ["--flood-leg"])

    #expect((report["failures"] as? [String]) == [], "\(report)\n\(parley.log)")
    #expect((report["floodPacketsSent"] as? Int ?? 0) > 20_000)
  }

  @Test("phones whose packets are lost and held back are heard all the same")
  func impairment() throws {
    let parley = try RunningParley()

    let report = try LoadRun.validReport(
      parley, participants: 6, seconds: 8, ["--loss", "2", "--jitter", "15", "--seed", "7", "--talkers", "2"])

    // Who is heard may fail for a window in which three packets in a row were lost; calls and mixes may not.
    #expect((report["connected"] as? Int) == 6)
    #expect((report["lostCalls"] as? Int) == 0)
    #expect((report["receivedShare"] as? Double ?? 0) > 0.99, "\(report)")
    let judged = report["windowsJudged"] as? Double ?? 0
    #expect(judged > 0)
    #expect((report["windowsExact"] as? Double ?? 0) > 0.8 * judged, "\(report)")
  }
}
