//  WorkerLoop.swift: what a worker's thread does, turn after turn.

import LinuxIO
import Media
import Primitives
import Synchronization

/// One turn: receive what is there, perform commands, do what is due, send, tell; then wait for the first of a datagram,
/// a command and the next deadline, or, while datagrams come densely, until some have gathered. Two clock reads a turn: after the wait, and after the last send, which ends the ticks.
final class WorkerLoop: @unchecked Sendable {
  // @unchecked: made by the control thread, from then on used by the worker's thread alone.

  /// Datagrams written before they are sent: those of one system call, so that they are still in the cache.
  static let sendChunk = DatagramSocket.maximumBatch
  /// Chunks sent before the sockets are looked at again, in about a millisecond: the tick of a large meeting takes ten, and
  /// what comes meanwhile must neither overflow the socket nor look ten milliseconds late to the jitter buffers.
  static let chunksBetweenReceives = 5
  /// System calls of receiving in one turn, each of up to 64 datagrams, so that a flood does not hold up a tick.
  static let receivesPerTurn = 8
  /// Media older than this is worthless: a socket that was full for so long loses what waits for it.
  static let blockedLimit = Interval.milliseconds(20)

  /// Commands of one turn: opening a leg with its encoders takes a good part of a millisecond.
  static let commandsPerTurn = 8
  /// A worker turns at least so often, so that one that stands still can be told from one that has nothing to do.
  static let longestWait = Interval.milliseconds(250)

  private static let mediaToken = 0
  private static let controlToken = 1
  private static let commandToken = 2

  private let configuration: WorkerThread.Configuration
  private let shared: WorkerShared
  private var ports: PortPair
  private var poll: EventPoll
  /// Watches nothing: sleeps by the clock.
  private var pause: EventPoll
  private var pacing: ReceivePacing
  private var foreign: ForeignSockets
  private var backlog: LinkBacklog
  private var mediaReadable = true
  private var controlReadable = true
  private var blockedSince: Instant?
  /// Of the present turn, while a tick was being sent.
  private var receivedInTick = Interval.zero
  private var waitingEvent: MediaEvent?
  private var waitingSecond: LegSecond?

  init(
    _ configuration: WorkerThread.Configuration, ports: consuming PortPair, shared: WorkerShared
  ) throws(LinuxError) {
    self.configuration = configuration
    self.shared = shared
    self.ports = ports
    poll = try EventPoll()
    pause = try EventPoll()
    pacing = ReceivePacing(now: MonotonicClock.now())
    foreign = ForeignSockets(configuration.links?.sockets)
    backlog = LinkBacklog(configuration.links, own: configuration.worker.worker)
    try poll.add(self.ports.media.descriptor, token: Self.mediaToken)
    try poll.add(self.ports.control.descriptor, token: Self.controlToken)
    try poll.add(shared.commandsReady.descriptor, token: Self.commandToken)
  }

  func run() {
    if configuration.realtimePriority > 0 {
      do throws(LinuxError) {
        try PinnedThread.makeRealtime(priority: configuration.realtimePriority)
        shared.grants.withLock { $0.isRealtime = true }
      } catch {}  // not granted, as the grants say
    }
    let byteCount = PacketPool.byteCount(capacity: configuration.worker.limits.packets)
    do throws(LinuxError) {
      let memory = try NUMAMemory(byteCount: byteCount, lock: configuration.locksMemory)
      shared.grants.withLock {
        $0.memoryBytes = memory.byteCount
        $0.isNodeLocal = memory.isNodeLocal
        $0.hugeBytes = memory.hugeBytes
        $0.isLocked = memory.isLocked
      }
      unsafe run(memory: memory.address)
    } catch {
      unsafe run(memory: nil)  // ordinary memory
    }
  }

