//  MediaWorker+Relocation.swift: meetings go from one worker of a host to another, between two of their ticks, and nobody hears it.
//  Walk: MediaCommand.moveMeeting → takeOut → MeetingParcel ⇢ install; then DatagramRouter → forward ⇢ receive

import MediaTransport
import Primitives
import RTP

extension MediaWorker {
  /// What moves, comes and goes between ticks.
  mutating func relocate(now: Instant, into egress: inout DatagramBatch) {
    guard !mixer.isBusy else { return }
    settleArrivals(now: now, into: &egress)
    if relocation.departAt <= now { performDepartures(now: now) }
    forgetSettled(now: now)
  }

  // MARK: Leaving

  /// Notes that a meeting is to leave; it does so at the next good moment.
  mutating func moveMeeting(_ id: MeetingID, to worker: Int, now: Instant) {
    let isPossible =
      meetingSlots[id.rawValue] != nil && worker != configuration.worker && worker >= 0
      && worker < MediaWorkerLimits.workers
    guard isPossible, relocation.leaving.append(Departure(meeting: id, worker: worker, asked: now)) else {
      relocation.tell(.stayed(id))
      return
    }
    relocation.departAt = min(relocation.departAt, now)
  }

  /// Lets go of the meetings that are to leave, where their next tick is far enough away.
  ///
  /// - Precondition: no tick is under way, and everything in `egress` is protected.
  mutating func performDepartures(now: Instant) {
    guard relocation.missed.count == 0 else { return }
    relocation.departAt = .never
    var index = 0
    while index < relocation.leaving.count {
      let departure = relocation.leaving[index]
      guard let slot = meetingSlots[departure.meeting.rawValue] else {
        relocation.leaving.swapRemove(at: index)
        relocation.tell(.stayed(departure.meeting))
        continue
      }
      let due = schedule.due(of: nextStep(of: slot))
      let isTime = due - now >= RelocationState.margin || now - departure.asked >= RelocationState.patience
      guard isTime, !outbox.isFull else {
        // After that tick, or when the shell has emptied the outbox.
        relocation.departAt = min(
          relocation.departAt, isTime ? now + .milliseconds(1) : max(due, now + .microseconds(1)))
        index += 1
        continue
      }
      relocation.leaving.swapRemove(at: index)
      guard hasRoomToForward(meetings[slot].legs.count) else {
        relocation.tell(.stayed(departure.meeting))
        continue
      }
      let parcel = takeOut(slot, to: departure.worker)
      var message = LinkMessage(.meeting)
      message.meeting = departure.meeting.rawValue
      message.word = parcel.handle
      sendLink(message, to: departure.worker)
      relocation.tell(.left(departure.meeting, departure.worker))
    }
  }

  private mutating func hasRoomToForward(_ count: Int) -> Bool {
    if relocation.forwarding == nil {
      relocation.forwarding = Forwarding(
        limit: 2 * configuration.limits.legs, seed: random.next())
    }
    return (relocation.forwarding?.room ?? 0) >= count
  }

  /// The step of a meeting's next tick.
  private func nextStep(of slot: Int) -> Int64 {
    var step = schedule.nextStep(ofPhase: meetings[slot].phase)
    // Where its phase has moved, or this worker is behind the one that it came from.
    let phases = Int64(TickSchedule.phases)
    let had = meetings[slot].lastTick
    if step / phases <= had { step = (had &+ 1) &* phases &+ Int64(meetings[slot].phase) }
    return step
  }

