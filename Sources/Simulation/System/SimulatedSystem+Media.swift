//  SimulatedSystem+Media.swift: packets between phones and workers, and what ears make of them.

import AVConferencing
import Media
import Primitives
import RTP

extension SimulatedSystem {
  /// How long after a change an ear may still hear what was: path, jitter buffer and a window (200 ms), and the mixer's
  /// hold on a talker who has stopped.
  static let hearingDelay = Interval.milliseconds(1_500)

  /// Three talkers together stay below this (root mean square, full scale 1); a decoder led astray does not.
  static let loudest: Float = 0.6

  // MARK: Workers

  func planTurn(_ worker: SimulatedWorker, at instant: Instant? = nil) {
    let delay = Interval.microseconds(random.below(options.turnDelayMicroseconds))
    let due = max(instant ?? now, now) + delay
    guard due < worker.turnAt else { return }
    worker.turnAt = due
    queue.plan(.turn(worker.id), at: due)
  }

  func turn(_ id: WorkerID) {
    let host = hosts[id.host]
    guard host.isAlive, host.workers[id.worker].turnAt == now else { return }
    let worker = host.workers[id.worker]
    worker.turnAt = .never
    if options.fault == .skippedSequence, isCalm, !faultIsDone {
      faultIsDone = true
      skipsPacket = true
    }
    if options.fault == .leakedBuffer, isCalm { worker.leakBuffer() }
    let (sent, links, events, faults) = worker.turn(now: now, skipsPacket: &skipsPacket)
    for fault in faults { violate(fault) }
    for datagram in sent { send(datagram, from: worker) }
    for (receiver, message) in links {
      guard host.workers.indices.contains(receiver) else {
        violate("\(id) sends to worker \(receiver), which is not there")
        continue
      }
      report.linkMessages += 1
      host.workers[receiver].links.append((id.worker, message))
      if message.isUrgent { planTurn(host.workers[receiver]) }
    }
    var outputs: [AVConferencingOutput] = []
    for event in events {
      host.with { $0.handle(event, worker: id.worker, now: now, into: &outputs) }
    }
    if !events.isEmpty { perform(outputs, of: id.host) }
    if worker.nextDeadline != .never || !worker.commands.isEmpty {
      planTurn(worker, at: worker.commands.isEmpty ? worker.nextDeadline : now)
    }
  }

  private func send(_ datagram: SimulatedDatagram, from worker: SimulatedWorker) {
    report.mediaPackets += 1
    report.digest(Int(truncatingIfNeeded: now.nanoseconds))
    report.digest(datagram.bytes)
    guard case .phone(let number)? = SimulatedAddresses.node(at: datagram.peer), phones.indices.contains(number) else {
      return violate("\(worker.id) sends to \(datagram.peer.host), where nobody is")
    }
    let fate = network.fate(.media, from: .host(worker.id.host), to: .phone(number), now: now)
    var arriving = datagram
    arriving.peer = worker.mediaAddress.with(port: SimulatedAddresses.mediaPort &+ UInt16(datagram.socket))
    if let first = fate.first { queue.plan(.mediaToPhone(number, arriving), at: first) }
    if let second = fate.second { queue.plan(.mediaToPhone(number, arriving), at: second) }
  }

  func deliver(_ datagram: SimulatedDatagram, to id: WorkerID) {
    guard hosts[id.host].isAlive else { return }
    let worker = hosts[id.host].workers[id.worker]
    worker.inbox.append(datagram)
    planTurn(worker)
  }

  // MARK: Phones

  func sendFrame(of number: Int, session: Int) {
    let phone = phones[number]
    guard phone.isAlive, phone.session == session, phone.state == .up, let audio = phone.audio else { return }
    defer {
      phone.frame += 1
      queue.plan(.frame(number, session: session), at: phone.firstFrame + .milliseconds(20) * phone.frame)
    }
    var bytes = [UInt8](repeating: 0, count: 2_048)
    if audio.sends {
      let frame = phone.frame
      let talking = phone.isTalking
      let count = unsafe bytes.withUnsafeMutableBytes { raw -> Int? in
        var space = unsafe raw.mutableBytes
        return audio.packet(frame: frame, talking: talking, into: &space)
      }
      if let count { send(Array(bytes[..<count]), from: phone, to: audio.remoteMedia, socket: 0) }
    } else {
      audio.pause()
    }
    guard phone.frame % 250 == 50 else { return }
    let time = now
    let count = unsafe bytes.withUnsafeMutableBytes { raw -> Int? in
      var space = unsafe raw.mutableBytes
      return audio.control(now: time, clock: SimulatedAddresses.clock, into: &space)
    }
    guard let count else { return }
    send(Array(bytes[..<count]), from: phone, to: audio.remoteControl, socket: audio.rtcpMux ? 0 : 1)
  }

