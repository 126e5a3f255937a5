//  RelocationBench.swift: the workers of one host on virtual time, in turns of a millisecond, with links that take time.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

/// A worker and what its shell would hold.
final class MovingWorker {
  var worker: MediaWorker
  var ingress = DatagramBatch(capacity: 512)
  var egress = DatagramBatch(capacity: 1024)
  var events: [MediaEvent] = []
  var commands: [MediaCommand] = []
  /// Of each sender, in order: not to be taken before `due`.
  var inbox: [[(due: Instant, message: LinkMessage)]]
  /// It gets no time before then.
  var sleepsUntil = Instant.zero

  init(_ configuration: MediaWorkerConfiguration, workers: Int, now: Instant) {
    worker = MediaWorker(configuration: configuration, now: now)
    inbox = Array(repeating: [], count: workers)
  }

  var report: WorkerReport? {
    for event in events.reversed() { if case .report(let report) = event { return report } }
    return nil
  }
}

/// Meetings that go from worker to worker while their peers go on sending to the one that they know.
final class RelocationBench {
  var workers: [MovingWorker] = []
  var now = Instant(nanoseconds: 1_000_000_000)
  var random: RandomSource
  /// The worker to whose sockets each peer sends, and in which millisecond of twenty.
  private(set) var peers: [(peer: WorkerPeer, home: Int, offset: Int)] = []
  private(set) var places: [MeetingID: Int] = [:]
  private(set) var moving: [MeetingID: Int] = [:]
  private(set) var arrivals = 0
  /// Longest time on a link, milliseconds.
  var linkDelay = 0
  /// Datagrams that left by another socket than the peer's home's.
  var wrongSockets = 0
  var sent: [LegID: Int] = [:]
  private var millisecond = 0

  init(workers count: Int, seed: UInt64, limits: MediaWorkerLimits) {
    random = RandomSource(seed: seed)
    for number in 0..<count {
      var configuration = MediaWorkerConfiguration(
        clock: ClockAnchor(instant: now, wall: WallTime(microseconds: 1_800_000_000_000_000)),
        random: RandomSource(seed: 42))
      configuration.worker = number
      configuration.limits = limits
      configuration.allowsPlain = true
      workers.append(MovingWorker(configuration, workers: count, now: now))
    }
  }

  func open(_ meeting: MeetingID, on worker: Int, _ new: [WorkerPeer]) {
    places[meeting] = worker
    workers[worker].commands.append(.openMeeting(meeting))
    for peer in new { add(peer, on: worker) }
    turn(worker)  // before the first packet comes
  }

  func add(_ peer: WorkerPeer, on worker: Int) {
    workers[worker].commands.append(.openLeg(peer.configuration))
    peers.append((peer, worker, Int(random.next() % 20)))
  }

  func move(_ meeting: MeetingID, to worker: Int) {
    guard let from = places[meeting], moving[meeting] == nil, from != worker else { return }
    moving[meeting] = worker
    workers[from].commands.append(.moveMeeting(meeting, to: worker))
  }

  func send(_ bytes: [UInt8], from source: SocketAddress, to worker: Int, socket: UInt8 = 0) {
    let target = workers[worker]
    guard let buffer = target.worker.pool.take() else { return target.worker.countDrops(.poolExhausted, 1) }
    target.worker.pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) in
      for (index, byte) in bytes.enumerated() { span.store(byte, at: index) }
    }
    let datagram = Datagram(
      buffer: buffer, count: bytes.count, socket: UInt8(2 * worker) + socket, peer: source)
    if !target.ingress.append(datagram) { target.worker.pool.give(buffer) }
  }

  func run(milliseconds: Int) {
    for _ in 0..<milliseconds {
      now = now + .milliseconds(1)
      for (peer, home, offset) in peers where peer.isSending && millisecond % 20 == offset {
        for bytes in peer.nextPackets() {
          send(bytes, from: peer.address, to: home)
          sent[peer.leg, default: 0] += 1
        }
      }
      for number in workers.indices where workers[number].sleepsUntil <= now { turn(number) }
      if millisecond % 20 == 19 { for (peer, _, _) in peers { peer.listen(now: now) } }
      millisecond += 1
    }
  }

  /// As `WorkerLoop`.
  private func turn(_ number: Int) {
    let own = workers[number]
    own.worker.receive(&own.ingress, now: now, into: &own.egress)
    for sender in workers.indices {
      while let first = own.inbox[sender].first, first.due <= now {
        own.worker.receive(first.message, from: sender, now: now)
        own.inbox[sender].removeFirst()
      }
    }
    while own.worker.acceptsCommand, !own.commands.isEmpty {
      own.worker.handle(own.commands.removeFirst(), now: now, into: &own.egress)
    }
    repeat {
      own.worker.advance(to: now, into: &own.egress)
      flush(own)
    } while own.worker.nextDeadline <= now
    while let (receiver, message) = own.worker.takeLinkMessage() {
      let delay = linkDelay == 0 ? 0 : Int(random.next() % UInt64(linkDelay + 1))
      let due = max(now + .milliseconds(delay), workers[receiver].inbox[number].last?.due ?? .zero)
      workers[receiver].inbox[number].append((due, message))
    }
    while let event = own.worker.takeEvent() {
      own.events.append(event)
      switch event {
      case .meetingArrived(let meeting, _):
        places[meeting] = number
        moving[meeting] = nil
        arrivals += 1
      case .meetingStayed(let meeting), .meetingLost(let meeting): moving[meeting] = nil
      default: break
      }
    }
  }

  private func flush(_ own: MovingWorker) {
    for index in 0..<own.egress.count {
      let datagram = own.egress[index]
      let count = Int(datagram.count)
      let bytes = own.worker.pool.withBytes(of: datagram.buffer, count: count) { span in
        (0..<count).map { span.uint8(at: $0) ?? 0 }
      }
      own.worker.pool.give(datagram.buffer)
      guard
        let known = peers.first(where: { $0.peer.address == datagram.peer || $0.peer.controlAddress == datagram.peer })
      else { continue }
      if Int(datagram.socket / 2) != known.home { wrongSockets += 1 }
      known.peer.receive(bytes, now: now)
    }
    own.egress.removeAll()
    own.worker.departed(at: now)
  }

  // MARK: What was lost

  var reasons: String {
    workers.indices.map { number in
      let drops = workers[number].worker.drops
      let named = DropReason.allCases.filter { drops[$0] > 0 }.map { "\($0) \(drops[$0])" }
      return "\(number): \(named.joined(separator: ", "))"
    }.joined(separator: "; ")
  }
  var drops: Int { workers.reduce(0) { $0 + Int($1.worker.drops.total) } }
  var heldBuffers: [Int] {
    workers.map { $0.worker.pool.capacity - $0.worker.pool.available - $0.worker.heldPackets }
  }
  func statistics(of peer: WorkerPeer) -> LegStatistics? {
    for worker in workers { if let found = worker.worker.statistics(of: peer.leg) { return found } }
    return nil
  }
  var legsAway: [Int] { workers.map { $0.report?.legsAway ?? 0 } }
  var forwarded: Int { workers.reduce(0) { $0 + Int($1.report?.packetsSentOn ?? 0) } }
}
