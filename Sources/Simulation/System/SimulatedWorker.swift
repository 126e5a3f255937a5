//  SimulatedWorker.swift: a MediaWorker with the turns of its thread, without thread and sockets.
//  Walk: SimulatedNetwork → SimulatedWorker.turn → MediaWorker → SimulatedNetwork

import Media
import Primitives

struct WorkerID: Hashable, Sendable, CustomStringConvertible {
  var host: Int
  var worker: Int
  var description: String { "worker \(host).\(worker)" }
}

/// A UDP datagram between an outside address and one of a host's sockets.
struct SimulatedDatagram {
  var bytes: [UInt8]
  /// As `Datagram.socket`.
  var socket: UInt8
  var peer: SocketAddress
}

/// One worker. An object because a `MediaWorker` must not be copied.
final class SimulatedWorker {
  let id: WorkerID
  let mediaAddress: SocketAddress
  private var worker: MediaWorker
  private var ingress = DatagramBatch(capacity: 256)
  private var egress = DatagramBatch(capacity: 256)
  /// What its sockets hold.
  var inbox: [SimulatedDatagram] = []
  var commands: [MediaCommand] = []
  /// What other workers of the host have sent.
  var links: [(sender: Int, message: LinkMessage)] = []
  /// When its next turn is planned.
  var turnAt = Instant.never
  private(set) var watch: EgressWatch
  private(set) var packetsOut = 0
  private var lastTurn: Instant
  private var leaked: PacketBuffer?

  init(
    id: WorkerID, mediaAddress: SocketAddress, configuration: MediaWorkerConfiguration, losesTalkers: Bool, now: Instant
  ) {
    self.id = id
    watch = EgressWatch(losesTalkers: losesTalkers)
    self.mediaAddress = mediaAddress
    worker = unsafe MediaWorker(configuration: configuration, now: now)
    lastTurn = now
  }

  var nextDeadline: Instant { worker.nextDeadline }
  var legCount: Int { worker.legCount }
  var meetingCount: Int { worker.meetingCount }
  var drops: DropCounters { worker.drops }
  func statistics(of leg: LegID) -> LegStatistics? { worker.statistics(of: leg) }

  /// Buffers that are neither free nor waiting to be heard: none between turns.
  var missingBuffers: Int { worker.pool.capacity - worker.pool.available - worker.heldPackets }
  var takenBuffers: Int { worker.pool.capacity - worker.pool.available }

  /// For a scenario that must fail: takes a buffer and forgets it.
  func leakBuffer() { if leaked == nil { leaked = worker.pool.take() } }

  /// One turn of `WorkerLoop`.
  ///
  /// - Parameter skipsPacket: a packet is lost before it reaches the wire: for a scenario that must fail.
  func turn(now: Instant, skipsPacket: inout Bool) -> (
    sent: [SimulatedDatagram], links: [(receiver: Int, message: LinkMessage)], events: [MediaEvent], faults: [String]
  ) {
    var sent: [SimulatedDatagram] = []
    var faults: [String] = []
    worker.waited(now - lastTurn)
    lastTurn = now
    takeInbox(now: now, &sent, &faults, &skipsPacket)
    for (sender, message) in links { worker.receive(message, from: sender, now: now) }
    links.removeAll(keepingCapacity: true)
    var done = 0
    while done < commands.count, worker.acceptsCommand {
      if let fault = watch.handle(commands[done]) { faults.append(fault) }
      worker.handle(commands[done], now: now, into: &egress)
      done += 1
      if egress.count > egress.capacity / 2 { flush(&sent, &faults, &skipsPacket) }
    }
    commands.removeFirst(done)
    var rounds = 0
    repeat {
      worker.advance(to: now, into: &egress)
      flush(&sent, &faults, &skipsPacket)
      rounds += 1
    } while worker.nextDeadline <= now && rounds < 1_000
    if rounds == 1_000 { faults.append("\(id) does not come to rest") }
    var outgoing: [(receiver: Int, message: LinkMessage)] = []
    while let (receiver, message) = worker.takeLinkMessage() { outgoing.append((receiver, message)) }
    var events: [MediaEvent] = []
    while let event = worker.takeEvent() { events.append(event) }
    worker.departed(at: now)
    return (sent, outgoing, events, faults)
  }

  private func takeInbox(
    now: Instant, _ sent: inout [SimulatedDatagram], _ faults: inout [String], _ skipsPacket: inout Bool
  ) {
    for datagram in inbox {
      guard let buffer = worker.pool.take() else {
        worker.countDrops(.poolExhausted, 1)
        continue
      }
      let bytes = datagram.bytes
      worker.pool.withMutableBytes(of: buffer) { space in
        for index in 0..<min(bytes.count, PacketPool.bufferSize) { space.store(bytes[index], at: index) }
      }
      let isTaken = ingress.append(
        Datagram(buffer: buffer, count: bytes.count, socket: datagram.socket, peer: datagram.peer))
      if !isTaken { worker.pool.give(buffer) }
      if ingress.isFull { worker.receive(&ingress, now: now, into: &egress) }
    }
    inbox.removeAll(keepingCapacity: true)
    if ingress.count > 0 { worker.receive(&ingress, now: now, into: &egress) }
    flush(&sent, &faults, &skipsPacket)
  }

  private func flush(_ sent: inout [SimulatedDatagram], _ faults: inout [String], _ skipsPacket: inout Bool) {
    for index in 0..<egress.count {
      let datagram = egress[index]
      let bytes = worker.pool.withBytes(of: datagram.buffer, count: Int(datagram.count)) { bytes in
        (0..<bytes.byteCount).map { bytes.uint8(at: $0) ?? 0 }
      }
      worker.pool.give(datagram.buffer)
      packetsOut += 1
      if skipsPacket, EgressWatch.isMedia(bytes) {
        skipsPacket = false
        continue
      }
      if let fault = watch.check(bytes) { faults.append("\(id): \(fault)") }
      sent.append(SimulatedDatagram(bytes: bytes, socket: datagram.socket, peer: datagram.peer))
    }
    egress.removeAll()
  }
}