  /// Takes a meeting and its legs out of every table of this worker.
  private mutating func takeOut(_ slot: Int, to worker: Int) -> MeetingParcel {
    let step = nextStep(of: slot)
    forgetReport(of: slot)
    unlinkMeeting(slot)
    schedule.remove(slot, &meetings)
    meetingSlots.remove(meetings[slot].id.rawValue)
    var meeting = meetings.remove(slot)
    meeting.next = -1
    meeting.previous = -1
    var legPlaces: [Int32: Int32] = [-1: -1]
    var encoderPlaces: [Int32: Int32] = [-1: -1]
    var held = 0
    for place in 0..<meeting.legs.count {
      legPlaces[meeting.legs[place]] = Int32(truncatingIfNeeded: place)
      held += legs[Int(meeting.legs[place])].audio.heldPackets
    }
    meeting.eachEncoder { encoderPlaces[$0] = Int32(truncatingIfNeeded: encoderPlaces.count - 1) }
    let slots = legPlaces.filter { $0.key >= 0 }.sorted { $0.value < $1.value }.map { Int($0.key) }
    let groups = encoderPlaces.filter { $0.key >= 0 }.sorted { $0.value < $1.value }.map { Int($0.key) }
    meeting.renumber(legs: { legPlaces[$0] ?? -1 }, encoders: { encoderPlaces[$0] ?? -1 })
    let parcel = MeetingParcel(
      meeting, legs: slots.count, encoders: groups.count, packets: held,
      tick: step / Int64(TickSchedule.phases), due: schedule.due(of: step), timelines: counters.timelines)
    for leg in slots {
      depart(leg, router.flows(of: leg, legs), to: worker)
      forgetNews(of: leg)
      router.remove(leg, &legs)
      legSlots.remove(legs[leg].id.rawValue)
      var moved = legs.remove(leg)
      moved.news.isListed = false
      moved.moves &+= 1
      moved.lastWorker = configuration.worker
      moved.encoder = Int(encoderPlaces[Int32(truncatingIfNeeded: moved.encoder)] ?? -1)
      countLost(moved.audio.relocate(from: &pool, to: &parcel.packets))
      _ = parcel.legs.insert(moved)
    }
    for group in groups {
      var encoder = encoders.remove(group)
      encoder.owner = Int(legPlaces[Int32(truncatingIfNeeded: encoder.owner)] ?? -1)
      encoder.source.renumber({ legPlaces[$0] ?? -1 }, shift: 0)
      _ = parcel.encoders.insert(encoder)
    }
    relocation.forwardingChanged()
    return parcel
  }

  private mutating func countLost(_ packets: Int) {
    for _ in 0..<packets { counters.drops.count(.poolExhausted) }
  }

  /// Where its peer's datagrams are to go from now on.
  private mutating func depart(_ slot: Int, _ flows: LegFlows, to worker: Int) {
    let (leg, moves) = (legs[slot].id, legs[slot].moves &+ 1)
    // From another worker's socket they come until that one knows better.
    _ = relocation.forwarding?.add(leg, to: worker, moves: moves)
    for index in 0..<flows.count { relocation.forwarding?.claim(flows[index], for: leg) }
  }

  // MARK: Arriving

  /// Installs what has arrived, then takes the datagrams that followed it.
  ///
  /// - Precondition: no tick is under way.
  mutating func settleArrivals(now: Instant, into egress: inout DatagramBatch) {
    if !relocation.parcels.isEmpty {
      schedule.idle(until: now)
      var parcels: [MeetingParcel] = []
      swap(&parcels, &relocation.parcels)
      for parcel in parcels { install(parcel, now: now) }
    }
    guard (relocation.inbound?.count ?? 0) > 0, var batch = relocation.inbound.take() else { return }
    receive(&batch, now: now, into: &egress)
    relocation.inbound = consume batch
  }

