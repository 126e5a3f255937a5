//  MediaWorker.swift: one share-nothing data plane: datagrams and commands in, datagrams and events out.
//  Walk: WorkerThread → MediaWorker.receive → DatagramRouter … AudioMixer → SendStream → DatagramBatch

import MediaTransport
import Primitives
import RTP

/// All media of the meetings that one thread owns. A core: no clock, no I/O, no lock.
///
/// The shell fills a batch with buffers of `pool` and hands it to `receive`; every buffer in it then belongs to the
/// worker. What comes back in `egress` belongs to the shell, which gives the buffers back to `pool` once sent. `receive`,
/// `advance` and `departed` allocate nothing; commands may.
public struct MediaWorker: ~Copyable {
  /// Packets that go through the ciphers together: enough for ciphers that work on many at once, few enough that the
  /// packets are still in the core's caches afterwards.
  static let cipherBatch = 128
  /// Legs whose memory is asked for together.
  static let touchedAhead = 16

  public let configuration: MediaWorkerConfiguration
  /// Where all packets of this worker live.
  public var pool: PacketPool

  var legs: SlotTable<Leg>
  var meetings: SlotTable<Meeting>
  var encoders: SlotTable<EncodeGroup>
  /// Of meetings that have parts on other workers.
  var links: SlotTable<MeetingLink>
  var legSlots: FlatTable<UInt32>
  var meetingSlots: FlatTable<UInt32>
  var router: DatagramRouter
  var ciphers: SRTPCipherEngine
  var cipherQueue: SRTPQueue
  /// What `SlotTable.touch` read.
  var touched: UInt8 = 0
  /// Received and routed, not yet unprotected.
  var arrivals: BoundedList<ArrivedPacket>
  var mixer: AudioMixer
  var effort = EncodingEffort.full
  var schedule: TickSchedule
  var random: RandomSource

  var ring: EventRing
  /// Legs whose news did not fit into the ring.
  var legsWithNews: BoundedList<Int32>
  /// Meetings whose talkers changed.
  var meetingsToReport: BoundedList<Int32>

  /// What other workers of this host are to get.
  var outbox: LinkOutbox
  var relocation: RelocationState

  var counters = WorkerCounters()
  var latency: TickLatency
  /// Legs' seconds until the shell takes them.
  var evidence: BoundedQueue<LegSecond>
  /// What is left out while time is short.
  var overload = OverloadController()
  var windowStart: Instant
  var nextReport: Instant
  var report: WorkerReport?

  /// - Parameters:
  ///   - now: the origin of the worker's ticks: one moment for all workers of a host, so that ticks of the same number
  ///     and phase fall together.
  ///   - packetMemory: as in `PacketPool.init`: `PacketPool.byteCount` of `configuration.limits.packets`, or `nil`.
  public init(configuration: MediaWorkerConfiguration, now: Instant, packetMemory: UnsafeMutableRawPointer? = nil) {
    let limits = configuration.limits
    precondition(configuration.worker >= 0 && configuration.worker < MediaWorkerLimits.workers)
    self.configuration = configuration
    pool = unsafe PacketPool(capacity: limits.packets, memory: packetMemory)
    random = configuration.random
    legs = SlotTable(limit: limits.legs)
    meetings = SlotTable(limit: limits.meetings)
    encoders = SlotTable(limit: 3 * limits.legs, reserved: 16)
    links = SlotTable(limit: limits.meetings, reserved: 1)
    legSlots = FlatTable(limit: limits.legs, seed: random.next())
    meetingSlots = FlatTable(limit: limits.meetings, seed: random.next())
    router = DatagramRouter(limits: limits, seed: random.next())
    ciphers = SRTPCipherEngine(configuration.srtp)
    cipherQueue = SRTPQueue(capacity: Self.cipherBatch)
    arrivals = BoundedList(capacity: Self.cipherBatch)
    mixer = AudioMixer()
    schedule = TickSchedule(origin: now)
    ring = EventRing(limits: limits)
    legsWithNews = BoundedList(capacity: limits.legs)
    meetingsToReport = BoundedList(capacity: limits.meetings)
    outbox = LinkOutbox(capacity: limits.linkMessages)
    relocation = RelocationState(limits: limits)
    latency = TickLatency()
    evidence = BoundedQueue<LegSecond>(capacity: limits.evidence)
    windowStart = now
    nextReport = now + .seconds(1)
  }

  /// When `advance` next has something to do.
  public var nextDeadline: Instant {
    mixer.isBusy ? schedule.due : min(schedule.nextDue, min(nextReport, relocation.departAt))
  }

  /// Whether `handle` may be called: the event ring has room for all that one command may cause, and no tick waits for
  /// room in `egress`. The shell leaves commands queued meanwhile.
  public var acceptsCommand: Bool { ring.hasRoomForCommand && !mixer.isBusy && relocation.hasRoomForCommand }

