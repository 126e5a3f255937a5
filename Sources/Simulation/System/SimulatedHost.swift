//  SimulatedHost.swift: a media host: its control core, its workers, and whether it lives.

import AVConferencing
import Media
import MediaTransport
import Primitives
import SIP

/// One machine with a media host on it. A new process after a death is a new core at the same address.
final class SimulatedHost {
  let number: Int
  let address: SocketAddress
  private(set) var core: AVConferencingServer
  private(set) var workers: [SimulatedWorker] = []
  var isAlive = true
  /// When its core is planned to be woken.
  var wakeAt = Instant.never
  private let options: SimulationOptions
  private var random: RandomSource

  init(number: Int, options: SimulationOptions, random: RandomSource, now: Instant) {
    self.number = number
    self.options = options
    self.random = random
    address = SimulatedAddresses.host(number)
    core = Self.makeCore(number, options, &self.random)
    workers = Self.makeWorkers(number, options, &self.random, now)
  }

  /// The old process is gone with everything in it.
  func restart(now: Instant) {
    core = Self.makeCore(number, options, &random)
    workers = Self.makeWorkers(number, options, &random, now)
    isAlive = true
    wakeAt = .never
  }

  func with<Result>(_ body: (inout AVConferencingServer) -> Result) -> Result { body(&core) }

  private static func makeCore(
    _ number: Int, _ options: SimulationOptions, _ random: inout RandomSource
  ) -> AVConferencingServer {
    let address = SimulatedAddresses.host(number)
    var configuration = AVConferencingConfiguration(
      name: "mh\(number)", instance: "urn:uuid:" + random.token(32), signalling: address,
      workers: (0..<options.workersPerHost).map {
        WorkerEndpoint(media: SimulatedAddresses.worker($0, of: number))
      })
    configuration.factory = "sip:mcufactory@\(SimulatedAddresses.frontEnd.host)"
    configuration.frontEnds = [SIPFlow(transport: .tcp, local: address, remote: SimulatedAddresses.frontEnd)]
    configuration.trustedPeers = [SimulatedAddresses.frontEnd.with(port: 0)]
    configuration.maximumLegs = SimulatedHost.maximumLegs
    configuration.splitLegs = options.splitLegs
    configuration.mediaTimeout = options.mediaTimeout
    return AVConferencingServer(configuration: configuration, random: RandomSource(seed: random.bytes(32)))
  }

  static let maximumLegs = 64

  private static func makeWorkers(
    _ number: Int, _ options: SimulationOptions, _ random: inout RandomSource, _ now: Instant
  ) -> [SimulatedWorker] {
    (0..<options.workersPerHost).map { index in
      var settings = MediaWorkerConfiguration(
        clock: SimulatedAddresses.clock, random: RandomSource(seed: random.bytes(32)))
      settings.worker = index
      settings.limits.legs = maximumLegs
      settings.limits.meetings = 16
      settings.limits.packets = options.packetsPerWorker
      return SimulatedWorker(
        id: WorkerID(host: number, worker: index), mediaAddress: SimulatedAddresses.worker(index, of: number),
        configuration: settings, losesTalkers: !options.network.media.isFaithful, now: now)
    }
  }
}

/// Who has which address.
enum SimulatedAddresses {
  static let frontEnd = SocketAddress(ipv4: 0x0a00_0001, port: 5_060)
  static func host(_ number: Int) -> SocketAddress {
    SocketAddress(ipv4: 0x0a00_000a + UInt32(truncatingIfNeeded: number), port: 5_070)
  }
  static func worker(_ worker: Int, of host: Int) -> SocketAddress {
    self.host(host).with(port: mediaPort &+ UInt16(truncatingIfNeeded: 2 * worker))
  }
  static func phone(_ number: Int) -> SocketAddress {
    SocketAddress(ipv4: 0x0a01_0001 + UInt32(truncatingIfNeeded: number), port: 5_060)
  }
  /// Of each host's first worker.
  static let mediaPort: UInt16 = 20_000
  static let phoneMediaPort: UInt16 = 30_000

  static let clock = ClockAnchor(instant: .zero, wall: WallTime(microseconds: 1_750_000_000_000_000))

  static func node(at address: SocketAddress) -> SimulatedNode? {
    guard let ipv4 = address.ipv4 else { return nil }
    switch ipv4 {
    case 0x0a00_0001: return .frontEnd
    case 0x0a00_000a...0x0a00_00ff: return .host(Int(ipv4 - 0x0a00_000a))
    case 0x0a01_0001...0x0a01_00ff: return .phone(Int(ipv4 - 0x0a01_0001))
    default: return nil
    }
  }
}
