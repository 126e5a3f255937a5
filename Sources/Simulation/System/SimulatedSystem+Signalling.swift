//  SimulatedSystem+Signalling.swift: SIP between the nodes, over datagrams and streams, and what the cores put out.

import AVConferencing
import Conferencing
import Media
import Primitives
import SIP

extension SimulatedSystem {
  // MARK: Sending

  func send(_ bytes: [UInt8], to flow: SIPFlow, from node: SimulatedNode) {
    report.signallingPackets += 1
    report.digest(Int(truncatingIfNeeded: now.nanoseconds))
    report.digest(node.code)
    report.digest(bytes)
    note("\(node) → \(flow.remote.host) \(flow.transport.name) \(Self.summary(of: bytes))")
    guard let peer = SimulatedAddresses.node(at: flow.remote) else {
      queue.plan(.failed(node, flow), at: now)
      return
    }
    if flow.transport == .udp {
      let local = address(of: node)
      let arriving = SIPFlow(transport: .udp, local: flow.remote, remote: local)
      let fate = network.fate(.signalling, from: node, to: peer, now: now)
      if let first = fate.first { queue.plan(.datagram(to: peer, bytes, arriving), at: first) }
      if let second = fate.second { queue.plan(.datagram(to: peer, bytes, arriving), at: second) }
    } else {
      sendOnStream(bytes, to: flow, from: node, peer: peer)
    }
  }

  private func sendOnStream(_ bytes: [UInt8], to flow: SIPFlow, from node: SimulatedNode, peer: SimulatedNode) {
    if let (number, end) = streams.find(flow, of: node) {
      streams.remember(flow, number, end)
      if streams[number]?.isOpen == true {
        transmit(bytes, on: number, fromEnd: end)
      } else {
        streams[number]?.waiting.append(bytes)
      }
    } else if flow.connection != 0 {
      queue.plan(.failed(node, flow), at: now)
    } else {
      let number = streams.open(from: node, local: address(of: node), to: peer, remote: flow.remote)
      streams.remember(flow, number, 0)
      streams[number]?.waiting.append(bytes)
      switch network.streamFate(from: node, to: peer, after: now, now: now) {
      case .arrives(let at): queue.plan(.opened(number), at: at)
      case .breaks(let at): closeBoth(number, at: at)
      }
    }
  }

  private func transmit(_ bytes: [UInt8], on number: Int, fromEnd end: Int) {
    guard let connection = streams[number] else { return }
    for piece in network.fragments(of: bytes) {
      let last = streams[number]?.ends[end].lastArrival ?? now
      let fate = network.streamFate(
        from: connection.ends[end].node, to: connection.ends[1 - end].node, after: last, now: now)
      switch fate {
      case .arrives(let at):
        streams[number]?.ends[end].lastArrival = at
        queue.plan(.segment(number, toEnd: 1 - end, piece), at: at)
      case .breaks(let at):
        closeBoth(number, at: at)
        return
      }
    }
  }

  func closeBoth(_ number: Int, at instant: Instant) {
    queue.plan(.closed(number, end: 0), at: instant)
    queue.plan(.closed(number, end: 1), at: instant)
  }

  private func address(of node: SimulatedNode) -> SocketAddress {
    switch node {
    case .frontEnd: SimulatedAddresses.frontEnd
    case .host(let number): SimulatedAddresses.host(number)
    case .phone(let number): SimulatedAddresses.phone(number)
    }
  }

  /// Start line and CSeq.
  static func summary(of bytes: [UInt8]) -> String {
    guard let message = try? SIPMessage(parsing: bytes) else { return "\(bytes.count) bytes" }
    let start = String(decoding: bytes.prefix { $0 != 13 }, as: UTF8.self)
    return "\(start) [\(message.first(.cseq) ?? "")] \(message.callID.prefix(8))"
  }

  // MARK: Arriving

  func opened(_ number: Int) {
    guard let connection = streams[number], !connection.ends[0].isClosed else { return }
    guard isAlive(connection.ends[1].node) else {
      _ = streams.close(number, end: 1)
      closed(number, end: 0)
      return
    }
    streams[number]?.isOpen = true
    streams[number]?.waiting = []
    for bytes in connection.waiting { transmit(bytes, on: number, fromEnd: 0) }
  }

  /// Bytes of a stream: whole messages go to the core.
  func deliver(_ bytes: [UInt8], on number: Int, toEnd end: Int) {
    guard let connection = streams[number], !connection.ends[end].isClosed else { return }
    let node = connection.ends[end].node
    guard isAlive(node) else { return }
    streams[number]?.ends[end].framer.append(bytes)
    while true {
      do {
        guard let item = try streams[number]?.ends[end].framer.next() else { return }
        if case .message(let message) = item { deliver(message, from: connection.ends[end].flow, to: node) }
      } catch {
        return violate("a stream to \(node) cannot be framed: \(error)")
      }
    }
  }

  func closed(_ number: Int, end: Int) {
    guard let node = streams[number]?.ends[end].node else { return }
    for flow in streams.close(number, end: end) { fail(flow, at: node) }
  }

  func fail(_ flow: SIPFlow, at node: SimulatedNode) {
    guard isAlive(node) else { return }
    note("\(node): \(flow.transport.name) to \(flow.remote.host) failed")
    switch node {
    case .frontEnd:
      var outputs: [ConferencingOutput] = []
      frontEnd.transportFailed(flow, now: now, into: &outputs)
      perform(outputs)
    case .host(let number):
      var outputs: [AVConferencingOutput] = []
      hosts[number].with { $0.transportFailed(flow, now: now, into: &outputs) }
      perform(outputs, of: number)
    case .phone(let number):
      var outputs: [VirtualPhonesOutput] = []
      phones[number].with { $0.transportFailed(flow, now: now, into: &outputs) }
      perform(outputs, of: number)
    }
  }