  private mutating func install(_ parcel: MeetingParcel, now: Instant) {
    guard let meeting = parcel.takeMeeting() else { return }
    let id = meeting.id
    let isMerged = meetingSlots[id.rawValue] != nil
    guard isMerged || !meetings.isFull, legs.limit - legs.count >= parcel.legs.count,
      encoders.limit - encoders.count >= parcel.encoders.count
    else {
      // The control core counts legs and places meetings, so that this does not happen.
      lose(parcel, id)
      return
    }
    // What is forwarded from now on must not look like what its listeners have had.
    counters.timelines = max(counters.timelines, parcel.timelines)
    let step = schedule.nearestStep(to: parcel.due)
    let shift = step / Int64(TickSchedule.phases) - parcel.tick
    if let slot = meetingSlots[id.rawValue] {
      merge(parcel, into: slot, shift: shift)
      return
    }
    let slot = meetings.insert(meeting)
    meetingSlots.set(id.rawValue, slot)
    if meetings[slot].lastTick > .min { meetings[slot].lastTick &+= shift }
    meetings[slot].phase = Int(step % Int64(TickSchedule.phases))

    var groups: [Int32] = []
    for index in 0..<parcel.encoders.end where parcel.encoders.isOccupied(index) {
      groups.append(Int32(truncatingIfNeeded: encoders.insert(parcel.encoders.remove(index))))
    }
    var slots: [Int32] = []
    for index in 0..<parcel.legs.end where parcel.legs.isOccupied(index) {
      var leg = parcel.legs.remove(index)
      leg.meeting = slot
      leg.encoder = leg.encoder >= 0 ? Int(groups[leg.encoder]) : -1
      leg.send.shift(by: shift)
      leg.evidence.lastTick = .min  // its second begins anew
      countLost(leg.audio.relocate(from: &parcel.packets, to: &pool))
      let place = legs.insert(leg)
      slots.append(Int32(truncatingIfNeeded: place))
      arrived(place)
    }
    for group in groups {
      let owner = encoders[Int(group)].owner
      encoders[Int(group)].owner = owner >= 0 ? Int(slots[owner]) : -1
      encoders[Int(group)].source.renumber({ $0 >= 0 ? slots[Int($0)] : -1 }, shift: shift)
    }
    meetings[slot].renumber(
      legs: { $0 >= 0 ? slots[Int($0)] : -1 }, encoders: { $0 >= 0 ? groups[Int($0)] : -1 })
    schedule.add(slot, &meetings)
    if meetings[slot].wantsReport { meetingsToReport.append(Int32(truncatingIfNeeded: slot)) }
    if step < schedule.step { noteMissed(id, from: step) }
    relocation.tell(.arrived(id, slots.count))
  }

  /// Another part of the same meeting joins the one that is here. Its listeners change encoders, as when a talker falls
  /// silent: the first packet from the new one does not build on those before. Its talkers begin anew with the next tick.
  private mutating func merge(_ parcel: MeetingParcel, into slot: Int, shift: Int64) {
    let id = meetings[slot].id
    var count = 0
    for index in 0..<parcel.legs.end where parcel.legs.isOccupied(index) {
      var leg = parcel.legs.remove(index)
      leg.meeting = slot
      leg.encoder = -1
      leg.talker = -1
      leg.isMixed = false
      leg.isLeaving = false
      leg.send.shift(by: shift)
      leg.evidence.lastTick = .min  // its second begins anew
      countLost(leg.audio.relocate(from: &parcel.packets, to: &pool))
      let place = legs.insert(leg)
      guard meetings[slot].legs.count < configuration.limits.legsPerMeeting, joinFormat(place, of: slot) else {
        var refused = legs.remove(place)
        refused.audio.reset(pool: &pool)
        ring.command(.closed(refused.id, refused.statistics))
        notifyClosed(refused.id, home: refused.home)
        continue
      }
      encoders[meetings[slot].formats[legs[place].format].shared].beginAnew()
      legs[place].placeInMeeting = meetings[slot].legs.count
      meetings[slot].legs.reserve(meetings[slot].legs.count + 1)
      meetings[slot].legs.append(Int32(truncatingIfNeeded: place))
      arrived(place)
      count += 1
    }
    relocation.tell(.arrived(id, count))
  }

