//  LoadTests.swift: virtual participants by real SIP and SRTP: every suite and codec, and who hears whom.

import Foundation
import Testing

@Suite("Virtual participants (parley-load)", .serialized)
struct LoadTests {
  private func expectPass(_ report: [String: Any], _ parley: RunningParley, marks: Bool = true) throws {
    #expect((report["failures"] as? [String]) == [], "\(report)\n\(parley.log)")
    #expect((report["windowsJudged"] as? Int ?? 0) > 0)
    #expect((report["windowsOwn"] as? Int) == 0)
    if marks { #expect((report["marksHeard"] as? Int ?? 0) > 0) }
  }

  @Test(
    "each SRTP suite: everybody hears exactly those who talk",
    arguments: [
      "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "none",
    ])
  func suites(suite: String) throws {
    var settings = RunningParley.Settings()
    settings.plainRTP = suite == "none"
    let parley = try RunningParley(settings)

    let report = try LoadRun.validReport(parley, participants: 6, seconds: 5, ["--talkers", "3", "--suite", suite])

    try expectPass(report, parley)
  }

  @Test("each codec", arguments: ["opus", "g722", "pcmu", "pcma"])
  func codecs(codec: String) throws {
    let parley = try RunningParley()

    let report = try LoadRun.validReport(parley, participants: 5, seconds: 5, ["--talkers", "2", "--codec", codec])

    try expectPass(report, parley)
  }

  @Test("talkers take turns, the others send nothing while they are silent")
  func turns() throws {
    let parley = try RunningParley()

    let report = try LoadRun.validReport(
      parley, participants: 6, seconds: 12,
      ["--talkers", "1", "--pattern", "turns", "--turn", "3", "--quiet", "dtx"])

    try expectPass(report, parley)
  }

  @Test("speech that espeak-ng speaks, instead of the synthetic one")
  func recordedSpeech() throws {
    let directory = try ScratchDirectory()
    let text = "Good morning everybody, shall we begin? The minutes of the last meeting are in your mail."
    let speak = try ChildProcess("espeak-ng", "/usr/bin/espeak-ng", ["-w", directory.path("spoken.wav"), text])
    #expect(try speak.waitForExit() == 0)
    let convert = try ChildProcess(
      "sox", "/usr/bin/sox",
      [directory.path("spoken.wav"), "-r", "48000", "-c", "1", "-b", "16", directory.path("speech.wav")])
    #expect(try convert.waitForExit() == 0)
    let parley = try RunningParley()

    let report = try LoadRun.validReport(
      parley, participants: 5, seconds: 6, ["--talkers", "2", "--speech", directory.path("speech.wav")])

    try expectPass(report, parley)
  }

  @Test("several meetings at once stay apart")
  func meetings() throws {
    let parley = try RunningParley()

    let report = try LoadRun.validReport(
      parley, participants: 20, seconds: 6, ["--meeting-size", "5", "--talkers", "2"])

    try expectPass(report, parley)
  }

  @Test("wrong options and a server that does not answer: a message and an exit status")
  func mistakes() throws {
    let wrong = try ChildProcess("parley-load", Program.path("parley-load"), ["--codec", "mp3"])
    #expect(try wrong.waitForExit() == 64)
    #expect(wrong.output.contains("mp3"))

    let absent = try ChildProcess(
      "parley-load", Program.path("parley-load"),
      [
        "--server", "127.0.0.1:\(FreePort.pair())", "--participants", "1", "--duration", "1", "--media-port",
        "\(FreePort.pair())",
      ])
    #expect(try absent.waitForExit(seconds: 60) == 69)
    #expect(absent.output.contains("no call came up"))
  }
}