  func deliver(_ bytes: [UInt8], from flow: SIPFlow, to node: SimulatedNode) {
    guard isAlive(node) else { return }
    switch node {
    case .frontEnd:
      var outputs: [ConferencingOutput] = []
      frontEnd.receive(bytes, from: flow, now: now, into: &outputs)
      perform(outputs)
    case .host(let number):
      var outputs: [AVConferencingOutput] = []
      hosts[number].with { $0.receive(bytes, from: flow, now: now, into: &outputs) }
      perform(outputs, of: number)
    case .phone(let number):
      var outputs: [VirtualPhonesOutput] = []
      phones[number].with { $0.receive(bytes, from: flow, now: now, into: &outputs) }
      perform(outputs, of: number)
    }
  }

  // MARK: What the cores put out

  func perform(_ outputs: [ConferencingOutput]) {
    for output in outputs {
      switch output {
      case .transmit(let bytes, let flow): send(bytes, to: flow, from: .frontEnd)
      case .record(let record): keep(record)
      case .log(let event):
        note("front end: \(event.what)")
        if case .unreadableDocument = event.what { violate("the front end cannot read a media host's document") }
      }
    }
    planWake(.frontEnd)
  }

  private func keep(_ record: ConferenceRecord) {
    switch record {
    case .conferenceStarted(let name, _, _):
      if !recordedConferences.insert("\(name)").inserted { violate("conference \(name) is recorded twice") }
    case .conferenceEnded(let name, _, _):
      if recordedConferences.remove("\(name)") == nil { violate("conference \(name) ends without a beginning") }
    case .participantJoined(let name, let id, _, _):
      if !recordedParticipants.insert("\(name)/\(id)").inserted { violate("\(name)/\(id) is recorded twice") }
    case .participantLeft(let name, let id, _, _, _):
      if options.fault == .lostRecord, !faultIsDone {
        faultIsDone = true
        return
      }
      if recordedParticipants.remove("\(name)/\(id)") == nil { violate("\(name)/\(id) leaves without having joined") }
    case .conferencePlaced, .participantRefused: break
    }
  }

  func perform(_ outputs: [AVConferencingOutput], of number: Int) {
    for output in outputs {
      switch output {
      case .transmit(let bytes, let flow): send(bytes, to: flow, from: .host(number))
      case .media(let worker, let command):
        guard hosts[number].workers.indices.contains(worker) else {
          violate("a command for worker \(worker), which host \(number) does not have")
          continue
        }
        hosts[number].workers[worker].commands.append(command)
        planTurn(hosts[number].workers[worker])
      case .log(let event):
        note("host \(number): \(event)")
        judge(event, number)
      }
    }
    planWake(.host(number))
  }

  private func judge(_ event: AVConferencingLogEvent, _ number: Int) {
    switch event {
    case .workerRefused(let leg, let refusal):
      violate("a worker of host \(number) refuses leg \(leg.rawValue): \(refusal)")
    case .workerLate(let worker, let leg): violate("worker \(number).\(worker) never answers about leg \(leg.rawValue)")
    case .untrustedPeer(let peer, let method): violate("host \(number) does not trust \(peer.host) (\(method))")
    case .overloaded: violate("host \(number) is overloaded")
    default: break
    }
  }

  func perform(_ outputs: [VirtualPhonesOutput], of number: Int) {
    let phone = phones[number]
    for output in outputs {
      switch output {
      case .transmit(let bytes, let flow): send(bytes, to: flow, from: .phone(number))
      case .connected(let call, let negotiated, _):
        guard phone.call == call || phone.state == .calling else { continue }
        guard let voice = voice(of: number), phone.connected(negotiated, voice: voice) else {
          violate("phone \(number) has no usable media")
          continue
        }
        connected(phone)
      case .refused(let call, let status, let warning):
        guard phone.call == call else { continue }
        note("phone \(number) refused: \(status) \(warning ?? "")")
        report.callsRefused += 1
        if options.isPeaceful { violate("phone \(number) is refused with \(status) without a reason") }
        leave(phone)
      case .ended(let call, let byPeer):
        guard phone.call == call else { continue }
        note("phone \(number) ended\(byPeer ? " by the system" : "")")
        report.callsEnded += 1
        if byPeer, options.isPeaceful { violate("phone \(number) is sent away without a reason") }
        leave(phone)
      }
    }
    planWake(.phone(number))
  }

  /// A phone that echoes speaks with another's voice.
  private func voice(of number: Int) -> PhoneVoice? {
    var speaker = number
    if case .echo(let original, let echoing)? = options.fault, echoing == number { speaker = original }
    return voices.voice(of: speaker, codec: options.phones[number].codec)
  }

  private func connected(_ phone: SimulatedPhone) {
    change(phone.traits.meeting)
    disturb(.seconds(2))
    guard phone.state != .up else { return }
    note("phone \(phone.number) connected")
    phone.state = .up
    report.callsConnected += 1
    phone.firstFrame = now + .microseconds(random.below(20_000))
    phone.frame = 0
    queue.plan(.frame(phone.number, session: phone.session), at: phone.firstFrame)
  }

  func leave(_ phone: SimulatedPhone) {
    phone.forget()
    change(phone.traits.meeting)
    disturb(.seconds(2))
  }
}
