//  AVConferencingServer+Registration.swift: REGISTER and PUBLISH, one lease per front end (control protocol P1, P2).

import ConferenceDocuments
import Media
import Primitives
import SIP

extension AVConferencingServer {
  /// One front end, with what is under way to it.
  struct Registrar: Sendable {
    let flow: SIPFlow
    let callID: String
    var cseq: UInt32 = 0
    var registration: HostRegistration
    var registering: RequestHandle?
    var publishing: RequestHandle?
  }

  /// Feeds one registration and does what it wants.
  mutating func drive(
    _ index: Int, now: Instant, into outputs: inout [AVConferencingOutput],
    _ input: (inout HostRegistration, inout [HostRegistration.Output], inout RandomSource) -> Void
  ) {
    var wanted: [HostRegistration.Output] = []
    input(&registrars[index].registration, &wanted, &random)
    for output in wanted { perform(output, index, now: now, into: &outputs) }
  }

  mutating func drive(
    _ index: Int, now: Instant, into outputs: inout [AVConferencingOutput],
    _ input: (inout HostRegistration, inout [HostRegistration.Output]) -> Void
  ) {
    drive(index, now: now, into: &outputs) { registration, wanted, _ in input(&registration, &wanted) }
  }

  private mutating func perform(
    _ output: HostRegistration.Output, _ index: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    let frontEnd = registrars[index].flow.remote
    switch output {
    case .register(let expires):
      registrars[index].registering = agent.request(registerRequest(index, expires: expires), now: now, into: &queue)
    case .publish(let tag, let expires):
      registrars[index].publishing = agent.request(
        publishRequest(index, ifMatch: tag, expires: expires), now: now, into: &queue)
    case .registered(let expires): outputs.append(.log(.registered(frontEnd: frontEnd, expires: expires)))
    case .registrationFailed(let status, let pause):
      registrars[index].registering = nil
      registrars[index].publishing = nil
      outputs.append(.log(.registrationFailed(frontEnd: frontEnd, status: status, retryIn: pause)))
    case .active: outputs.append(.log(.active(frontEnd: frontEnd)))
    case .loadRefused(let status): outputs.append(.log(.loadRefused(frontEnd: frontEnd, status: status)))
    case .unregistered: outputs.append(.log(.unregistered(frontEnd: frontEnd)))
    }
  }

  /// A changed load is told at once.
  mutating func tellLoad(now: Instant, into outputs: inout [AVConferencingOutput]) {
    for index in registrars.indices {
      drive(index, now: now, into: &outputs) { $0.loadChanged(now: now, into: &$1) }
    }
  }

  mutating func responded(
    _ request: RequestHandle, _ message: SIPMessage, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    let answer: HostRegistration.Answer
    if (200..<300).contains(message.status) {
      answer = .success(expires: grantedExpires(message), entityTag: message.first(.sipETag))
    } else {
      answer = .failure(
        status: message.status, retryAfter: message.number(.retryAfter), minimumExpires: message.number(.minExpires))
    }
    answered(request, answer, now: now, into: &outputs)
  }

  mutating func failed(_ request: RequestHandle, now: Instant, into outputs: inout [AVConferencingOutput]) {
    answered(request, .failure(status: 0, retryAfter: nil, minimumExpires: nil), now: now, into: &outputs)
  }

  private mutating func answered(
    _ request: RequestHandle, _ answer: HostRegistration.Answer, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) {
    for index in registrars.indices {
      if registrars[index].registering == request {
        registrars[index].registering = nil
        drive(index, now: now, into: &outputs) { $0.registrationAnswered(answer, now: now, random: &$2, into: &$1) }
      } else if registrars[index].publishing == request {
        registrars[index].publishing = nil
        drive(index, now: now, into: &outputs) { $0.loadAnswered(answer, now: now, random: &$2, into: &$1) }
      }
    }
  }

  /// What the registrar granted: the `expires` of our Contact, else the Expires header (RFC 3261 §10.2.4).
  private func grantedExpires(_ message: SIPMessage) -> Int? {
    message.contactExpires ?? message.number(.expires)
  }

  // MARK: Requests

  /// Where we are to be called for control dialogs.
  var serviceURI: String { uri(user: configuration.serviceUser) }

  func uri(user: String) -> String { "sip:\(user)@\(configuration.signalling);transport=\(transportName)" }

  private var transportName: String {
    switch configuration.transport {
    case .udp: "udp"
    case .tcp: "tcp"
    case .tls: "tls"
    case .ws: "ws"
    case .wss: "wss"
    }
  }

  /// `sip:mh7@…`: this host at the factory's domain.
  private var addressOfRecord: String {
    let domain = configuration.factory.drop { $0 != "@" }.dropFirst().prefix { $0 != ";" && $0 != "?" }
    return "sip:\(configuration.name)@\(domain.isEmpty ? "mcufactory.invalid" : String(domain))"
  }

  private mutating func registerRequest(_ index: Int, expires: Int) -> OutgoingRequest {
    registrars[index].cseq &+= 1
    var request = OutgoingRequest(
      .register, target: configuration.factory, from: "<\(addressOfRecord)>", to: "<\(addressOfRecord)>",
      flow: registrars[index].flow)
    request.callID = registrars[index].callID
    request.cseq = registrars[index].cseq
    request.hasContact = true
    request.contactUser = configuration.serviceUser
    request.contactParameters =
      ";+sip.instance=\"<\(configuration.instance)>\";reg-id=1;audio;automata;+x.mcu=\"audio-video\";expires=\(expires)"
    request.headers = [HeaderField("Supported", "outbound, path"), HeaderField("Expires", String(expires))]
    return request
  }

