//  SimulationOptions.swift: everything that distinguishes one run from another, chosen from its seed.

import Media
import Primitives
import SDP
import SIP

/// What a scenario that must fail has done to it.
public enum SimulationFault: Hashable, Sendable {
  /// This phone plays another phone's voice back into the meeting.
  case echo(of: Int, by: Int)
  /// A worker loses a packet buffer.
  case leakedBuffer
  /// A worker's packet vanishes between the worker and the wire.
  case skippedSequence
  /// The end of somebody's participation is not recorded.
  case lostRecord
  /// Nothing that this phone is sent arrives, healed network or not.
  case deafened(Int)
  /// A phone's goodbye is swallowed and its media goes on.
  case swallowedGoodbye
}

/// How one phone is.
public struct PhoneTraits: Hashable, Sendable, CustomStringConvertible {
  public var meeting: Int
  public var codec: AudioEncoding
  public var suite: CryptoSuite
  public var transport: SIPTransport
  public var quiet: PhoneConfiguration.Quiet
  public var rtcpMux: Bool
  public var levels: Bool

  public init(
    meeting: Int, codec: AudioEncoding, suite: CryptoSuite, transport: SIPTransport = .udp,
    quiet: PhoneConfiguration.Quiet = .frames, rtcpMux: Bool = true, levels: Bool = true
  ) {
    self.meeting = meeting
    self.codec = codec
    self.suite = suite
    self.transport = transport
    self.quiet = quiet
    self.rtcpMux = rtcpMux
    self.levels = levels
  }

  public var description: String {
    "meeting \(meeting), \(codec), \(suite.name), \(transport.name), \(quiet.rawValue)"
      + (rtcpMux ? ", mux" : "") + (levels ? ", levels" : "")
  }
}

/// One run's options. `description` names all of them.
public struct SimulationOptions: Sendable, CustomStringConvertible {
  public var seed: UInt64
  public var network: NetworkOptions
  public var phones: [PhoneTraits]
  public var meetings: Int
  public var hosts: Int
  public var workersPerHost: Int
  public var packetsPerWorker = 1_024
  /// Legs on one worker from which on a meeting takes further ones to another.
  public var splitLegs = 1_000
  /// A worker's turn begins this much after what it waits for, at most.
  public var turnDelayMicroseconds = 300
  public var gracePeriod = Interval.seconds(3)
  public var mediaTimeout = Interval.seconds(5)
  public var script: SimulationScript
  public var fault: SimulationFault?

  public init(
    seed: UInt64, network: NetworkOptions, phones: [PhoneTraits], meetings: Int, hosts: Int, workersPerHost: Int,
    script: SimulationScript
  ) {
    self.seed = seed
    self.network = network
    self.phones = phones
    self.meetings = meetings
    self.hosts = hosts
    self.workersPerHost = workersPerHost
    self.script = script
  }

  /// Whether every call must be let in: nothing is lost, and no host dies.
  public var isPeaceful: Bool { network.isFaithful && !script.hasViolence }

  public var description: String {
    var text = "seed \(seed)\nnetwork: \(network)\n"
    text += "\(hosts) media hosts of \(workersPerHost) workers, \(packetsPerWorker) packets each, turns up to "
    text += "\(turnDelayMicroseconds) µs late; grace period \(Int(gracePeriod.milliseconds)) ms, "
    text += "media time-out \(Int(mediaTimeout.milliseconds)) ms\n"
    if workersPerHost > 1 { text += "meetings are split from \(splitLegs) legs on a worker on\n" }
    if let fault { text += "fault on purpose: \(fault)\n" }
    for (number, phone) in phones.enumerated() { text += "phone \(number): \(phone)\n" }
    return text + "script:\n\(script)"
  }
}
