//  MediaHostRuntime.swift: the shell around `AVConferencingServer`: gives it bytes, time and its workers' events.
//  Walk: SIPEdge → MediaHostRuntime → AVConferencingServer → MediaCommand ⇢ WorkerThread

import AVConferencing
import Deployment
import LinuxIO
import Logging
import Media
import NIOCore
import NIOPosix
import Primitives
import SIP
import SIPEdge

/// Made on the edge's event loop and confined to it.
final class MediaHostRuntime: SIPEdgeHandler {
  /// Commands that wait for a worker whose queue is full.
  static let backlogLimit = 65_536
  /// Between looks at queues that were full.
  private static let checkPeriod = Interval.milliseconds(500)

  private let edge: SIPEdge
  private let threads: WorkerGroup
  private let reports: ReportWriter?
  private let board: FiguresBoard
  private let log: Logger
  private var core: AVConferencingServer
  private var outputs: [AVConferencingOutput] = []
  private var backlogs: [[MediaCommand]]
  private var evidence = EvidenceHistory()
  private var histories: [WorkerHistory]
  private var forgetAt = Instant.zero
  private var checkAt = Instant.never
  private var watchdog: WorkerWatchdog
  private var watchAt = Instant.never
  private let service = ServiceNotifier()
  private var aliveAt = Instant.never
  private var events: WorkerEvents?
  private var onReady: (@Sendable () -> Void)?
  private var onShutDown: (@Sendable () -> Void)?

  init(
    settings: MediaHostConfiguration, standalone: Bool, edge: SIPEdge, threads: WorkerGroup, reports: ReportWriter?,
    board: FiguresBoard, random: RandomSource, log: Logger
  ) {
    self.edge = edge
    self.threads = threads
    self.reports = reports
    self.board = board
    self.log = log
    var random = random
    let instance = Self.instance(&random)
    core = AVConferencingServer(
      configuration: Self.configuration(
        settings, standalone: standalone, edge: edge, threads: threads, instance: instance),
      random: RandomSource(seed: random.bytes(32)))
    backlogs = Array(repeating: [], count: threads.workers.count)
    histories = Array(repeating: WorkerHistory(), count: threads.workers.count)
    watchdog = WorkerWatchdog(workers: threads.workers.count)
  }

