//  AVConferencingServer.swift: the control core of a media host: SIP and C3P in, media commands out (control protocol).

import ConferenceDocuments
import Media
import Primitives
import SDP
import SIP

/// One media host's control plane as a value: registration and load (P1, P2), control dialogs (P4), commands (P5),
/// state (P6) and participant legs (P7). Prompts and digits on request (P8) and layouts (P9) are refused clearly: 415,
/// and `notSupported`.
///
/// One meeting lives on one worker, and on more when it is too large for one. A leg's INVITE is answered when its worker
/// has opened the leg. The core never ends a leg by itself when media stops: it tells the Focus, which decides.
public struct AVConferencingServer: Sendable {
  /// What a call is to us.
  enum Role: Sendable {
    case control(MeetingID)
    case leg(LegID)
  }

  enum Phase: Hashable, Sendable {
    case idle, running, draining
    case shuttingDown(until: Instant)
    case shutDown
  }

  /// What becomes due. Checked against the object's own deadline when it does.
  enum Timer: Hashable, Sendable {
    case leg(LegID)
    case flush(MeetingID)
    case departed(MeetingID)
  }

  /// How much there is; all zero when everything has ended.
  public struct Counts: Hashable, Sendable {
    public var meetings = 0
    public var legs = 0
    /// Legs whose dialog is over and whose worker has not said goodbye.
    public var closingLegs = 0
    public var calls = 0
    public var subscriptions = 0
    public var rememberedCommands = 0
    public init() {}
  }

  public let configuration: AVConferencingConfiguration
  let capabilities: AudioCapabilities
  var agent: UserAgent
  /// What the user agent has put out and nobody has dealt with yet.
  var queue: [UserAgentOutput] = []
  var random: RandomSource
  var phase = Phase.idle
  var placement: WorkerPlacement
  var load: HostLoad
  var memory = CommandMemory()
  var timers = DeadlineHeap<Timer>()

  var meetings: [MeetingID: Meeting] = [:]
  var meetingOfEntity: [String: MeetingID] = [:]
  var meetingOfUser: [String: MeetingID] = [:]
  var legs: [LegID: ParticipantLeg] = [:]
  var roles: [CallHandle: Role] = [:]
  var meetingOfWatcher: [SubscriptionHandle: MeetingID] = [:]
  /// Meetings between two workers.
  var moves: [MeetingID: MeetingMove] = [:]
  /// Workers that give their meetings away, those of them that have done so, and those that stand still.
  var drainedWorkers: Set<Int> = []
  var emptiedWorkers: Set<Int> = []
  var failedWorkers: Set<Int> = []
  var nextMeeting: UInt32 = 1
  var nextLeg: UInt32 = 1

  var registrars: [Registrar]
  var loadSequence: UInt32 = 0
  var publishedLoad = HostLoad.Summary()
  var loadStepCheckedAt = Instant.zero

  /// - Parameter random: for keys, tags and identifiers; seed it from the system in production.
  public init(configuration: AVConferencingConfiguration, random: RandomSource) {
    precondition(!configuration.workers.isEmpty && configuration.workers.count <= Limits.workers)
    precondition(configuration.frontEnds.count <= Limits.frontEnds)
    self.configuration = configuration
    var random = random
    capabilities = LegNegotiation.capabilities(of: configuration)
    agent = UserAgent(
      configuration: Self.userAgentConfiguration(of: configuration), random: RandomSource(seed: random.bytes(32)))
    placement = WorkerPlacement(
      workers: configuration.workers.count, maximumLegs: configuration.maximumLegs,
      maximumMeetings: configuration.maximumMeetings, maximumLegsPerMeeting: configuration.maximumLegsPerMeeting,
      splitLegs: configuration.splitLegs, smallestSplit: configuration.smallestSplit)
    load = HostLoad(
      workers: configuration.workers.count, overloadBusy: configuration.overloadBusy,
      recoveredBusy: configuration.recoveredBusy)
    var settings = HostRegistration.Settings()
    settings.expires = configuration.registrationExpires
    settings.retry = configuration.registrationRetry
    settings.retryMaximum = configuration.registrationRetryMaximum
    settings.loadExpires = configuration.loadExpires
    settings.loadPeriod = configuration.loadPeriod
    registrars = configuration.frontEnds.map { flow in
      Registrar(flow: flow, callID: random.token(24), registration: HostRegistration(settings: settings))
    }
    self.random = random
  }

