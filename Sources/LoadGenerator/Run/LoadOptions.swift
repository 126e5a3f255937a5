//  LoadOptions.swift: the options that describe a load, the same for every subcommand.

import ArgumentParser
import Primitives
import SDP
import Simulation

struct LoadOptions: ParsableArguments {
  @Option(help: "A known shape of load; the options below change single things of it.")
  var profile: LoadProfile?
  @Option(help: "Participants of one meeting; all in one when not given.")
  var meetingSize: Int?
  @Option(help: "How many talk in each meeting (3).")
  var talkers: Int?
  @Option(help: "always: the same ones; turns: they take turns of --turn seconds; all: everybody.")
  var pattern: PatternName?
  @Option(help: "Seconds of a turn.")
  var turn = 5
  @Option(help: "opus, g722, pcmu, pcma; several separated by commas are offered in that order.")
  var codec = "opus"
  @Option(help: "SRTP suites to offer, separated by commas; 'none' offers plain RTP.")
  var suite = "AEAD_AES_128_GCM"
  @Option(help: "What silent participants send: frames or dtx.")
  var quiet: PhoneConfiguration.Quiet?
  @Option(help: "How many of each meeting decode what they hear; all of up to 50 when not given.")
  var ears: Int?
  @Option(help: "How many decode at once; if there are more, they take turns of 1.5 s.")
  var earsAtOnce: Int?
  @Option(help: "Calls begun in a second (100).")
  var rate: Int?
  @Option(help: "Of the packets that phones send, percent that are lost on the way.")
  var loss = 0.0
  @Option(help: "Packets that phones send are held back by 0 to this many milliseconds.")
  var jitter = 0
  @Option(help: "Decides which packets are lost and held back.")
  var seed: UInt64 = 1
  @Option(help: "A 16-bit mono wave file at 48 kHz to talk with, instead of synthetic speech.")
  var speech: String?

  enum PatternName: String, ExpressibleByArgument, CaseIterable { case always, turns, all }

  /// - Parameter participants: the most that the plan is for.
  func plan(participants: Int, mediaPort: UInt16) throws -> LoadPlan {
    guard (1...60_000).contains(participants) else { throw ValidationError("--participants takes 1 to 60000") }
    let size = min(meetingSize ?? profile?.meetingSize ?? participants, meetingSize == nil ? participants : .max)
    guard (1...participants).contains(size) else { throw ValidationError("--meeting-size takes 1 to --participants") }
    guard (talkers ?? 0) >= 0, turn > 0, (1...10_000).contains(rate ?? 1) else {
      throw ValidationError("--talkers, --turn and --rate must be positive")
    }
    guard (0...1_000).contains(jitter), (0...100).contains(loss) else {
      throw ValidationError("--jitter takes 0 to 1000 ms, --loss 0 to 100 percent")
    }
    guard mediaPort >= 1_024, mediaPort % 2 == 0 else { throw ValidationError("--media-port takes an even port") }
    var plan = LoadPlan(
      participants: participants, meetingSize: size, pattern: talk, encodings: try encodings(), suites: try suites(),
      quiet: quiet ?? profile?.quiet ?? .frames, ears: ears ?? (profile == nil ? min(size, 50) : min(size, 10)),
      mediaPort: mediaPort, callsPerSecond: rate ?? profile?.callsPerSecond ?? 100)
    plan.callsAtOnce = profile?.callsAtOnce ?? .max
    return plan
  }

  var engine: EngineOptions {
    var options = EngineOptions()
    options.impairment = Impairment(loss: Int((loss * 10).rounded()), jitterMilliseconds: jitter, seed: seed)
    options.ears = earsAtOnce ?? (profile == nil ? 64 : 16)
    return options
  }

  /// As it is called in reports.
  var patternName: String {
    switch talk {
    case .all: "all"
    case .always: "always"
    case .turns: "turns"
    }
  }

  private var talk: TalkPattern {
    guard talkers != nil || pattern != nil || profile == nil else { return profile?.pattern ?? .always(count: 3) }
    let count = talkers ?? profile?.pattern.talkers(of: .max) ?? 3
    switch pattern {
    case .all: return .all
    case .turns: return .turns(count: count, turnFrames: turn * LoadPlan.framesPerSecond)
    case .always: return .always(count: count)
    case nil:
      if case .turns(_, let frames) = profile?.pattern { return .turns(count: count, turnFrames: frames) }
      return .always(count: count)
    }
  }

  private func encodings() throws -> [AudioEncoding] {
    try codec.split(separator: ",").map { name in
      guard let encoding = AudioEncoding.allCases.first(where: { $0.name.lowercased() == name.lowercased() }) else {
        throw ValidationError("--codec takes opus, g722, pcmu and pcma, not \(name)")
      }
      return encoding
    }
  }

  private func suites() throws -> [CryptoSuite] {
    guard suite != "none" else { return [] }
    return try suite.split(separator: ",").map { name in
      guard let suite = CryptoSuite(rawValue: String(name)) else {
        let known = CryptoSuite.allCases.map(\.name).joined(separator: ", ")
        throw ValidationError("--suite takes \(known) or none, not \(name)")
      }
      return suite
    }
  }
}

extension PhoneConfiguration.Quiet: ExpressibleByArgument {}
