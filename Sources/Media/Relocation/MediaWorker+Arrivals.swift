//  MediaWorker+Arrivals.swift: a meeting that comes from another worker is installed, and has the ticks that it missed.
//  Walk: MeetingParcel ⇢ settleArrivals → install, or merge → makeUp

import Primitives

extension MediaWorker {
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
}