  private mutating func arrived(_ slot: Int) {
    let (id, home, from, moves) = (legs[slot].id, legs[slot].home, legs[slot].lastWorker, legs[slot].moves)
    legSlots.set(id.rawValue, slot)
    legs[slot].evidence.before.hostDrops = hostDrops
    router.adopt(slot, &legs)
    if !legs[slot].news.isEmpty { list(slot) }
    // It may have been here before, and passed on.
    relocation.forwarding?.remove(id)
    relocation.forwardingChanged()
    guard from >= 0, from != home else { return }
    if home == configuration.worker {
      notify(RelocationNotice(kind: .settled, receiver: from, leg: id, moves: moves))
    } else {
      // Only now that it is here: what its home sends here must not come before it.
      notify(
        RelocationNotice(
          kind: .moved, receiver: home, leg: id, place: UInt16(truncatingIfNeeded: from), moves: moves))
    }
  }

  private mutating func lose(_ parcel: MeetingParcel, _ id: MeetingID) {
    for index in 0..<parcel.legs.end where parcel.legs.isOccupied(index) {
      let leg = parcel.legs.remove(index)
      ring.command(.closed(leg.id, leg.statistics))
      notifyClosed(leg.id, home: leg.home)
    }
    relocation.tell(.lost(id))
  }

  /// Ticks that fell due on the way are made up for, not more than of any meeting that is late.
  private mutating func noteMissed(_ id: MeetingID, from step: Int64) {
    let phases = Int64(TickSchedule.phases)
    let missed = (schedule.step - step + phases - 1) / phases
    let skipped = max(0, missed - Int64(configuration.limits.ticksToCatchUp))
    counters.lateTicks &+= UInt64(skipped)
    relocation.missed.append(MissedTick(meeting: id, step: step + skipped * phases))
  }

  /// Runs the ticks that arrived meetings have missed, each as if it were then.
  ///
  /// - Returns: `false` when `egress` filled up before the end.
  mutating func makeUp(now: Instant, into egress: inout DatagramBatch, limit: Int) -> Bool {
    // A tick of its own that is under way comes first.
    guard !mixer.isBusy || relocation.interrupted != nil else { return true }
    while relocation.missed.count > 0 {
      let last = relocation.missed.count &- 1
      let missed = relocation.missed[last]
      let present = relocation.interrupted ?? schedule
      guard let slot = meetingSlots[missed.meeting.rawValue], missed.step < present.step else {
        _ = relocation.missed.popLast()
        continue
      }
      if relocation.interrupted == nil {
        relocation.interrupted = schedule
        schedule.rewind(to: missed.step)
        mixer.begin(slot)
      }
      guard tick(slot, now: now, into: &egress, limit: limit) else { return false }
      latency.tickDone(due: schedule.due, meeting: slot, tick: schedule.tick)
      meetings[slot].lastTick = schedule.tick
      mixer.begin(-1)
      schedule = present
      relocation.interrupted = nil
      relocation.missed[last].step &+= Int64(TickSchedule.phases)
    }
    return true
  }

  // MARK: Datagrams of legs that have left

  /// Sends a datagram on if its source belongs to a leg that is elsewhere; its buffer is then free again.
  mutating func forward(_ datagram: Datagram, now: Instant) -> Bool {
    let flow = Flow(address: datagram.peer, socket: datagram.socket)
    guard let worker = relocation.forwarding?.worker(of: flow) else { return false }
    if !send(datagram, to: worker, now: now) { counters.drops.count(.queueFull) }
    pool.give(datagram.buffer)
    return true
  }

  /// A datagram that no leg here answers to may come from the peer of one that has left, from a new address.
  mutating func forwardUnknown(_ datagram: Datagram, now: Instant) -> Bool {
    // What was sent on to here goes no further: it would go round.
    guard Int(datagram.socket >> 1) == configuration.worker, relocation.mayForwardUnknown(now: now) else {
      return false
    }
    var receivers = 0
    for worker in 0..<MediaWorkerLimits.workers where receivers < RelocationState.unknownReceivers {
      guard (relocation.forwarding?.emigrants(on: worker) ?? 0) > 0 else { continue }
      if send(datagram, to: worker, now: now) { receivers &+= 1 }
    }
    guard receivers > 0 else { return false }
    pool.give(datagram.buffer)
    return true
  }

