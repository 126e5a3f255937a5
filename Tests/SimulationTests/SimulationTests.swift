//  SimulationTests.swift: whole systems on virtual time, by seed; PARLEY_SIMULATION_SEED=n replays one.

import Glibc
import Primitives
import SDP
import Simulation
import Testing

/// What all runs share. Unoptimised code has time for a few small runs only.
enum Scenes {
  #if DEBUG
    static let codecs: [AudioEncoding] = [.pcmu, .pcma]
    static let seedsOfThisBuild: ClosedRange<UInt64> = 1...8
    static let phones = 4
    static let voiceSeconds = 1
  #else
    static let codecs: [AudioEncoding] = [.opus, .g722, .pcmu, .pcma]
    static let seedsOfThisBuild: ClosedRange<UInt64> = 1...30
    static let phones = 10
    static let voiceSeconds = 2
  #endif
  static let voices = SimulatedVoices(phones: phones, codecs: codecs, seconds: voiceSeconds)

  /// `PARLEY_SIMULATION_SEED`: one number instead of all, to see a failure again.
  static let replayedSeed: UInt64? = {
    guard let text = unsafe getenv("PARLEY_SIMULATION_SEED") else { return nil }
    return unsafe UInt64(String(cString: text))
  }()
  static let seeds = replayedSeed.map { $0...$0 } ?? seedsOfThisBuild

  static func options(_ seed: UInt64, isFaithful: Bool) -> SimulationOptions {
    var space = ScenarioSpace(isFaithful: isFaithful)
    space.codecs = codecs
    space.phones = 3...phones
    #if DEBUG
      space.chaosMilliseconds = 3_000...5_000
    #endif
    return SimulationOptions(seed: seed, in: space)
  }

  static func run(_ seed: UInt64, isFaithful: Bool) -> SimulationReport {
    SimulatedSystem.run(options(seed, isFaithful: isFaithful), voices: voices)
  }

  /// Three phones in one meeting for ten seconds, two of whom talk; then everybody leaves.
  static func quietMeeting(fault: SimulationFault? = nil) -> SimulationOptions {
    var options = SimulationOptions(
      seed: 7, network: NetworkOptions(), phones: [], meetings: 1, hosts: 1, workersPerHost: 1,
      script: SimulationScript(end: .seconds(60)))
    options.phones = (0..<3).map { _ in
      PhoneTraits(meeting: 0, codec: .pcma, suite: .aeadAES128GCM)
    }
    options.fault = fault
    for phone in 0..<3 { options.script.add(.call(phone), at: .milliseconds(1_000 + 100 * phone)) }
    options.script.add(.talk(0, true), at: .seconds(2))
    options.script.add(.talk(1, true), at: .seconds(2))
    options.script.add(.calm, at: .seconds(5))
    options.script.add(.endOfCalm, at: .seconds(8))
    for phone in 0..<3 { options.script.add(.hangUp(phone), at: .milliseconds(8_100 + 100 * phone)) }
    options.script.add(.shutDownHosts, at: .seconds(14))
    return options
  }
}

@Suite("The whole system on virtual time", .serialized)
struct SimulationTests {
  @Test("a faithful network: everybody hears exactly the talkers", arguments: Scenes.seeds)
  func faithful(seed: UInt64) {
    let report = Scenes.run(seed, isFaithful: true)

    #expect(!report.hasFailed, "\(report)")
  }

  @Test("a faulty network: once it is healed, all comes right", arguments: Scenes.seeds)
  func faulty(seed: UInt64) {
    let report = Scenes.run(seed, isFaithful: false)

    #expect(!report.hasFailed, "\(report)")
  }

  @Test("a seed replays its run to the last packet, and another seed gives another run", arguments: [true, false])
  func replay(isFaithful: Bool) {
    let first = Scenes.run(2, isFaithful: isFaithful)
    let second = Scenes.run(2, isFaithful: isFaithful)
    let other = Scenes.run(1, isFaithful: isFaithful)

    #expect(first.digest == second.digest, "seed 2, faithful: \(isFaithful)")
    #expect(first.events == second.events && first.mediaPackets == second.mediaPackets)
    #expect(first.lastEvents == second.lastEvents)
    #expect(first.options == second.options)
    #expect(first.digest != other.digest)
  }