  private func run(memory: UnsafeMutableRawPointer?) {
    shared.grants.withLock {
      $0.receiveBufferBytes = ports.media.receiveBufferBytes
      $0.receiveBufferPackets = ports.media.receiveBufferPackets
      $0.sendBufferBytes = ports.media.sendBufferBytes
    }
    var worker = unsafe MediaWorker(
      configuration: configuration.worker, now: configuration.origin ?? MonotonicClock.now(), packetMemory: memory)
    var ingress = DatagramBatch(capacity: Self.receivesPerTurn * DatagramSocket.maximumBatch)
    // Room for a BYE of each leg of the largest meeting.
    var egress = DatagramBatch(capacity: max(1024, configuration.worker.limits.legs + 64))
    shared.ready()
    var now = MonotonicClock.now()
    while !shared.isStopping.load(ordering: .acquiring), !shared.isRetired.load(ordering: .acquiring) {
      shared.turns.store(shared.turns.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
      receive(&worker, &ingress, now: now, &egress)
      takeLinks(&worker, now: now)
      let received = MonotonicClock.now()
      perform(&worker, now: now, &egress)
      advance(&worker, &ingress, now: now, &egress)
      backlog.send(&worker)
      tell(&worker)
      let finished = MonotonicClock.now()
      worker.departed(at: finished)
      worker.turned(
        receiving: received - now + receivedInTick, rest: finished - received - receivedInTick)
      receivedInTick = .zero
      wait(for: &worker, since: finished, &egress)
      now = MonotonicClock.now()
      worker.waited(now - finished)
    }
  }

  // MARK: The parts of a turn

  private func receive(
    _ worker: inout MediaWorker, _ ingress: inout DatagramBatch, now: Instant, _ egress: inout DatagramBatch
  ) {
    var calls = 0
    while calls < Self.receivesPerTurn, mediaReadable || controlReadable {
      if mediaReadable {
        let received = ports.media.receive(into: &ingress, pool: &worker.pool)
        mediaReadable = received.more
        note(received, &worker)
      }
      if controlReadable {
        let received = ports.control.receive(into: &ingress, pool: &worker.pool)
        controlReadable = received.more
        note(received, &worker)
      }
      calls += 1
    }
    pacing.received(ingress.count, now: now)
    if ingress.count > 0 { worker.receive(&ingress, now: now, into: &egress) }
  }

  private func note(_ received: DatagramSocket.Received, _ worker: inout MediaWorker) {
    if received.truncated > 0 { worker.countDrops(.tooLong, received.truncated) }
    if received.exhausted > 0 { worker.countDrops(.poolExhausted, received.exhausted) }
  }

  /// What other workers sent. Bounded by what the queues hold: whoever fills them while they are emptied waits.
  private func takeLinks(_ worker: inout MediaWorker, now: Instant) {
    guard let links = configuration.links else { return }
    let own = configuration.worker.worker
    for sender in 0..<links.workers {
      for _ in 0..<WorkerLinks.capacity {
        guard let message = links.take(from: sender, to: own) else { break }
        worker.receive(message, from: sender, now: now)
      }
    }
  }

  private func perform(_ worker: inout MediaWorker, now: Instant, _ egress: inout DatagramBatch) {
    // The rest waits for the next turn, which comes at once: a storm of calls does not hold up a tick.
    for _ in 0..<Self.commandsPerTurn {
      guard worker.acceptsCommand, let command = shared.commands.pop() else { return }
      worker.handle(command, now: now, into: &egress)
      if egress.count > egress.capacity / 2 { flush(&worker, now: now, &egress) }
    }
  }

  private func advance(
    _ worker: inout MediaWorker, _ ingress: inout DatagramBatch, now: Instant, _ egress: inout DatagramBatch
  ) {
    var chunks = 0
    while true {
      worker.advance(to: now, into: &egress, limit: Self.sendChunk)
      flush(&worker, now: now, &egress)
      guard worker.nextDeadline <= now, blockedSince == nil else { return }
      chunks += 1
      if chunks % Self.chunksBetweenReceives == 0 {
        mediaReadable = true
        controlReadable = true
        let before = MonotonicClock.now()
        receive(&worker, &ingress, now: before, &egress)
        receivedInTick = receivedInTick + (MonotonicClock.now() - before)
      }
    }
  }

  private func flush(_ worker: inout MediaWorker, now: Instant, _ egress: inout DatagramBatch) {
    guard egress.count > 0 else { return }
    var sent = ports.send(&egress, pool: &worker.pool)
    if egress.count > 0, configuration.links != nil {
      // For peers that know another worker's address.
      let rest = foreign.send(&egress, own: configuration.worker.worker, pool: &worker.pool)
      sent.failed &+= rest.failed
      sent.blocked = sent.blocked || rest.blocked
    }
    if sent.failed > 0 { worker.countDrops(.sendFailed, sent.failed) }
    if !sent.blocked {
      if blockedSince != nil { watchWritable(false) }
      blockedSince = nil
    } else if let since = blockedSince {
      guard now - since > Self.blockedLimit else { return }
      worker.countDrops(.sendFailed, egress.count)
      for index in 0..<egress.count { worker.pool.give(egress[index].buffer) }
      egress.removeAll()
      blockedSince = now
    } else {
      blockedSince = now
      watchWritable(true)
    }
  }

  private func watchWritable(_ watch: Bool) {
    poll.watchWritable(ports.media.descriptor, token: Self.mediaToken, watch)
    poll.watchWritable(ports.control.descriptor, token: Self.controlToken, watch)
  }

  private func tell(_ worker: inout MediaWorker) {
    var told = false
    while var event = waitingEvent ?? worker.takeEvent() {
      if case .report(var report) = event {
        report.cpuMicroseconds = UInt64(max(0, MonotonicClock.threadCPUTime().nanoseconds / 1_000))
        event = .report(report)
      }
      guard shared.events.push(event) else {
        waitingEvent = event
        break
      }
      waitingEvent = nil
      told = true
    }
    if told { shared.eventsReady.wake() }
    // Nobody is woken for these: the control thread looks twice a second.
    while let second = waitingSecond ?? worker.takeEvidence() {
      waitingSecond = shared.evidence.push(second) ? nil : second
      if waitingSecond != nil { break }
    }
  }

  private func wait(for worker: inout MediaWorker, since now: Instant, _ egress: inout DatagramBatch) {
    var deadline = worker.nextDeadline
    if blockedSince != nil { deadline = now + .milliseconds(1) }  // or when the socket can be written
    if waitingEvent != nil || !backlog.isEmpty { deadline = min(deadline, now + .milliseconds(1)) }
    deadline = min(deadline, now + Self.longestWait)
    if mediaReadable || controlReadable { deadline = now }
    if pacing.gathers, deadline > now, blockedSince == nil {
      // Commands wait with the datagrams; whoever pushes one finds nobody to wake.
      _ = pause.wait(timeout: min(deadline - now, ReceivePacing.gathering))
      mediaReadable = true
      controlReadable = true
      return
    }
    shared.commandsReady.prepareToWait()
    // Whoever pushed before the flag was set may not have seen it: look once more.
    if worker.acceptsCommand, let command = shared.commands.pop() {
      worker.handle(command, now: now, into: &egress)
      deadline = now
    }
    if shared.isStopping.load(ordering: .acquiring) { deadline = now }
    if let links = configuration.links, !links.isEmpty(to: configuration.worker.worker) { deadline = now }
    let ready = poll.wait(timeout: max(.zero, deadline - now))
    shared.commandsReady.finishWait()
    mediaReadable = mediaReadable || ready.isReadable(Self.mediaToken)
    controlReadable = controlReadable || ready.isReadable(Self.controlToken)
  }
}
