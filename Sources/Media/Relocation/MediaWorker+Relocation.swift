//  MediaWorker+Relocation.swift: meetings go from one worker of a host to another, between two of their ticks, and nobody hears it.
//  Walk: MediaCommand.moveMeeting → takeOut → MeetingParcel ⇢ (+Arrivals) install; then (+Handover) forward ⇢ receive

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

  mutating func hasRoomToForward(_ count: Int) -> Bool {
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

  mutating func countLost(_ packets: Int) {
    for _ in 0..<packets { counters.drops.count(.poolExhausted) }
  }

  /// Where its peer's datagrams are to go from now on.
  private mutating func depart(_ slot: Int, _ flows: LegFlows, to worker: Int) {
    let (leg, moves) = (legs[slot].id, legs[slot].moves &+ 1)
    // From another worker's socket they come until that one knows better.
    _ = relocation.forwarding?.add(leg, to: worker, moves: moves)
    for index in 0..<flows.count { relocation.forwarding?.claim(flows[index], for: leg) }
  }
}