  private mutating func send(_ datagram: Datagram, to worker: Int, now: Instant) -> Bool {
    let count = Int(datagram.count)
    var message = LinkMessage(.datagram)
    message.socket = datagram.socket
    message.peer = datagram.peer
    message.count = datagram.count
    message.arrival = now
    var block = message.block.mutableSpan
    var bytes = unsafe block.mutableBytes
    pool.withBytes(of: datagram.buffer, count: count) { copyBytes($0, to: &bytes, at: 0) }
    counters.packetsSentOn &+= 1
    return sendLink(message, to: worker)
  }

  private mutating func forgetSettled(now: Instant) {
    guard let first = relocation.settled.first, first.until <= now else { return }
    while let settled = relocation.settled.first, settled.until <= now {
      _ = relocation.settled.pop()
      relocation.forwarding?.remove(settled.leg, upTo: settled.moves)
    }
    relocation.forwardingChanged()
  }

  // MARK: Messages

  /// A message about meetings or legs that move. Not inlined: what comes for each packet and frame counts no references.
  @inline(never)
  mutating func receiveRelocation(_ message: LinkMessage, from worker: Int, now: Instant) {
    switch message.kind {
    case .meeting:
      guard let parcel = MeetingParcel.open(message.word) else { return }
      relocation.parcels.append(parcel)
    case .datagram: receiveForwarded(message)
    case .notices: receiveNotices(message, from: worker, now: now)
    default: break
    }
  }