  /// Legs and meetings now.
  public var legCount: Int { legs.count }
  public var meetingCount: Int { meetings.count }
  /// Packets that wait in the jitter buffers of all legs. Between turns these are all the buffers that are not free.
  public var heldPackets: Int {
    var held = 0
    for slot in 0..<legs.end where legs.isOccupied(slot) { held += legs[slot].audio.heldPackets }
    return held
  }
  /// Packets dropped since the start, by reason.
  public var drops: DropCounters { counters.drops }

  /// The counters of one leg now; `nil` when there is no such leg.
  public func statistics(of leg: LegID) -> LegStatistics? {
    guard let slot = legSlots[leg.rawValue] else { return nil }
    return legs[slot].statistics
  }

  /// Adds datagrams that the shell dropped on the worker's behalf: truncated ones, or for want of a buffer.
  public mutating func countDrops(_ reason: DropReason, _ count: Int) {
    for _ in 0..<max(0, count) { counters.drops.count(reason) }
  }

  // MARK: Time

  /// Does everything that is due at `now`. Stops early when `egress` is nearly full or holds `limit` datagrams;
  /// `nextDeadline` is then still ≤ `now`: send what is in it and call again. Between the calls datagrams may be received,
  /// so that a tick of thousands of packets does not keep the socket waiting.
  ///
  /// - Parameter egress: of at least `AudioMixer.packetsPerLeg` datagrams.
  public mutating func advance(to now: Instant, into egress: inout DatagramBatch, limit: Int = .max) {
    let first = egress.count
    relocate(now: now, into: &egress)
    if makeUp(now: now, into: &egress, limit: limit) { run(to: now, into: &egress, limit: limit) }
    protectEgress(&egress, from: first)
    sendNotices()
  }

  private mutating func run(to now: Instant, into egress: inout DatagramBatch, limit: Int) {
    schedule.idle(until: now)
    while true {
      if !mixer.isBusy {
        schedule.skipEmpty()
        guard schedule.nextDue <= now else { break }
        let skipped = schedule.catchUp(to: now, maximum: configuration.limits.ticksToCatchUp)
        counters.lateTicks &+= UInt64(skipped) &* UInt64(meetings.count)
        mixer.begin(Int(schedule.heads[schedule.phase]))
      }
      let meeting = mixer.meeting
      // One that moved to a later phase comes up twice in the same tick; one from another worker has had some before.
      if meetings[meeting].lastTick < schedule.tick {
        guard tick(meeting, now: now, into: &egress, limit: limit) else { return }
        latency.tickDone(due: schedule.due, meeting: meeting, tick: schedule.tick)
        meetings[meeting].lastTick = schedule.tick
      }
      mixer.begin(meetings[meeting].next)
      align(meeting)
      if !mixer.isBusy { schedule.stepDone() }
    }
    if now - windowStart >= OverloadController.window { judgeLoad(now: now) }
    if now >= nextReport { makeReport(now: now) }
  }

  /// Moves a meeting's next tick nearer to its talkers' packets. Where many meetings share a worker they stay spread instead:
  /// then each one's residence is chance, and the load is even.
  private mutating func align(_ meeting: Int) {
    let phase = meetings[meeting].phase
    if meetings[meeting].link >= 0 {
      // Its parts on other workers tick when it was said to.
      if phase != meetings[meeting].firstPhase { schedule.move(meeting, to: meetings[meeting].firstPhase, &meetings) }
      return
    }
    guard configuration.alignsTicks, meetings.count <= TickSchedule.phases / 2 else { return }
    guard let wanted = meetings[meeting].alignment.next(from: phase), schedule.counts[wanted] < 2 else { return }
    schedule.move(meeting, to: wanted, &meetings)
  }

  /// Tells the worker when what it put into `egress` since the last call had been handed to the kernel: the end of its
  /// ticks, which it cannot know itself. Feeds the slack and residence histograms.
  public mutating func departed(at now: Instant) {
    latency.departed(at: now, lateTicks: &counters.lateTicks, &meetings)
  }

  /// Adds to the time that the shell waited for work, for the report's `busy`.
  public mutating func waited(_ interval: Interval) {
    counters.waited = counters.waited + interval
    counters.waitedInWindow = counters.waitedInWindow + interval
  }

  /// Ticks, time and packet buffers of the last eighth of a second decide how much is left out.
  private mutating func judgeLoad(now: Instant) {
    var window = latency.takeWindow()
    let length = (now - windowStart).seconds
    // A shell that does not say when it waits leaves this out.
    if counters.waitedInWindow > .zero { window.busy = min(1, max(0, 1 - counters.waitedInWindow.seconds / length)) }
    window.free = Double(pool.available) / Double(pool.capacity)
    windowStart = now
    counters.waitedInWindow = .zero
    guard overload.observe(window, now: now) else { return }
    setEffort(
      complexity: overload.step.complexity(of: EncodingEffort.full.complexity),
      talkers: overload.step.talkers(of: configuration.limits.talkers))
  }

