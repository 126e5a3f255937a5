//  ConferenceRuntime.swift: the shell around `ConferencingCore`: gives it bytes and time, performs its outputs in order.
//  Walk: SIPEdge → ConferenceRuntime → ConferencingCore.receive

import ConferenceStore
import Conferencing
import Deployment
import Logging
import NIOCore
import Primitives
import SIP
import SIPEdge

/// Made on the edge's event loop and confined to it.
final class ConferenceRuntime: SIPEdgeHandler {
  private let edge: SIPEdge
  private let recorder: ConferenceRecorder
  private let log: Logger
  private let clock: ClockAnchor
  private var core: ConferencingCore
  private var outputs: [ConferencingOutput] = []
  private var onEmpty: (@Sendable () -> Void)?

  init(settings: FrontEndConfiguration, edge: SIPEdge, recorder: ConferenceRecorder, log: Logger) {
    self.edge = edge
    self.recorder = recorder
    self.log = log
    clock = ClockAnchor(instant: Clock.now, wall: WallTime(microseconds: WallClock.microseconds))
    var system = SystemRandomNumberGenerator()
    let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &system) }
    core = ConferencingCore(
      configuration: Self.configuration(settings, addresses: edge.addresses), random: RandomSource(seed: seed))
  }

  private static func configuration(
    _ settings: FrontEndConfiguration, addresses: [SIPEdgeConfiguration.Listener]
  ) -> ConferencingConfiguration {
    var listen: [SIPTransport: Primitives.SocketAddress] = [:]
    for listener in addresses { listen[listener.transport] = listener.address }
    var configuration = ConferencingConfiguration(domains: settings.domains, listen: listen)
    configuration.openMeetings = settings.openMeetings
    configuration.gracePeriod = settings.gracePeriod
    configuration.maximumParticipants = settings.maximumParticipants
    configuration.trustedMediaHosts = settings.mediaHosts.compactMap { Primitives.SocketAddress(host: $0, port: 0) }
    return configuration
  }

  // MARK: SIPEdgeHandler

  func receive(_ bytes: [UInt8], from flow: SIPFlow, now: Instant) {
    core.receive(bytes, from: flow, now: now, into: &outputs)
    performOutputs()
  }

  func transportFailed(_ flow: SIPFlow, now: Instant) {
    core.transportFailed(flow, now: now, into: &outputs)
    performOutputs()
  }

  func advance(to now: Instant) {
    core.advance(to: now, into: &outputs)
    performOutputs()
  }

  var nextDeadline: Instant { core.nextDeadline }

  // MARK: The end

  /// Ends every conference: BYE to all phones and media hosts.
  /// - Parameter done: called when no conference is left.
  func endAll(now: Instant, done: @escaping @Sendable () -> Void) {
    onEmpty = done
    for conference in core.activeConferences {
      do {
        try core.end(conference, now: now, into: &outputs)
      } catch {
        log.warning("a conference could not be ended", metadata: ["conference": "\(conference)", "error": "\(error)"])
      }
    }
    performOutputs()
  }

  private func performOutputs() {
    let due = outputs
    outputs.removeAll(keepingCapacity: true)
    for output in due {
      switch output {
      case .transmit(let bytes, let flow): edge.send(bytes, to: flow)
      case .record(let record):
        recorder.record(DatedRecord(record, microseconds: clock.wallTime(at: record.at).microseconds))
      case .log(let event): write(event)
      }
    }
    if let onEmpty, core.activeConferences.isEmpty {
      self.onEmpty = nil
      onEmpty()
    }
  }

  private func write(_ event: ConferencingLogEvent) {
    var metadata: Logger.Metadata = [:]
    if let conference = event.conference { metadata["conference"] = "\(conference)" }
    if let leg = event.leg { metadata["leg"] = "\(leg)" }
    if let callID = event.callID { metadata["call-id"] = "\(callID)" }
    log.log(level: event.level, "\(event.text)", metadata: metadata)
  }
}

extension ConferencingLogEvent {
  var level: Logger.Level {
    switch what {
    case .serverDown, .serverFailed, .unreadableDocument: .warning
    case .subscriptionStarted, .subscriptionEnded, .digit: .debug
    case .conferenceStarted, .conferencePlaced, .conferenceEnded, .participantJoined, .participantLeft, .refused,
      .serverRegistered, .serverUnregistered, .serverActive, .serverDraining:
      .info
    }
  }

  var text: String {
    switch what {
    case .conferenceStarted: "conference started"
    case .conferencePlaced(let server): "conference placed on \(server)"
    case .conferenceEnded(let cause): "conference ended: \(cause.rawValue)"
    case .participantJoined: "participant joined"
    case .participantLeft(let cause): "participant left: \(cause.name)"
    case .refused(let error): "refused: \(error.name)"
    case .serverRegistered(let server): "media host \(server) registered"
    case .serverUnregistered(let server): "media host \(server) unregistered"
    case .serverActive(let server): "media host \(server) active"
    case .serverDraining(let server): "media host \(server) draining"
    case .serverDown(let server, let cause): "media host \(server) down: \(cause.rawValue)"
    case .serverFailed(let server, let error): "media host \(server) refused or broke off: \(error.name)"
    case .unreadableDocument(let server): "media host \(server) sent a document that cannot be read"
    case .digit: "telephone key"
    case .subscriptionStarted: "conference subscription started"
    case .subscriptionEnded: "conference subscription ended"
    }
  }
}