  private mutating func receiveForwarded(_ message: LinkMessage) {
    if relocation.inbound == nil { relocation.inbound = DatagramBatch(capacity: RelocationState.inboundMaximum) }
    guard let buffer = pool.take() else {
      counters.drops.count(.poolExhausted)
      return
    }
    let count = min(Int(message.count), LinkMessage.blockBytes)
    let block = message.block
    pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) in
      let source = unsafe block.span.bytes
      copyBytes(source.extracting(0..<count), to: &bytes, at: 0)
    }
    let datagram = Datagram(buffer: buffer, count: count, socket: message.socket, peer: message.peer)
    if relocation.inbound?.append(datagram) != true {
      pool.give(buffer)
      counters.drops.count(.queueFull)
    }
  }

  /// A message that could not be delivered: a meeting stays where it was.
  mutating func relocationFailed(_ message: LinkMessage) {
    switch message.kind {
    case .meeting:
      guard let parcel = MeetingParcel.open(message.word) else { return }
      relocation.parcels.append(parcel)
      relocation.tell(.stayed(MeetingID(rawValue: message.meeting)))
    case .datagram: counters.drops.count(.queueFull)
    default: break
    }
  }

  // MARK: Notices

  /// The leg's address has changed, or it was closed: its home is told.
  mutating func notifyClosed(_ leg: LegID, home: Int) {
    guard home != configuration.worker else { return }
    notify(RelocationNotice(kind: .closed, receiver: home, leg: leg))
  }

  /// The peer of a leg whose home is elsewhere has a new address.
  mutating func announcePath(of slot: Int) {
    legs[slot].hasNewPath = false
    let home = legs[slot].home
    guard home != configuration.worker else { return }
    let flows = router.flows(of: slot, legs)
    for index in 0..<max(1, flows.count) {
      var message = LinkMessage(.notices)
      message.flags = LinkMessage.pathNotice
      message.leg = legs[slot].id.rawValue
      message.word = UInt64(legs[slot].moves)
      // One without an address yet says at least that the leg is here.
      message.peer = index < flows.count ? flows[index].address : SocketAddress(high: 0, low: 0, port: 0)
      message.socket = index < flows.count ? flows[index].socket : legs[slot].mediaSocket
      sendLink(message, to: home)
    }
  }

  private mutating func notify(_ notice: RelocationNotice) {
    if !relocation.notices.append(notice) { counters.linkOverflow &+= 1 }
  }

  /// Puts notices into the outbox, many in a message.
  mutating func sendNotices() {
    while let last = relocation.notices.popLast() {
      guard !outbox.isFull else {
        relocation.notices.append(last)
        return
      }
      var message = LinkMessage(.notices)
      message.flags = last.kind.rawValue
      var index = relocation.notices.count
      message.add(last)
      // Notices about one leg never meet here in an order that matters: each says how often the leg had moved.
      while index > 0, message.count < LinkMessage.noticeMaximum {
        index &-= 1
        let other = relocation.notices[index]
        guard other.kind == last.kind, other.receiver == last.receiver else { continue }
        message.add(other)
        relocation.notices.swapRemove(at: index)
      }
      sendLink(message, to: last.receiver)
    }
  }

  private mutating func receiveNotices(_ message: LinkMessage, from worker: Int, now: Instant) {
    if message.flags == LinkMessage.pathNotice {
      let leg = LegID(rawValue: message.leg)
      guard Int(message.socket >> 1) == configuration.worker, legSlots[leg.rawValue] == nil else { return }
      // A leg may also be opened elsewhere that signalling has given this worker's address.
      if relocation.forwarding?.worker(of: leg) == nil {
        guard hasRoomToForward(1), relocation.forwarding?.add(leg, to: worker, moves: message.word32) == true
        else { return }
        relocation.forwardingChanged()
      }
      guard relocation.forwarding?.worker(of: leg) == worker else { return }
      relocation.forwarding?.claim(Flow(address: message.peer, socket: message.socket), for: leg)
      return
    }
    guard let kind = RelocationNotice.Kind(rawValue: message.flags) else { return }
    for index in 0..<min(Int(message.count), LinkMessage.noticeMaximum) {
      let (leg, place, moves) = message.notice(index)
      switch kind {
      case .moved:
        relocation.forwarding?.follow(leg, to: worker, moves: moves)
        notify(RelocationNotice(kind: .settled, receiver: place, leg: leg, moves: moves))
      case .settled:
        let settled = SettledLeg(leg: leg, moves: moves, until: now + RelocationState.settling)
        if !relocation.settled.push(settled) { relocation.forwarding?.remove(leg, upTo: moves) }
      case .closed: relocation.forwarding?.remove(leg)
      }
    }
    relocation.forwardingChanged()
  }
}

extension LinkMessage {
  var word32: UInt32 { UInt32(truncatingIfNeeded: word) }

  /// Of `flags`, beside `RelocationNotice.Kind`.
  static let pathNotice: UInt8 = 255
  /// Notices in one message: six values of 16 bits each, in `block`.
  static let noticeMaximum = 160
  private static let noticeWords = 6

  mutating func add(_ notice: RelocationNotice) {
    let place = Int(count) &* Self.noticeWords
    guard place &+ Self.noticeWords <= 1024 else { return }
    let id = notice.leg.rawValue
    block[place] = Int16(truncatingIfNeeded: id)
    block[place &+ 1] = Int16(truncatingIfNeeded: id >> 16)
    block[place &+ 2] = Int16(truncatingIfNeeded: notice.place)
    block[place &+ 3] = Int16(truncatingIfNeeded: notice.moves)
    block[place &+ 4] = Int16(truncatingIfNeeded: notice.moves >> 16)
    count &+= 1
  }

  func notice(_ index: Int) -> (leg: LegID, place: Int, moves: UInt32) {
    let start = index &* Self.noticeWords
    func word(_ offset: Int) -> UInt32 { UInt32(UInt16(bitPattern: block[start &+ offset])) }
    return (LegID(rawValue: word(0) | word(1) << 16), Int(word(2)), word(3) | word(4) << 16)
  }
}