  /// A random UUID (RFC 9562 §5.4): one process of one host.
  private static func instance(_ random: inout RandomSource) -> String {
    var uuid = random.bytes(16)
    uuid[6] = uuid[6] & 0x0f | 0x40
    uuid[8] = uuid[8] & 0x3f | 0x80
    let hex = uuid.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return "urn:uuid:" + [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { hex[$0].joined() }.joined(separator: "-")
  }

  private static func configuration(
    _ settings: MediaHostConfiguration, standalone: Bool, edge: SIPEdge, threads: WorkerGroup, instance: String
  ) -> AVConferencingConfiguration {
    var signalling = edge.addresses.first { $0.transport == .tcp }?.address ?? settings.listen
    if signalling.isUnspecified {
      signalling = SocketAddress(host: settings.mediaAddress, port: signalling.port) ?? signalling
    }
    var configuration = AVConferencingConfiguration(
      name: settings.name, instance: instance, signalling: signalling,
      workers: threads.workers.map { WorkerEndpoint(media: $0.mediaAddress) })
    configuration.factory = "sip:mcufactory@\(settings.frontEnd)"
    if !standalone {
      configuration.frontEnds = [SIPFlow(transport: .tcp, local: signalling, remote: settings.frontEnd)]
    }
    configuration.standalone = standalone
    configuration.trustedPeers = [settings.frontEnd.with(port: 0)]
    configuration.maximumLegs = settings.maximumLegs
    configuration.maximumLegsPerMeeting = settings.maximumLegs
    configuration.splitLegs = settings.splitLegs
    configuration.splitBusy = Double(settings.splitBusy) / 100
    configuration.allowPlainRTP = settings.plainRTP
    configuration.mediaTimeout = settings.mediaTimeout
    return configuration
  }

  // MARK: Life

  /// - Parameter ready: called once, when the first front end gives this host meetings.
  func start(now: Instant, ready: @escaping @Sendable () -> Void) {
    checkAt = now + Self.checkPeriod
    watchAt = now
    if service.watchdogPeriod != nil { aliveAt = now }
    events = WorkerEvents(threads, on: edge.eventLoop, log) { [edge] in
      edge.execute { handler, now in (handler as? MediaHostRuntime)?.takeEvents(now: now) }
    }
    onReady = ready
    core.start(now: now, into: &outputs)
    if core.configuration.frontEnds.isEmpty { becomeReady() }
    takeEvents(now: now)
  }

  func drain(now: Instant) {
    core.drain(now: now, into: &outputs)
    performOutputs(now: now)
  }

  /// - Parameter done: called when every call has ended, or time is up.
  func shutDown(now: Instant, done: @escaping @Sendable () -> Void) {
    onShutDown = done
    service.stopping()
    core.shutDown(now: now, into: &outputs)
    performOutputs(now: now)
  }

  // MARK: SIPEdgeHandler

  func receive(_ bytes: [UInt8], from flow: SIPFlow, now: Instant) {
    core.receive(bytes, from: flow, now: now, into: &outputs)
    performOutputs(now: now)
  }

  func transportFailed(_ flow: SIPFlow, now: Instant) {
    core.transportFailed(flow, now: now, into: &outputs)
    performOutputs(now: now)
  }

  func advance(to now: Instant) {
    core.advance(to: now, into: &outputs)
    performOutputs(now: now)
    if watchAt <= now { watch(now: now) }
    if checkAt <= now { check(now: now) }
  }

  var nextDeadline: Instant { min(core.nextDeadline, min(checkAt, watchAt)) }

  // MARK: Workers

  /// Everything that workers have to tell; then asks to be woken for the next.
  func takeEvents(now: Instant) {
    threads.eventsReady.finishWait()
    drainEvents(now: now)
    threads.eventsReady.prepareToWait()
    drainEvents(now: now)  // what came before the flag was set
    performOutputs(now: now)
  }

  private func drainEvents(now: Instant) {
    for (number, worker) in threads.workers.enumerated() {
      while let event = worker.takeEvent() {
        if case .report(let report) = event {
          note(report, of: number, now: now)
          reports?.write(report, time: Double(MonotonicClock.anchor().wall.microseconds) / 1e6)
        }
        core.handle(event, worker: number, now: now, into: &outputs)
        // Answered at once, so that a long backlog of events does not become a long list of outputs.
        if outputs.count > 256 { performOutputs(now: now) }
      }
    }
  }

  private func note(_ report: WorkerReport, of number: Int, now: Instant) {
    histories[number].append(report, now: now)
    let counts = core.counts
    board.update { figures in
      figures.workers[number].report = report
      figures.workers[number].heardAt = now
      figures.workers[number].isStuck = false
      figures.counts = counts
      figures.isRegistered = core.isRegistered
      figures.evidenceLegs = evidence.legs
      figures.evidenceChunks = evidence.chunks
    }
  }

  /// The legs' seconds that the workers have ready.
  private func takeEvidence(now: Instant) {
    for worker in threads.workers {
      while let second = worker.takeEvidence() { evidence.append(second) }
    }
    guard forgetAt <= now else { return }
    forgetAt = now + .seconds(10)
    let oldest = UInt32(clamping: now.nanoseconds / 1_000_000_000 - Int64(EvidenceHistory.seconds))
    evidence.forget(before: oldest) { core.meeting(of: $0) != nil }
  }

  /// Ten times a second: whether every worker turns; and the service manager hears that it does.
  private func watch(now: Instant) {
    watchAt = now + WorkerWatchdog.period
    for finding in watchdog.look(at: threads.workers.map(\.turns), now: now) {
      switch finding {
      case .stoodStill(let interval):
        log.warning("the process stood still", metadata: ["milliseconds": "\(Int(interval.milliseconds))"])
      case .stalled(let worker):
        threads.workers[worker].retire()
        board.update { $0.workers[worker].isStuck = true }
        core.workerStalled(worker, now: now, into: &outputs)
      case .resumed(let worker):
        log.error("worker turns again; it was given up", metadata: ["worker": "\(worker)"])
      }
    }
    if aliveAt <= now, let period = service.watchdogPeriod {
      aliveAt = now + period
      // Not while a worker stands still: then the manager starts the process anew, unless it has been told otherwise.
      if watchdog.stalled == 0 { service.alive() }
    }
    performOutputs(now: now)
  }

  /// Twice a second: commands that a full queue has kept.
  private func check(now: Instant) {
    checkAt = now + Self.checkPeriod
    takeEvidence(now: now)
    for number in threads.workers.indices { sendBacklog(number) }
    takeEvents(now: now)
  }

  // MARK: The operator

  /// Moves a worker's meetings to others; it gets no new ones.
  /// - Returns: how many meetings leave; `nil` when that cannot be.
  func drain(worker: Int, now: Instant) -> Int? {
    let count = core.drainWorker(worker, now: now, into: &outputs)
    performOutputs(now: now)
    return count
  }

  /// - Returns: `false` when the worker was not drained.
  func undrain(worker: Int, now: Instant) -> Bool {
    let done = core.undrainWorker(worker, into: &outputs)
    performOutputs(now: now)
    return done
  }

  private func send(_ command: MediaCommand, to number: Int, now: Instant) {
    guard threads.workers.indices.contains(number) else { return }
    sendBacklog(number)
    if backlogs[number].isEmpty, threads.workers[number].send(command) { return }
    if case .openLeg(let leg) = command {
      // A worker that is so far behind takes nobody new.
      core.handle(.legRefused(leg.leg, reason: .tooManyLegs), worker: number, now: now, into: &outputs)
    } else if backlogs[number].count < Self.backlogLimit {
      if backlogs[number].isEmpty { log.error("worker's queue is full", metadata: ["worker": "\(number)"]) }
      backlogs[number].append(command)
    }
  }

  private func sendBacklog(_ number: Int) {
    guard !backlogs[number].isEmpty else { return }
    let sent = backlogs[number].firstIndex { !threads.workers[number].send($0) } ?? backlogs[number].count
    backlogs[number].removeFirst(sent)
  }

  // MARK: Outputs

  private func performOutputs(now: Instant) {
    while !outputs.isEmpty {
      let due = outputs
      outputs = []
      for output in due {
        switch output {
        case .transmit(let bytes, let flow): edge.send(bytes, to: flow)
        case .media(let worker, let command): send(command, to: worker, now: now)
        case .log(let event):
          write(event)
          if case .active = event { becomeReady() }
        }
      }
    }
    if core.isShutDown, let onShutDown {
      self.onShutDown = nil
      events?.stop()
      onShutDown()
    }
  }

  private func becomeReady() {
    if onReady != nil { service.ready() }
    onReady?()
    onReady = nil
  }

  private func write(_ event: AVConferencingLogEvent) {
    switch event {
    case .legOpened(let leg, _, worker: _, callID: _, codec: _, suite: _):
      if let description = core.description(of: leg) { evidence.remember(description) }
    case .legConnected(_, let milliseconds):
      board.update { $0.firstMedia.record(microseconds: Int64(milliseconds) * 1_000) }
    case .overloaded: board.update { $0.isOverloaded = true }
    case .recovered: board.update { $0.isOverloaded = false }
    default: break
    }
    var (text, metadata) = event.line
    if let leg = event.leg, let description = core.description(of: leg) ?? evidence.description(of: leg) {
      metadata["call-id"] = "\(description.callID)"
      metadata["meeting"] = "\(description.meeting.rawValue)"
    }
    log.log(level: event.severity.level, "\(text)", metadata: metadata)
  }

  // MARK: Questions

  /// Answers the operator.
  func answer(_ route: AdminRoute, now: Instant) -> AdminAnswer {
    takeEvidence(now: now)
    if case .drain(let worker) = route {
      guard let meetings = drain(worker: worker, now: now) else {
        return .text(409, "worker \(worker) cannot be drained: there is no such worker, or no other takes its meetings")
      }
      return .text(200, "worker \(worker) is drained: \(meetings) meetings leave it")
    }
    let inspector = HostInspector(
      host: core.configuration.name, core: core, history: evidence, workers: histories,
      clock: MonotonicClock.anchor())
    return inspector.answer(route)
  }
}
