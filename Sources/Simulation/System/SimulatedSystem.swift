//  SimulatedSystem.swift: front end, media hosts, phones and the network between them, on virtual time, from a seed.
//  Walk: SimulationOptions → SimulatedSystem.run → SimulationReport

import AVConferencing
import Conferencing
import Media
import Primitives
import SIP

/// The whole system in one value-like object without clock and I/O: equal options give equal runs, to the last packet.
///
/// Everything that happens is an event in one queue, ordered by time and then by when it was planned. Cores are woken at
/// their deadlines, workers take turns as their threads would. Checks run with every packet and every 100 ms.
public final class SimulatedSystem {
  enum Event {
    case datagram(to: SimulatedNode, [UInt8], SIPFlow)
    case segment(Int, toEnd: Int, [UInt8])
    case opened(Int)
    case closed(Int, end: Int)
    case failed(SimulatedNode, SIPFlow)
    case mediaToWorker(WorkerID, SimulatedDatagram)
    case mediaToPhone(Int, SimulatedDatagram)
    case turn(WorkerID)
    case wake(SimulatedNode)
    case frame(Int, session: Int)
    case script(ScriptEvent)
    case check
  }

  /// Checks that are dear run this often.
  static let checkPeriod = Interval.milliseconds(100)
  static let keptEvents = 2_000
  /// Far more than any scenario needs: a run that comes here turns in circles.
  static let maximumEvents = 20_000_000

  public let options: SimulationOptions
  let voices: SimulatedVoices
  var now = Instant.zero
  var queue = EventQueue<Event>()
  var network: SimulatedNetwork
  var streams = SimulatedStreams()
  var random: RandomSource
  var frontEnd: ConferencingCore
  var frontEndWakeAt = Instant.never
  var hosts: [SimulatedHost] = []
  var phones: [SimulatedPhone] = []
  var report: SimulationReport
  /// Those who joined and have not left, by the records.
  var recordedParticipants: Set<String> = []
  var recordedConferences: Set<String> = []
  /// Phones that vanished while they held: nobody misses their media, and they are in until their session expires.
  var lingering: Set<Int> = []
  /// Since when who is heard in each meeting has not changed.
  var changedAt: [Instant]
  /// Since when nothing has happened that signalling has to catch up with.
  var unsettledUntil = Instant.zero
  var isCalm = false
  /// The fault on purpose has been done.
  var faultIsDone = false
  var skipsPacket = false

  public init(options: SimulationOptions, voices: SimulatedVoices) {
    self.options = options
    self.voices = voices
    var random = RandomSource(seed: options.seed ^ 0x5157_0000_0000)
    network = SimulatedNetwork(options: options.network, random: RandomSource(seed: random.bytes(32)))
    var configuration = ConferencingConfiguration(
      domains: [SimulatedAddresses.frontEnd.host],
      listen: [.udp: SimulatedAddresses.frontEnd, .tcp: SimulatedAddresses.frontEnd])
    configuration.gracePeriod = options.gracePeriod
    configuration.sessionTimer = SessionTimerPolicy(expiresSeconds: 90)
    configuration.trustedMediaHosts = (0..<options.hosts).map { SimulatedAddresses.host($0).with(port: 0) }
    frontEnd = ConferencingCore(configuration: configuration, random: RandomSource(seed: random.bytes(32)))
    report = SimulationReport(options: options.description)
    changedAt = Array(repeating: .zero, count: options.meetings)
    hosts = (0..<options.hosts).map {
      SimulatedHost(number: $0, options: options, random: RandomSource(seed: random.bytes(32)), now: .zero)
    }
    phones = options.phones.enumerated().map {
      SimulatedPhone(number: $0.offset, traits: $0.element, random: RandomSource(seed: random.bytes(32)))
    }
    self.random = random
  }

  /// Runs the script to its end, or to the first violations.
  public static func run(_ options: SimulationOptions, voices: SimulatedVoices) -> SimulationReport {
    let system = SimulatedSystem(options: options, voices: voices)
    system.run()
    return system.report
  }