  private static func userAgentConfiguration(of configuration: AVConferencingConfiguration) -> UserAgentConfiguration {
    var agent = UserAgentConfiguration()
    agent.listen = [.tcp: configuration.signalling, .udp: configuration.signalling]
    agent.contactUser = configuration.serviceUser
    agent.allowedMethods = [.invite, .ack, .cancel, .bye, .options, .info, .update, .prack, .subscribe]
    agent.acceptedTypes = [SessionDescription.contentType, C3PRequest.contentType, "multipart/mixed"]
    agent.eventPackages = ["conference"]
    agent.infoPackages = ["cccp"]
    agent.sessionTimer = SessionTimerPolicy(expiresSeconds: UInt32(clamping: configuration.sessionExpires))
    agent.limits.calls =
      min(configuration.maximumLegs, Limits.legs) + min(configuration.maximumMeetings, Limits.meetings) + 256
    return agent
  }

  // MARK: Input

  /// Registers with the front ends.
  public mutating func start(now: Instant, into outputs: inout [AVConferencingOutput]) {
    guard phase == .idle else { return }
    phase = .running
    for index in registrars.indices {
      drive(index, now: now, into: &outputs) { $0.start(now: now, into: &$1) }
    }
    settle(now: now, into: &outputs)
  }

  /// - Parameter bytes: one datagram, or one whole message of a stream.
  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    agent.receive(bytes, from: flow, now: now, into: &queue)
    settle(now: now, into: &outputs)
  }

  /// The connection of `flow` closed, or nothing can be sent over it.
  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [AVConferencingOutput]) {
    agent.transportFailed(flow, now: now, into: &queue)
    settle(now: now, into: &outputs)
    for index in registrars.indices {
      let own = registrars[index].flow
      guard own.transport == flow.transport, own.remote == flow.remote else { continue }
      drive(index, now: now, into: &outputs) { $0.connectionLost(now: now, random: &$2, into: &$1) }
    }
    settle(now: now, into: &outputs)
  }

  /// What a worker reports. Events of legs and meetings that are gone mean nothing.
  public mutating func handle(
    _ event: MediaEvent, worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    handleMedia(event, worker: worker, now: now, into: &outputs)
    settle(now: now, into: &outputs)
  }

  public mutating func advance(to now: Instant, into outputs: inout [AVConferencingOutput]) {
    agent.advance(to: now, into: &queue)
    settle(now: now, into: &outputs)
    for index in registrars.indices where registrars[index].registration.nextDeadline <= now {
      drive(index, now: now, into: &outputs) { $0.advance(to: now, into: &$1) }
    }
    memory.forget(before: now)
    settle(now: now, into: &outputs)
    if case .shuttingDown(let until) = phase, until <= now { finishShutDown(into: &outputs) }
  }

  public var nextDeadline: Instant {
    var next = min(agent.nextDeadline, min(timers.nextDeadline, memory.nextDeadline))
    for registrar in registrars { next = min(next, registrar.registration.nextDeadline) }
    if case .shuttingDown(let until) = phase { next = min(next, until) }
    return next
  }

  /// No new meetings from now on; the front ends are told. Running meetings go on, and take legs.
  public mutating func drain(now: Instant, into outputs: inout [AVConferencingOutput]) {
    guard phase == .running || phase == .idle else { return }
    phase = .draining
    outputs.append(.log(.draining))
    tellLoad(now: now, into: &outputs)
    settle(now: now, into: &outputs)
  }

  /// Ends everything: unregisters, ends every leg and meeting. `isShutDown` after `Limits.shutdown` at the latest.
  public mutating func shutDown(now: Instant, into outputs: inout [AVConferencingOutput]) {
    switch phase {
    case .shuttingDown, .shutDown: return
    case .idle, .running, .draining: break
    }
    phase = .shuttingDown(until: now + Limits.shutdown)
    outputs.append(.log(.shuttingDown(legs: legs.count, meetings: meetings.count)))
    for index in registrars.indices {
      drive(index, now: now, into: &outputs) { $0.stop(now: now, into: &$1) }
    }
    for meeting in meetings.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
      closeMeeting(meeting, reason: "shutdown", cause: 503, now: now, into: &outputs)
    }
    settle(now: now, into: &outputs)
  }

  public var isShutDown: Bool { phase == .shutDown }
  /// After `drain`: nothing is left to wait for.
  public var isDrained: Bool { phase == .draining && meetings.isEmpty && legs.isEmpty }
  public var isRegistered: Bool { registrars.contains { $0.registration.isRegistered } }

  public var counts: Counts {
    var counts = Counts()
    counts.meetings = meetings.count
    counts.legs = placement.legs
    counts.closingLegs = legs.values.count { $0.state == .closing }
    counts.calls = roles.count
    counts.subscriptions = meetingOfWatcher.count
    counts.rememberedCommands = memory.count
    return counts
  }

  /// What its user agent holds.
  public var userAgentCounts: UserAgentCounts { agent.counts }

  /// The meeting that a leg is in; for logs and metrics.
  public func meeting(of leg: LegID) -> MeetingID? { legs[leg]?.meeting }

  // MARK: The loop

  /// Deals with what the user agent has put out, which may make it put out more, then with what is due.
  mutating func settle(now: Instant, into outputs: inout [AVConferencingOutput]) {
    var index = 0
    repeat {
      while index < queue.count {
        switch queue[index] {
        case .transmit(let bytes, let flow): outputs.append(.transmit(bytes, flow))
        case .event(let event): handle(event, now: now, into: &outputs)
        }
        index += 1
      }
      while let timer = timers.takeDue(at: now) { fire(timer, now: now, into: &outputs) }
    } while index < queue.count
    queue.removeAll(keepingCapacity: queue.capacity < 1_024)
    if case .shuttingDown = phase, legs.isEmpty, roles.isEmpty,
      registrars.allSatisfy({ $0.registration.state == .stopped })
    {
      finishShutDown(into: &outputs)
    }
  }

  private mutating func finishShutDown(into outputs: inout [AVConferencingOutput]) {
    phase = .shutDown
    outputs.append(.log(.shutDown))
  }

  private mutating func fire(_ timer: Timer, now: Instant, into outputs: inout [AVConferencingOutput]) {
    switch timer {
    case .leg(let id): legIsLate(id, now: now, into: &outputs)
    case .flush(let id):
      guard let meeting = meetings[id], meeting.flushDeadline <= now else { return }
      flush(id, now: now)
    case .departed(let id): forgetDeparted(id, now: now)
    }
  }

  private mutating func handle(_ event: UserAgentEvent, now: Instant, into outputs: inout [AVConferencingOutput]) {
    switch event {
    case .invited(let call, let message, let flow):
      invited(call, message, flow, now: now, into: &outputs)
    case .offered(let call, let message):
      offered(call, message, now: now, into: &outputs)
    case .acknowledged(let call, let message):
      acknowledged(call, message, now: now, into: &outputs)
    case .ended(let call, let end):
      ended(call, end, now: now, into: &outputs)
    case .requested(let request, let call, let message, let flow):
      requested(request, call, message, flow, now: now, into: &outputs)
    case .responded(let request, nil, let message):
      responded(request, message, now: now, into: &outputs)
    case .failed(let request, nil, _):
      failed(request, now: now, into: &outputs)
    case .subscriptionRefreshed(let watcher, _):
      refreshed(watcher, now: now)
    case .subscriptionEnded(let watcher, _):
      forgetWatcher(watcher)
    case .responded, .failed:
      break  // a result that we told by INFO: a Focus that is gone shows by its dialog's end
    case .progressed, .answered, .refused, .reofferRefused, .notified, .subscriptionAccepted:
      break  // answers to what this host never asks
    }
  }

  func isTrusted(_ peer: SocketAddress) -> Bool {
    if configuration.trustsLoopback, peer.isLoopback { return true }
    return configuration.trustedPeers.contains { $0.sameHost(as: peer) }
  }
}

extension SocketAddress {
  /// 127.0.0.0/8 or ::1.
  var isLoopback: Bool {
    if let ipv4 { return ipv4 >> 24 == 127 }
    return high == 0 && low == 1
  }
}