  private mutating func publishRequest(_ index: Int, ifMatch tag: String?, expires: Int) -> OutgoingRequest {
    var request = OutgoingRequest(
      .publish, target: configuration.factory, from: "<\(addressOfRecord)>", to: "<\(configuration.factory)>",
      flow: registrars[index].flow)
    request.headers = [HeaderField("Event", "mcu-status"), HeaderField("Expires", String(expires))]
    if let tag { request.headers.append(HeaderField("SIP-If-Match", tag)) }
    guard expires > 0 else { return request }
    loadSequence &+= 1
    request.body = MessageBody(contentType: MediaServerLoad.contentType, bytes: loadDocument().encoded())
    return request
  }

  // MARK: Load

  /// Whether a leg may come now; the reason if not.
  func admission() -> AVConferencingError? {
    switch phase {
    case .shuttingDown, .shutDown: .draining(retryAfter: configuration.retryAfter)
    case .idle, .running, .draining: load.isOverloaded ? .overloaded(retryAfter: configuration.retryAfter) : nil
    }
  }

  private mutating func loadDocument() -> MediaServerLoad {
    let summary = load.summary(legs: placement.legs, available: placement.legsAvailable)
    publishedLoad = summary
    load.markPublished()
    var document = MediaServerLoad(sequence: loadSequence, id: configuration.name, serverID: configuration.name)
    let isOpen = phase == .running || phase == .idle
    document.status = isOpen ? .active : .deactivated
    document.label = configuration.name
    document.address = serviceURI
    document.activeRTP = Self.sessions(of: legs.values.map(\.negotiation.configuration))
    for meeting in meetings.values.prefix(Limits.meetingsPerLoadDocument) {
      let configurations = meeting.legs.map { legs[$0]?.negotiation.configuration }
      document.activeMixes.append(
        MediaServerLoad.ActiveMix(conferenceID: meeting.entity, codecs: Self.sessions(of: configurations)))
    }
    let hasRoom = isOpen && placement.meetings < placement.maximumMeetings
    let available = UInt32(clamping: hasRoom ? summary.legsAvailable : 0)
    document.availableMixes = [
      MediaServerLoad.AvailableMix(
        available: available,
        codecs: configuration.codecs.map {
          MediaServerLoad.CodecSessions(name: Self.mediaType(of: $0), decoding: available, encoding: available)
        })
    ]
    document.load.cpu = summary.busy
    document.load.packetsInPerSecond = UInt32(clamping: summary.packetsInPerSecond)
    document.load.packetsOutPerSecond = UInt32(clamping: summary.packetsOutPerSecond)
    document.load.lateTicks = UInt32(clamping: summary.lateTicks)
    document.load.draining = phase == .draining
    return document
  }

  private static func sessions(of configurations: [LegConfiguration?]) -> [MediaServerLoad.CodecSessions] {
    var decoding: [AudioCodec: UInt32] = [:]
    var encoding: [AudioCodec: UInt32] = [:]
    for case let configuration? in configurations {
      if configuration.receives, let format = configuration.receive.first { decoding[format.codec, default: 0] += 1 }
      if configuration.sends { encoding[configuration.send.codec, default: 0] += 1 }
    }
    return AudioCodec.allCases.compactMap { codec in
      guard decoding[codec] != nil || encoding[codec] != nil else { return nil }
      return MediaServerLoad.CodecSessions(
        name: mediaType(of: codec), decoding: decoding[codec] ?? 0, encoding: encoding[codec] ?? 0)
    }
  }

  private static func mediaType(of codec: AudioCodec) -> String {
    switch codec {
    case .opus: "audio/opus"
    case .g722: "audio/G722"
    case .pcmu: "audio/PCMU"
    case .pcma: "audio/PCMA"
    }
  }

  /// A worker's second.
  mutating func handle(
    _ report: WorkerReport, worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    let step = load.step(ofWorker: worker)
    let wasOverloaded = load.isOverloaded
    let hasChanged = load.handle(report, worker: worker, now: now)
    if load.step(ofWorker: worker) != step {
      outputs.append(
        .log(.effortChanged(worker: worker, from: step, to: load.step(ofWorker: worker), busy: report.busy)))
    }
    if hasChanged {
      if load.isOverloaded != wasOverloaded {
        outputs.append(
          .log(
            load.isOverloaded
              ? .overloaded(busy: load.busiest, lateTicks: load.lateTicks) : .recovered(busy: load.busiest)))
      }
      tellLoad(now: now, into: &outputs)
      return
    }
    tellLoadStep(now: now, into: &outputs)
  }

  /// A step of a tenth is told before its time, at most once a second.
  mutating func tellLoadStep(now: Instant, into outputs: inout [AVConferencingOutput]) {
    guard now >= loadStepCheckedAt + .seconds(1) else { return }
    let summary = load.summary(legs: placement.legs, available: placement.legsAvailable)
    guard HostLoad.isStep(from: publishedLoad, to: summary, maximumLegs: placement.maximumLegs) else { return }
    loadStepCheckedAt = now
    tellLoad(now: now, into: &outputs)
  }
}