  /// Tells the worker where the time of a turn of the shell's loop went, for the report's `costs`.
  ///
  /// - Parameters:
  ///   - receiving: until everything that had come was received and filed.
  ///   - rest: from then until everything was sent.
  public mutating func turned(receiving: Interval, rest: Interval) {
    let ticked = counters.ticking &- counters.tickingBefore
    counters.tickingBefore = counters.ticking
    counters.costs.turns &+= 1
    counters.costs.receiveNanoseconds &+= UInt64(clamping: receiving.nanoseconds)
    let others = UInt64(clamping: rest.nanoseconds &- Int64(clamping: ticked))
    if ticked > 0 { counters.costs.sendNanoseconds &+= others } else { counters.costs.receiveNanoseconds &+= others }
  }

  private mutating func makeReport(now: Instant) {
    var report = WorkerReport()
    report.worker = configuration.worker
    report.meetings = meetings.count
    report.legs = legs.count
    report.packetsIn = counters.packetsIn
    report.packetsOut = counters.packetsOut
    report.packetsSentOn = counters.packetsSentOn
    report.legsAway = relocation.forwarding?.count ?? 0
    report.drops = counters.drops
    report.decodes = counters.decodes
    report.encodes = counters.encodes
    report.decodesByCodec = counters.decodesByCodec
    report.encodesByCodec = counters.encodesByCodec
    report.forwards = counters.forwards
    report.switches = counters.switches
    report.repairChanges = counters.repairChanges
    report.poolCapacity = pool.capacity
    report.poolAvailable = pool.available
    let second = now - nextReport + .seconds(1)
    report.busy = min(1, max(0, 1 - counters.waited.seconds / second.seconds))
    report.lateTicks = counters.lateTicks
    report.linkOverflow = counters.linkOverflow
    report.linkFramesLost = counters.linkFramesLost
    report.linkFramesLate = counters.linkFramesLate
    report.overload = overload.step
    report.overloadRaised = overload.raised
    report.overloadLowered = overload.lowered
    report.slack = latency.slack
    report.residence = latency.residence
    report.slackHistogram = latency.slackHistogram
    report.residenceHistogram = latency.residenceHistogram
    report.bytesIn = counters.bytesIn
    report.bytesOut = counters.bytesOut
    for slot in 0..<meetings.end where meetings.isOccupied(slot) {
      report.largestMeeting = max(report.largestMeeting, meetings[slot].legs.count)
    }
    counters.costs.packetsIn = counters.packetsIn
    counters.costs.packetsOut = counters.packetsOut
    counters.costs.encodes = counters.encodes
    counters.costs.tickNanoseconds =
      counters.ticking &- counters.costs.decodeNanoseconds &- counters.costs.encodeNanoseconds
    report.costs = counters.costs
    report.evidenceLost = counters.evidenceLost
    self.report = report
    counters.waited = .zero
    latency.reset()
    nextReport = max(nextReport + .seconds(1), now + .milliseconds(500))
  }
}

/// What a worker counts since its start.
struct WorkerCounters {
  var packetsIn: UInt64 = 0
  var packetsOut: UInt64 = 0
  var packetsSentOn: UInt64 = 0
  var drops = DropCounters()
  var decodes: UInt64 = 0
  var encodes: UInt64 = 0
  var decodesByCodec = CodecCounters()
  var encodesByCodec = CodecCounters()
  /// Packets taken from talkers undecoded; between them and a mix, switches of a group in mid-stream.
  var forwards: UInt64 = 0
  var switches: UInt64 = 0
  /// Legs that went to in-band FEC or back.
  var repairChanges: UInt64 = 0
  var timelines: UInt32 = 0
  var lateTicks: UInt64 = 0
  /// Messages to other workers that were lost for want of room.
  var linkOverflow: UInt64 = 0
  /// Frames of other parts' talkers that were missing when they were to be mixed, and that came after that.
  var linkFramesLost: UInt64 = 0
  var linkFramesLate: UInt64 = 0
  var bytesIn: UInt64 = 0
  var bytesOut: UInt64 = 0
  var costs = WorkerCosts()
  /// Nanoseconds of ticks until they could be sent, decoding and encoding included; and until the shell last told of a turn.
  var ticking: UInt64 = 0
  var tickingBefore: UInt64 = 0
  /// Legs' seconds that found no room.
  var evidenceLost: UInt64 = 0
  /// Since the last report.
  var waited = Interval.zero
  var waitedInWindow = Interval.zero

  mutating func decoded(_ count: UInt64, as codec: AudioCodec?) {
    decodes &+= count
    if let codec { decodesByCodec.add(count, codec) }
  }

  mutating func encoded(_ count: UInt64, as codec: AudioCodec) {
    encodes &+= count
    encodesByCodec.add(count, codec)
  }
}
