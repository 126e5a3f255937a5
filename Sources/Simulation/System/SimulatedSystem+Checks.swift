//  SimulatedSystem+Checks.swift: what must hold all the time, when things have settled, and at the end.

import Conferencing
import Media
import Primitives

extension SimulatedSystem {
  /// Every 100 ms.
  func check() {
    checkWorkers()
    checkLegs()
    if now > unsettledUntil, options.network.isFaithful { checkRosters() }
    if frontEnd.userAgentCounts.calls > 8 * phones.count + 8 * hosts.count + 16 {
      violate("the front end holds \(frontEnd.userAgentCounts.calls) calls for \(phones.count) phones")
    }
  }

  /// Buffers out and free are all the buffers there are; queues stay short.
  private func checkWorkers() {
    for host in hosts where host.isAlive {
      for worker in host.workers {
        if worker.missingBuffers != 0 { violate("\(worker.id) misses \(worker.missingBuffers) packet buffers") }
        if worker.commands.count > 256 { violate("\(worker.id) has \(worker.commands.count) commands waiting") }
        if worker.drops[.queueFull] > 0 { violate("\(worker.id) has overrun its send queue") }
        if worker.drops[.poolExhausted] > 0 { violate("\(worker.id) has run out of packet buffers") }
      }
    }
  }

  /// Every leg is in one meeting, and the legs of one meeting are of one conference.
  private func checkLegs() {
    for host in hosts where host.isAlive {
      for worker in host.workers {
        if worker.watch.legs.count != worker.legCount {
          violate("\(worker.id) has \(worker.legCount) legs and was told of \(worker.watch.legs.count)")
        }
        var conferenceOf: [MeetingID: Int] = [:]
        for leg in worker.watch.legs.values.sorted(by: { $0.id.rawValue < $1.id.rawValue }) {
          guard worker.watch.meetings.contains(leg.meeting) else {
            violate("leg \(leg.id.rawValue) of \(worker.id) is in no meeting")
            continue
          }
          guard let phone = phone(of: leg) else { continue }
          let conference = conferenceOf[leg.meeting] ?? phone.traits.meeting
          conferenceOf[leg.meeting] = conference
          if conference != phone.traits.meeting { violate("phone \(phone.number) is in a meeting with strangers") }
        }
      }
    }
  }

  private func phone(of leg: EgressWatch.Leg) -> SimulatedPhone? {
    guard case .phone(let number)? = SimulatedAddresses.node(at: leg.remoteMedia), phones.indices.contains(number)
    else {
      return nil
    }
    return phones[number]
  }

  /// Roster, legs and calls are the same people.
  func checkRosters() {
    for meeting in 0..<options.meetings {
      guard let name = ConferenceName(user: "m\(meeting)") else { continue }
      let members = phones.filter { $0.traits.meeting == meeting }
      let calls = members.filter { $0.isAlive && $0.state == .up }.map(\.number)
      let most = calls.count + members.count { lingering.contains($0.number) }
      let endpoints = frontEnd.roster(of: name)?.endpointCount ?? 0
      let joined = frontEnd.participants(of: name).count { $0.phase == .joined }
      if endpoints != joined || endpoints < calls.count || endpoints > most {
        violate(
          "meeting \(meeting): phones \(calls) are in a call, the roster has \(endpoints) endpoints, the Focus "
            + "\(joined) participants")
      }
      let legs = hosts.filter(\.isAlive).flatMap(\.workers).flatMap { worker in
        worker.watch.legs.values.compactMap { phone(of: $0) }.filter { $0.traits.meeting == meeting }.map(\.number)
      }
      let certain = { (number: Int) in !self.lingering.contains(number) }
      if legs.filter(certain).sorted() != calls.filter(certain) {
        violate("meeting \(meeting): phones \(calls) are in a call, workers have legs of \(legs.sorted())")
      }
    }
    for host in hosts where host.isAlive {
      let legs = host.workers.reduce(0) { $0 + $1.legCount }
      if host.core.counts.legs != legs {
        violate("host \(host.number) counts \(host.core.counts.legs) legs, its workers \(legs)")
      }
    }
  }

  /// The network is healed and had time: everybody hears exactly the talkers, and signalling agrees about who is there.
  func checkCalm() {
    checkRosters()
    for phone in phones where phone.isAlive && phone.state == .up && !phone.isHeld {
      let others = phones.contains {
        $0.number != phone.number && $0.traits.meeting == phone.traits.meeting && $0.isHeard
      }
      // Three seconds hold 15 windows; a jump of the timestamps may cost one.
      if others, phone.windowsInCalm < 10 {
        violate("phone \(phone.number) hears too little: \(phone.windowsInCalm) windows of 200 ms in three seconds")
      }
    }
    for phone in phones where phone.isAlive && phone.state == .calling {
      violate("phone \(phone.number) has been calling for too long")
    }
  }

  /// Everybody has left and all timers have run out.
  func checkEnd() {
    for (table, count) in frontEnd.tableSizes.sorted(by: { $0.key < $1.key }) where count != 0 {
      violate("the front end still holds \(count) \(table)")
    }
    if !frontEnd.userAgentCounts.isEmpty {
      violate("the front end's user agent still holds \(frontEnd.userAgentCounts)")
    }
    for host in hosts where host.isAlive {
      let counts = host.core.counts
      if counts.meetings + counts.legs + counts.calls + counts.subscriptions != 0 {
        violate("host \(host.number) still holds \(counts)")
      }
      if !host.core.userAgentCounts.isEmpty {
        violate("host \(host.number)'s user agent still holds \(host.core.userAgentCounts)")
      }
      for worker in host.workers {
        if worker.takenBuffers != 0 { violate("\(worker.id) still holds \(worker.takenBuffers) packet buffers") }
        if worker.legCount + worker.meetingCount != 0 {
          violate("\(worker.id) still has \(worker.legCount) legs in \(worker.meetingCount) meetings")
        }
      }
    }
    for phone in phones where phone.isAlive {
      if phone.state != .idle { violate("phone \(phone.number) is still in a call") }
      if !phone.core.userAgentCounts.isEmpty {
        violate("phone \(phone.number) still holds \(phone.core.userAgentCounts)")
      }
    }
    for participant in recordedParticipants.sorted() { violate("no record of \(participant)'s end") }
    for conference in recordedConferences.sorted() { violate("no record of the end of conference \(conference)") }
  }
}