  @Test("runs are not empty: phones meet, talk, are heard and leave")
  func substance() {
    let reports = Scenes.seedsOfThisBuild.prefix(15).map { Scenes.run($0, isFaithful: true) }

    #expect(reports.allSatisfy { $0.callsConnected > 0 })
    #expect(reports.reduce(0) { $0 + $1.callsConnected } > 2 * reports.count)
    #expect(reports.reduce(0) { $0 + $1.callsEnded } > 0)
    #expect(reports.reduce(0) { $0 + $1.windowsJudged } > 10 * reports.count)
    #expect(reports.contains { $0.windowsInCalm > 0 })
    // In some runs meetings have parts on several workers.
    #expect(reports.contains { $0.linkMessages > 0 })
  }

  @Test(
    "meetings on four workers, a leg on each at first: everybody hears exactly the talkers",
    arguments: 1...3 as ClosedRange<UInt64>)
  func parts(seed: UInt64) {
    var options = Scenes.options(seed, isFaithful: true)
    options.workersPerHost = 4
    options.splitLegs = 1
    let report = SimulatedSystem.run(options, voices: Scenes.voices)

    #expect(!report.hasFailed, "\(report)")
    #expect(report.linkMessages > 0 || report.callsConnected < 2)
  }

  @Test("options name everything that was chosen")
  func description() {
    let text = Scenes.options(3, isFaithful: false).description

    for word in ["seed 3", "loss", "jitter", "delay", "media time-out", "phone 0: meeting", "script:", "calm"] {
      #expect(text.contains(word) || word == "jitter", "\(word) in \(text)")
    }
  }
}

@Suite("The simulation sees what is wrong", .serialized)
struct SimulationFaultTests {
  private func violations(_ fault: SimulationFault?) -> [String] {
    SimulatedSystem.run(Scenes.quietMeeting(fault: fault), voices: Scenes.voices).violations.map(\.text)
  }

  @Test("a quiet meeting of three without a fault")
  func none() {
    let report = SimulatedSystem.run(Scenes.quietMeeting(), voices: Scenes.voices)

    #expect(!report.hasFailed, "\(report)")
    #expect(report.callsConnected == 3 && report.callsEnded == 3)
    #expect(report.windowsInCalm >= 40)
  }

  @Test("a phone that plays a talker's voice back: he hears himself")
  func echo() {
    #expect(violations(.echo(of: 0, by: 1)).contains { $0.hasPrefix("phone 0 hears itself") })
  }

  @Test("a listener whom nothing reaches")
  func deafened() {
    #expect(violations(.deafened(2)).contains { $0.hasPrefix("phone 2 hears too little") })
  }

  @Test("a packet buffer that is never given back")
  func leak() {
    #expect(violations(.leakedBuffer).contains { $0.contains("misses 1 packet buffers") })
  }

  @Test("a sequence number that is never sent")
  func sequence() {
    #expect(violations(.skippedSequence).contains { $0.contains("is due") })
  }

  @Test("a record that is lost")
  func record() {
    #expect(violations(.lostRecord).contains { $0.hasPrefix("no record of") })
  }

  @Test("a phone that never leaves: it has to be sent away when the hosts shut down")
  func goodbye() {
    #expect(violations(.swallowedGoodbye).contains { $0.hasPrefix("phone 0 is sent away") })
  }

  @Test("a failure prints its seed, its options and the last events")
  func report() {
    let text = SimulatedSystem.run(Scenes.quietMeeting(fault: .deafened(2)), voices: Scenes.voices).description

    #expect(text.hasPrefix("seed 7\n"))
    #expect(text.contains("fault on purpose") && text.contains("last events:") && text.contains("violations:"))
  }
}
