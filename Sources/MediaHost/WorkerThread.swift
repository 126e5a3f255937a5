//  WorkerThread.swift: the shell of one MediaWorker: a pinned thread with two sockets, waiting for datagrams and deadlines.
//  Walk: DatagramSocket.receive → MediaWorker.receive → MediaWorker.advance → DatagramSocket.send

import LinuxIO
import Media
import Primitives
import Synchronization

/// Starts a worker, takes commands for it and gives its events.
///
/// `send`, `takeEvent` and `stop` belong to one control thread. It is woken through `eventsReady`, which several workers
/// may share. Everything else happens on the worker's own thread, which blocks nowhere but in its one wait.
public final class WorkerThread: @unchecked Sendable {
  // @unchecked: `thread` is set once before anyone else sees the object; the rest is immutable, atomic or a queue.

  public struct Configuration: Sendable {
    public var worker: MediaWorkerConfiguration
    /// `nil` leaves the thread to the scheduler.
    public var cpu: Int?
    /// The media port, even; control is the next one up. Port 0: the kernel chooses.
    public var address: SocketAddress
    public var sockets = DatagramSocket.Options()
    /// Keep packet memory from being swapped, where permitted.
    public var locksMemory = true
    /// SCHED_FIFO with this priority, where permitted; 0 for ordinary scheduling.
    public var realtimePriority = 0
    /// Where its ticks begin to count: the same for all workers of a host. `nil`: when the thread starts.
    public var origin: Instant?
    /// The host's other workers; `nil` when there are none.
    public var links: WorkerLinks?
    public var commandCapacity = 4096
    public var eventCapacity = 4096

    public init(worker: MediaWorkerConfiguration, cpu: Int?, address: SocketAddress) {
      self.worker = worker
      self.cpu = cpu
      self.address = address
    }
  }

  /// What the system granted.
  public struct Grants: Sendable {
    public var receiveBufferBytes = 0
    /// Voice packets that fit into it.
    public var receiveBufferPackets = 0
    public var sendBufferBytes = 0
    public var memoryBytes = 0
    public var isNodeLocal = false
    public var hugeBytes = 0
    public var isLocked = false
    public var isRealtime = false
  }

  public let number: Int
  /// Where RTP arrives; RTCP without rtcp-mux one port higher.
  public let mediaAddress: SocketAddress
  private let shared: WorkerShared
  private var thread: PinnedThread?

  /// Binds the sockets, then starts the thread and waits until its memory is there.
  ///
  /// - Throws: `.addressInUse` and the like from the sockets; `.invalid` for a CPU that does not exist.
  public init(_ configuration: Configuration, eventsReady: WakeUp) throws(LinuxError) {
    let ports = try PortPair(
      bindingTo: configuration.address, worker: configuration.worker.worker, options: configuration.sockets)
    number = configuration.worker.worker
    mediaAddress = ports.media.localAddress
    configuration.links?.sockets.register(
      number, media: ports.media.descriptor, control: ports.control.descriptor)
    let shared = try WorkerShared(configuration, eventsReady: eventsReady)
    self.shared = shared
    let loop = try WorkerLoop(configuration, ports: ports, shared: shared)
    thread = try PinnedThread(name: "worker-\(number)", cpu: configuration.cpu) { loop.run() }
    while !shared.isReady.load(ordering: .acquiring) { shared.waitUntilReady() }
  }

  /// - Returns: `false` when the queue is full: the worker is far behind; treat the host as overloaded.
  public func send(_ command: MediaCommand) -> Bool {
    guard shared.commands.push(command) else { return false }
    shared.commandsReady.wake()
    return true
  }

  public func takeEvent() -> MediaEvent? { shared.events.pop() }

  /// The oldest leg's second not yet taken. To be asked for twice a second or oftener; nobody is woken.
  public func takeEvidence() -> LegSecond? { shared.evidence.pop() }

  /// Turns of the worker's loop, ever: what stands still when the worker does.
  public var turns: UInt64 { shared.turns.load(ordering: .relaxed) }

  /// It is given up: should its thread ever turn again, it ends instead. Nobody waits for it any more.
  public func retire() {
    shared.isRetired.store(true, ordering: .releasing)
    shared.links?.retire(number)
  }

  public var grants: Grants { shared.grants.withLock { $0 } }

  /// Ends the thread, without BYEs: close the meetings first. Call once.
  public func stop() {
    shared.isStopping.store(true, ordering: .releasing)
    shared.commandsReady.wake()
    // A thread that stands still would be waited for without end.
    if !shared.isRetired.load(ordering: .acquiring) { thread?.join() }
    thread = nil
    shared.links?.sockets.remove(number)
  }
}

/// What the worker's thread and the control thread both hold.
final class WorkerShared: Sendable {
  let commands: SPSCQueue<MediaCommand>
  let events: SPSCQueue<MediaEvent>
  let evidence: SPSCQueue<LegSecond>
  let commandsReady: WakeUp
  let eventsReady: WakeUp
  let isStopping = Atomic<Bool>(false)
  let isReady = Atomic<Bool>(false)
  let isRetired = Atomic<Bool>(false)
  let links: WorkerLinks?
  /// Of the worker's loop, ever.
  let turns = Atomic<UInt64>(0)
  let grants = Mutex(WorkerThread.Grants())
  private let started: WakeUp

  init(_ configuration: WorkerThread.Configuration, eventsReady: WakeUp) throws(LinuxError) {
    commands = SPSCQueue(capacity: configuration.commandCapacity)
    events = SPSCQueue(capacity: configuration.eventCapacity)
    links = configuration.links
    let number = configuration.worker.worker
    if let links = configuration.links, links.wakeUps.indices.contains(number) {
      commandsReady = links.wakeUps[number]
    } else {
      commandsReady = try WakeUp()
    }
    evidence = SPSCQueue(capacity: configuration.worker.limits.evidence)
    started = try WakeUp()
    self.eventsReady = eventsReady
  }

  func ready() {
    isReady.store(true, ordering: .releasing)
    started.wake()
  }

  func waitUntilReady() {
    started.prepareToWait()
    if !isReady.load(ordering: .acquiring) { started.wait(timeout: .seconds(1)) }
    started.finishWait()
  }
}