  private func run() {
    for (at, event) in options.script.events { queue.plan(.script(event), at: .zero + at) }
    queue.plan(.check, at: .zero + Self.checkPeriod)
    for host in hosts { start(host) }
    let end = Instant.zero + options.script.end
    while queue.next <= end, report.violations.count < 10, let (at, event) = queue.take() {
      precondition(at >= now, "time runs backwards")
      now = at
      report.events += 1
      guard report.events < Self.maximumEvents else {
        violate("the simulation turns in circles")
        break
      }
      perform(event)
    }
    if report.violations.isEmpty { checkEnd() }
  }

  private func perform(_ event: Event) {
    switch event {
    case .datagram(let node, let bytes, let flow): deliver(bytes, from: flow, to: node)
    case .segment(let number, let end, let bytes): deliver(bytes, on: number, toEnd: end)
    case .opened(let number): opened(number)
    case .closed(let number, let end): closed(number, end: end)
    case .failed(let node, let flow): fail(flow, at: node)
    case .mediaToWorker(let id, let datagram): deliver(datagram, to: id)
    case .mediaToPhone(let number, let datagram): deliver(datagram, toPhone: number)
    case .turn(let id): turn(id)
    case .wake(let node): wake(node)
    case .frame(let number, let session): sendFrame(of: number, session: session)
    case .script(let event): perform(event)
    case .check:
      check()
      queue.plan(.check, at: now + Self.checkPeriod)
    }
  }

  // MARK: What is written down

  func note(_ text: @autoclosure () -> String) {
    if report.lastEvents.count >= Self.keptEvents * 2 { report.lastEvents.removeFirst(Self.keptEvents) }
    report.lastEvents.append("\(Double(now.nanoseconds / 1_000) / 1_000) ms \(text())")
  }

  func violate(_ text: String) {
    report.violations.append(SimulationViolation(at: now, text: text))
    note("VIOLATION \(text)")
  }

  /// Signalling has something to catch up with, for so long.
  func disturb(_ interval: Interval) { unsettledUntil = max(unsettledUntil, now + interval) }
  /// Who is heard in a meeting changes.
  func change(_ meeting: Int) { changedAt[meeting] = now }

  // MARK: Waking

  func wake(_ node: SimulatedNode) {
    switch node {
    case .frontEnd:
      guard frontEndWakeAt == now else { return }
      frontEndWakeAt = .never
      var outputs: [ConferencingOutput] = []
      frontEnd.advance(to: now, into: &outputs)
      perform(outputs)
    case .host(let number):
      guard hosts[number].wakeAt == now, hosts[number].isAlive else { return }
      hosts[number].wakeAt = .never
      var outputs: [AVConferencingOutput] = []
      hosts[number].with { $0.advance(to: now, into: &outputs) }
      perform(outputs, of: number)
    case .phone(let number):
      guard phones[number].wakeAt == now, phones[number].isAlive else { return }
      phones[number].wakeAt = .never
      var outputs: [VirtualPhonesOutput] = []
      phones[number].with { $0.advance(to: now, into: &outputs) }
      perform(outputs, of: number)
    }
  }

  /// After every input: the node's deadline may have moved.
  func planWake(_ node: SimulatedNode) {
    switch node {
    case .frontEnd: plan(node, at: frontEnd.nextDeadline, &frontEndWakeAt)
    case .host(let number): plan(node, at: hosts[number].core.nextDeadline, &hosts[number].wakeAt)
    case .phone(let number): plan(node, at: phones[number].core.nextDeadline, &phones[number].wakeAt)
    }
  }

  private func plan(_ node: SimulatedNode, at deadline: Instant, _ planned: inout Instant) {
    // Overdue already: as a timer of zero length, but never twice at the same instant without end.
    let due = max(deadline, now + .nanoseconds(1))
    guard due < planned, deadline != .never else { return }
    planned = due
    queue.plan(.wake(node), at: due)
  }

  func isAlive(_ node: SimulatedNode) -> Bool {
    switch node {
    case .frontEnd: true
    case .host(let number): hosts.indices.contains(number) && hosts[number].isAlive
    case .phone(let number): phones.indices.contains(number) && phones[number].isAlive
    }
  }
}
