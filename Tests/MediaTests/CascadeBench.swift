//  CascadeBench.swift: several workers of one host on virtual time, with the links between them, and peers on each.

#if canImport(AllocationCounter)
  import AllocationCounter
#endif
import Media
import MediaTransport
import Primitives
import RTP
import Testing

/// A worker and what its shell would hold.
final class CascadeWorker {
  var worker: MediaWorker
  var ingress = DatagramBatch(capacity: 512)
  var egress = DatagramBatch(capacity: 8192)
  var peers: [WorkerPeer] = []
  var events: [MediaEvent] = []
  /// Messages of each worker that it has not taken yet.
  var inbox: [(sender: Int, message: LinkMessage)] = []
  /// It does not run: its thread got no time.
  var isStopped = false

  init(_ configuration: MediaWorkerConfiguration, now: Instant) {
    worker = MediaWorker(configuration: configuration, now: now)
  }

  func handle(_ command: MediaCommand, now: Instant) {
    worker.handle(command, now: now, into: &egress)
    flush(now: now)
  }

  func deliver(_ bytes: [UInt8], from source: SocketAddress) {
    guard let buffer = worker.pool.take() else {
      worker.countDrops(.poolExhausted, 1)
      return
    }
    worker.pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) in
      for (index, byte) in bytes.enumerated() { span.store(byte, at: index) }
    }
    let socket = UInt8(2 * worker.configuration.worker)
    if !ingress.append(Datagram(buffer: buffer, count: bytes.count, socket: socket, peer: source)) {
      worker.pool.give(buffer)
    }
  }

  func flush(now: Instant) {
    for index in 0..<egress.count {
      let datagram = egress[index]
      let count = Int(datagram.count)
      let bytes = worker.pool.withBytes(of: datagram.buffer, count: count) { span in
        (0..<count).map { span.uint8(at: $0) ?? 0 }
      }
      worker.pool.give(datagram.buffer)
      peers.first { $0.address == datagram.peer }?.receive(bytes, now: now)
    }
    egress.removeAll()
    worker.departed(at: now)
    while let event = worker.takeEvent() { events.append(event) }
  }

  var report: WorkerReport? {
    for event in events.reversed() { if case .report(let report) = event { return report } }
    return nil
  }
}

/// The meeting is number 1 on every worker.
final class CascadeBench {
  static let meeting = MeetingID(rawValue: 1)
  var workers: [CascadeWorker] = []
  var now = Instant(nanoseconds: 1_000_000_000)
  /// Whether a message is lost.
  var loses: (_ sender: Int, _ receiver: Int, LinkMessage) -> Bool = { _, _, _ in false }
  /// How long a peer's packets are on the way.
  var delays: [LegID: Int] = [:]
  private var inFlight: [(due: Int, worker: Int, bytes: [UInt8], source: SocketAddress)] = []
  private(set) var tick = 0
  private(set) var messages = 0
  /// Of the workers themselves, while `countsAllocations`.
  private(set) var allocations = 0
  var countsAllocations = false
  private let phase: Int
  /// Workers with a part, the home first.
  private(set) var parts: [Int] = []

  /// - Parameter opensAll: every worker has a part at once; else the first, and others when they get legs.
  init(workers count: Int, limits: MediaWorkerLimits = .init(), phase: Int = 7, opensAll: Bool = true) {
    self.phase = phase
    for number in 0..<count {
      var configuration = MediaWorkerConfiguration(
        clock: ClockAnchor(instant: now, wall: WallTime(microseconds: 1_800_000_000_000_000)),
        random: RandomSource(seed: 42))
      configuration.worker = number
      configuration.limits = limits
      configuration.forwards = false  // the mix is what is compared
      workers.append(CascadeWorker(configuration, now: now))
    }
    for number in 0..<(opensAll ? count : 1) { open(number) }
  }

  private func open(_ number: Int) {
    workers[number].handle(.openMeeting(Self.meeting, phase: phase), now: now)
    parts.append(number)
    link(parts)
  }

  /// As the control core does: parts but the home close with their last leg.
  func closeEmptyParts() {
    for number in parts.dropFirst() where workers[number].worker.legCount == 0 {
      parts.removeAll { $0 == number }
      link(parts)
      workers[number].handle(.closeMeeting(Self.meeting), now: now)
    }
  }

