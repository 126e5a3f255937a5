//  SimulatedSystem+Script.swift: what people and accidents do.

import AVConferencing
import Primitives
import SIP

extension SimulatedSystem {
  func start(_ host: SimulatedHost) {
    var outputs: [AVConferencingOutput] = []
    host.with { $0.start(now: now, into: &outputs) }
    perform(outputs, of: host.number)
    for worker in host.workers { planTurn(worker, at: worker.nextDeadline) }
  }

  func perform(_ event: ScriptEvent) {
    note("script: \(event)")
    switch event {
    case .call(let number): call(phones[number])
    case .hangUp(let number): hangUp(phones[number])
    case .vanish(let number): vanish(phones[number])
    case .restart(let number):
      phones[number].restart()
      change(phones[number].traits.meeting)
    case .hold(let number, let held): hold(phones[number], held)
    case .talk(let number, let talks):
      phones[number].isTalking = talks
      change(phones[number].traits.meeting)
    case .killHost(let number, let silently): kill(hosts[number], silently: silently)
    case .startHost(let number):
      disturb(.seconds(8))
      hosts[number].restart(now: now)
      start(hosts[number])
    case .breakStreams(let number):
      disturb(.seconds(8))
      for connection in streams.connections(of: .host(number)) {
        queue.plan(.closed(connection, end: 0), at: now + .microseconds(random.below(3_000)))
        queue.plan(.closed(connection, end: 1), at: now + .microseconds(random.below(3_000)))
      }
    case .partition(let from, let to, let path, let length):
      disturb(length + .seconds(8))
      for meeting in changedAt.indices { change(meeting) }
      network.add(Partition(from: from, to: to, path: path, until: now + length))
    case .heal:
      network.heal()
      disturb(.seconds(2))
      for meeting in changedAt.indices { change(meeting) }
    case .calm: isCalm = true
    case .endOfCalm:
      checkCalm()
      isCalm = false
    case .shutDownHosts:
      for host in hosts where host.isAlive {
        var outputs: [AVConferencingOutput] = []
        host.with { $0.shutDown(now: now, into: &outputs) }
        perform(outputs, of: host.number)
      }
    }
  }

  private func call(_ phone: SimulatedPhone) {
    guard phone.isAlive, phone.state == .idle else { return }
    disturb(.seconds(2))
    phone.state = .calling
    let flow = SIPFlow(
      transport: phone.traits.transport, local: phone.signalling, remote: SimulatedAddresses.frontEnd)
    let target = "sip:m\(phone.traits.meeting)@\(SimulatedAddresses.frontEnd.host)"
    var outputs: [VirtualPhonesOutput] = []
    let media = phone.media
    phone.call = phone.with { $0.call(target, over: flow, media: media, now: now, into: &outputs) }
    perform(outputs, of: phone.number)
  }

  private func hangUp(_ phone: SimulatedPhone) {
    guard phone.isAlive, let call = phone.call else { return }
    if options.fault == .swallowedGoodbye, phone.state == .up, !faultIsDone, isCalm == false, report.windowsInCalm > 0 {
      faultIsDone = true
      return
    }
    var outputs: [VirtualPhonesOutput] = []
    phone.with { $0.hangUp(call, now: now, into: &outputs) }
    perform(outputs, of: phone.number)
    // A CANCEL waits for a provisional answer; to its owner the call is over.
    if phone.call == call { leave(phone) }
  }

  private func vanish(_ phone: SimulatedPhone) {
    guard phone.isAlive else { return }
    phone.isAlive = false
    if phone.isHeld || phone.wantsHold { lingering.insert(phone.number) }
    phone.forget()
    phone.wakeAt = .never
    change(phone.traits.meeting)
    disturb(options.mediaTimeout + .seconds(3))
    for connection in streams.connections(of: .phone(phone.number)) {
      closeBoth(connection, at: now + .milliseconds(1))
    }
  }

  private func hold(_ phone: SimulatedPhone, _ held: Bool) {
    guard phone.isAlive, phone.state == .up, let call = phone.call else { return }
    disturb(.seconds(2))
    change(phone.traits.meeting)
    phone.wantsHold = held
    var outputs: [VirtualPhonesOutput] = []
    phone.with { $0.hold(call, held, now: now, into: &outputs) }
    perform(outputs, of: phone.number)
  }

  private func kill(_ host: SimulatedHost, silently: Bool) {
    guard host.isAlive else { return }
    host.isAlive = false
    host.wakeAt = .never
    disturb(.seconds(silently ? 28 : 8))
    for meeting in changedAt.indices { change(meeting) }
    for connection in streams.connections(of: .host(host.number)) {
      // Silently: only who sends something finds out, by TCP's own patience.
      closeBoth(connection, at: now + (silently ? .seconds(20) : .milliseconds(1)))
    }
  }
}