  private func send(_ bytes: [UInt8], from phone: SimulatedPhone, to address: SocketAddress, socket: UInt8) {
    report.mediaPackets += 1
    report.digest(phone.number)
    report.digest(bytes)
    guard case .host(let number)? = SimulatedAddresses.node(at: address), hosts.indices.contains(number) else {
      return violate("phone \(phone.number) is to send to \(address.host), where no media host is")
    }
    let offset = Int(address.port) - Int(SimulatedAddresses.mediaPort)
    guard offset >= 0, offset / 2 < options.workersPerHost else {
      return violate("phone \(phone.number) is to send to port \(address.port), which no worker has")
    }
    let id = WorkerID(host: number, worker: offset / 2)
    let datagram = SimulatedDatagram(
      bytes: bytes, socket: UInt8(offset), peer: phone.media.with(port: phone.media.port &+ UInt16(socket)))
    let fate = network.fate(.media, from: .phone(phone.number), to: .host(number), now: now)
    if let first = fate.first { queue.plan(.mediaToWorker(id, datagram), at: first) }
    if let second = fate.second { queue.plan(.mediaToWorker(id, datagram), at: second) }
  }

  func deliver(_ datagram: SimulatedDatagram, toPhone number: Int) {
    let phone = phones[number]
    if options.fault == .deafened(number) { return }
    guard phone.isAlive, let audio = phone.audio else { return }
    var bytes = datagram.bytes
    let time = now
    unsafe bytes.withUnsafeMutableBytes { raw in
      var space = unsafe raw.mutableBytes
      audio.receive(&space, count: space.byteCount, now: time)
    }
    if let window = audio.takeWindow() { judge(window, of: phone) }
  }

  // MARK: Hearing

  /// What one phone heard in 200 ms: nobody but talkers of his meeting, and never himself.
  private func judge(_ window: Ear.Window, of phone: SimulatedPhone) {
    report.windowsJudged += 1
    let own: UInt32 = 1 << UInt32(phone.number)
    let meeting = pilots { $0.traits.meeting == phone.traits.meeting && $0.number != phone.number }
    // What could be heard in the time that the window looks back on.
    let isStable = now - changedAt[phone.traits.meeting] > Self.hearingDelay
    let expected = pilots { $0.traits.meeting == phone.traits.meeting && $0.number != phone.number && $0.isHeard }
    let foreign = window.pilots & ~(isStable ? expected : meeting)
    // Concealment of losses may sound like anybody for a moment, but not for two windows.
    let certain = network.options.isFaithful ? foreign : foreign & phone.suspects
    phone.suspects = foreign
    if certain != 0 { note("phone \(phone.number)'s window: \(names(window.pilots)), level \(window.level)") }
    if certain & own != 0 { violate("phone \(phone.number) hears itself") }
    if certain & ~meeting & ~own != 0 {
      violate("phone \(phone.number) hears \(names(certain & ~meeting & ~own)) of another meeting")
    }
    if certain & meeting != 0 {
      violate("phone \(phone.number) hears \(names(certain & meeting)), who do not talk")
    }
    if network.options.isFaithful, window.level > Self.loudest {
      violate("phone \(phone.number) hears noise of level \(window.level)")
    }
    guard isStable else { return }
    if network.options.isFaithful, expected & ~window.pilots != 0, now > unsettledUntil || isCalm {
      violate(
        "phone \(phone.number) does not hear \(names(expected & ~window.pilots)); it hears \(names(window.pilots))")
    }
    if isCalm {
      report.windowsInCalm += 1
      phone.windowsInCalm += 1
    }
  }

  func pilots(where isIn: (SimulatedPhone) -> Bool) -> UInt32 {
    phones.reduce(0) { $0 | (isIn($1) ? 1 << UInt32($1.number) : 0) }
  }

  private func names(_ pilots: UInt32) -> String {
    (0..<32).filter { pilots >> UInt32($0) & 1 == 1 }.map { "\($0)" }.joined(separator: ", ")
  }
}