  /// These workers have parts; the first of them reports.
  func link(_ parts: [Int]) {
    for number in parts {
      let peers = parts.filter { $0 != number }
      workers[number].handle(
        .linkMeeting(Self.meeting, MeetingParts(peers: peers, reportsTalkers: number == parts.first)), now: now)
    }
  }

  /// Its leg opens; it sends and listens.
  func add(_ peer: WorkerPeer, to worker: Int) {
    workers[worker].peers.append(peer)
    openLeg(peer, on: worker)
  }

  /// `count` peers who tell their levels and say nothing, one to each worker in turn.
  func addQuietPeers(_ count: Int) -> [WorkerPeer] {
    (0..<count).map { index in
      let peer = WorkerPeer(index + 1, level: true)
      peer.beQuiet()
      add(peer, to: index % workers.count)
      return peer
    }
  }

  func remove(_ peer: WorkerPeer, from worker: Int) {
    closeLeg(peer, on: worker)
    workers[worker].peers.removeAll { $0 === peer }
  }

  func openLeg(_ peer: WorkerPeer, on worker: Int) {
    if !parts.contains(worker) { open(worker) }
    workers[worker].handle(.openLeg(peer.configuration), now: now)
  }

  func closeLeg(_ peer: WorkerPeer, on worker: Int) { workers[worker].handle(.closeLeg(peer.leg), now: now) }

  /// Everyone sends 20 ms, the workers do what is due, everyone plays 20 ms.
  func step() {
    for (number, worker) in workers.enumerated() {
      for peer in worker.peers where peer.isSending {
        for bytes in peer.nextPackets() {
          inFlight.append((tick + (delays[peer.leg] ?? 0), number, bytes, peer.address))
        }
      }
    }
    for packet in inFlight where packet.due <= tick {
      workers[packet.worker].deliver(packet.bytes, from: packet.source)
    }
    inFlight.removeAll { $0.due <= tick }
    for worker in workers where !worker.isStopped {
      worker.worker.receive(&worker.ingress, now: now, into: &worker.egress)
      worker.flush(now: now)
    }
    run(until: now + .milliseconds(20))
    for worker in workers { for peer in worker.peers { peer.listen(now: now) } }
    tick += 1
  }

  private func run(until end: Instant) {
    while true {
      var next = -1
      for (number, worker) in workers.enumerated() where !worker.isStopped {
        if next < 0 || worker.worker.nextDeadline < workers[next].worker.nextDeadline { next = number }
      }
      guard next >= 0, workers[next].worker.nextDeadline <= end else { break }
      now = max(now, workers[next].worker.nextDeadline)
      turn(next)
    }
    now = end
  }

  /// As the shell: links in, what is due, links out.
  func turn(_ number: Int) {
    let worker = workers[number]
    let before = allocationsSoFar
    for (sender, message) in worker.inbox { worker.worker.receive(message, from: sender, now: now) }
    worker.worker.advance(to: now, into: &worker.egress)
    if countsAllocations { allocations += allocationsSoFar - before }
    worker.inbox.removeAll()
    worker.flush(now: now)
    while let (receiver, message) = worker.worker.takeLinkMessage() {
      messages += 1
      if !loses(number, receiver, message) { workers[receiver].inbox.append((number, message)) }
    }
  }

  private var allocationsSoFar: Int {
    #if canImport(AllocationCounter)
      Int(allocation_count())
    #else
      0
    #endif
  }

  func run(seconds: Double) { for _ in 0..<Int(seconds * 50) { step() } }

  var heldBuffers: [Int] {
    workers.map { $0.worker.pool.capacity - $0.worker.pool.available - $0.worker.heldPackets }
  }
}

extension WorkerPeer {
  /// A talker whose loudness is said by its packets.
  func talk(_ frequency: Double, amplitude: Double = 8_000) {
    self.frequency = frequency
    self.amplitude = amplitude
    isSending = true
    level = UInt8(max(0, min(126, Int(-20 * logarithm10(amplitude / 32_768 / 1.414)))))
  }

  func beQuiet() {
    frequency = 0
    amplitude = 0
    level = 127
  }

  /// 300 ms from the end.
  func hears(_ frequency: Double, from start: Double) -> Bool {
    power(at: frequency, skipping: start, seconds: 0.2) > -45
  }
}
