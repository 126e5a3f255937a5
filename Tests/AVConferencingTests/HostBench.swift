//  HostBench.swift: a media host's core, a scripted Focus and a fake worker on virtual time.

import AVConferencing
import ConferenceDocuments
import Media
import MediaTransport
import Primitives
import SDP
import SIP
import Testing

/// Carries bytes between the host's core and a Focus that is a `UserAgent`, at once and without loss; the fake worker
/// obeys at once unless told otherwise.
struct HostBench {
  static let focusAddress = SocketAddress(ipv4: 0x7f00_0001, port: 5_060)
  static let hostAddress = SocketAddress(ipv4: 0x7f00_0001, port: 5_070)
  static let entity = "sip:ann@example.com;gruu;opaque=app:conf:focus:id:K7Q2M9XA"

  var host: AVConferencingServer
  var focus: UserAgent
  var now = Instant.zero + .seconds(1_000)
  /// What the host asked of its workers, in order, since last looked at.
  var commands: [(worker: Int, command: MediaCommand)] = []
  var log: [AVConferencingLogEvent] = []
  /// What the Focus saw, in order, since last looked at.
  var events: [UserAgentEvent] = []
  var workerObeys = true
  var focusAddress = HostBench.focusAddress
  /// What the front end answers; by default it accepts everything.
  var registerStatus = 200
  var publishStatus = 200
  var frontEndAnswers = true
  var tags = 0
  var registers: [SIPMessage] = []
  var publishes: [SIPMessage] = []
  var requestID: UInt64 = 1

  init(
    frontEnd: Bool = false, workers: Int = 2, focusAddress: SocketAddress = HostBench.focusAddress, seed: UInt64 = 1,
    change: (inout AVConferencingConfiguration) -> Void = { _ in }
  ) {
    let endpoints = (0..<workers).map {
      WorkerEndpoint(media: SocketAddress(ipv4: 0x7f00_0001, port: UInt16(20_000 + 2 * $0)))
    }
    var configuration = AVConferencingConfiguration(
      name: "mh1", instance: "urn:uuid:4be0c0de-0000-4000-8000-000000000001", signalling: Self.hostAddress,
      workers: endpoints)
    configuration.factory = "sip:mcufactory@127.0.0.1"
    if frontEnd {
      configuration.frontEnds = [SIPFlow(transport: .tcp, local: Self.hostAddress, remote: Self.focusAddress)]
    }
    change(&configuration)
    host = AVConferencingServer(configuration: configuration, random: RandomSource(seed: seed))
    var agent = UserAgentConfiguration()
    agent.listen = [.tcp: focusAddress]
    agent.allowedMethods.formUnion([.register, .publish, .info])
    agent.infoPackages = ["cccp"]
    focus = UserAgent(configuration: agent, random: RandomSource(seed: seed &+ 100))
    self.focusAddress = focusAddress
  }

  var flow: SIPFlow { SIPFlow(transport: .tcp, local: focusAddress, remote: Self.hostAddress) }
  var hostFlow: SIPFlow { SIPFlow(transport: .tcp, local: Self.hostAddress, remote: focusAddress) }

  // MARK: Delivery

  mutating func pump(_ fromHost: [AVConferencingOutput], _ fromFocus: [UserAgentOutput]) {
    var fromHost = fromHost
    var fromFocus = fromFocus
    var rounds = 0
    while !fromHost.isEmpty || !fromFocus.isEmpty {
      rounds += 1
      guard rounds < 100_000 else {
        Issue.record("the two never come to rest")
        return
      }
      var nextHost: [AVConferencingOutput] = []
      var nextFocus: [UserAgentOutput] = []
      for output in fromHost {
        switch output {
        case .transmit(let bytes, let flow):
          let back = SIPFlow(transport: flow.transport, local: flow.remote, remote: flow.local)
          focus.receive(bytes, from: back, now: now, into: &nextFocus)
        case .media(let worker, let command):
          commands.append((worker, command))
          if workerObeys { obey(command, worker, into: &nextHost) }
        case .log(let event): log.append(event)
        }
      }
      for output in fromFocus {
        switch output {
        case .transmit(let bytes, let flow):
          let back = SIPFlow(transport: flow.transport, local: flow.remote, remote: flow.local)
          host.receive(bytes, from: back, now: now, into: &nextHost)
        case .event(let event): frontEnd(event, into: &nextFocus)
        }
      }
      fromHost = nextHost
      fromFocus = nextFocus
    }
  }

  private mutating func obey(_ command: MediaCommand, _ worker: Int, into outputs: inout [AVConferencingOutput]) {
    switch command {
    case .openLeg(let leg): host.handle(.legOpened(leg.leg), worker: worker, now: now, into: &outputs)
    case .closeLeg(let leg):
      host.handle(.legClosed(leg, LegStatistics()), worker: worker, now: now, into: &outputs)
    case .openMeeting, .linkMeeting, .moveMeeting, .closeMeeting, .modifyLeg, .setIngress, .setEgress: break
    }
  }

  /// The Conferencing Server Factory's side: registrations and load.
  private mutating func frontEnd(_ event: UserAgentEvent, into outputs: inout [UserAgentOutput]) {
    guard case .requested(let handle, _, let message, _) = event else {
      events.append(event)
      return
    }
    switch message.method {
    case .register:
      registers.append(message)
      guard frontEndAnswers else { return }
      focus.respond(
        to: handle, status: registerStatus,
        headers: registerStatus == 503 ? [HeaderField("Retry-After", "2")] : [HeaderField("Expires", "60")], now: now,
        into: &outputs)
    case .publish:
      publishes.append(message)
      guard frontEndAnswers else { return }
      tags += 1
      focus.respond(
        to: handle, status: publishStatus,
        headers: [HeaderField("SIP-ETag", "e\(tags)"), HeaderField("Expires", "15")],
        now: now, into: &outputs)
    case .info:
      events.append(event)
      focus.respond(to: handle, status: 200, now: now, into: &outputs)
    default: events.append(event)
    }
  }

  /// Lets time pass, stopping at every deadline of either side.
  mutating func run(_ interval: Interval) {
    let end = now + interval
    while true {
      let next = min(host.nextDeadline, focus.nextDeadline)
      guard next <= end else { break }
      now = max(now, next)
      var fromHost: [AVConferencingOutput] = []
      var fromFocus: [UserAgentOutput] = []
      host.advance(to: now, into: &fromHost)
      focus.advance(to: now, into: &fromFocus)
      pump(fromHost, fromFocus)
    }
    now = end
  }

  mutating func start() {
    var outputs: [AVConferencingOutput] = []
    host.start(now: now, into: &outputs)
    pump(outputs, [])
  }

  mutating func report(_ event: MediaEvent, worker: Int = 0) {
    var outputs: [AVConferencingOutput] = []
    host.handle(event, worker: worker, now: now, into: &outputs)
    pump(outputs, [])
  }

  /// Raw bytes to the host, as from the Focus's address or another.
  mutating func inject(_ bytes: [UInt8], from remote: SocketAddress? = nil) {
    var outputs: [AVConferencingOutput] = []
    host.receive(
      bytes, from: SIPFlow(transport: .tcp, local: Self.hostAddress, remote: remote ?? focusAddress), now: now,
      into: &outputs)
    pump(outputs, [])
  }

  // MARK: The Focus's script

  /// Performs something on the Focus's user agent and delivers what follows.
  @discardableResult
  mutating func focusDoes<Result>(_ action: (inout UserAgent, Instant, inout [UserAgentOutput]) -> Result) -> Result {
    var outputs: [UserAgentOutput] = []
    let result = action(&focus, now, &outputs)
    pump([], outputs)
    return result
  }

  func request(_ command: C3PCommand, id: UInt64) -> [UInt8] {
    C3PRequest(requestID: id, from: Self.entity, to: "sip:av@127.0.0.1", command: command).encoded()
  }

  mutating func nextID() -> UInt64 {
    requestID += 1
    return requestID
  }

  mutating func invite(
    _ target: String, body: MessageBody?, headers: [HeaderField] = [], sessionTimer: SessionTimerPolicy? = nil,
    expectsOffer: Bool = false
  ) -> CallHandle {
    var invitation = Invitation(
      target: target, from: "<\(Self.entity)>", to: "<\(target)>", flow: flow, body: body)
    invitation.headers = headers
    invitation.sessionTimer = sessionTimer
    invitation.expectsOffer = expectsOffer
    return focusDoes { $0.invite(invitation, now: $1, into: &$2) }
  }

  static let serviceURI = "sip:av@127.0.0.1:5070;transport=tcp"

  static func multipart(sdp: [UInt8]?, c3p: [UInt8]?) -> MessageBody {
    var parts: [Multipart.Part] = []
    if let sdp { parts.append(Multipart.Part(contentType: "application/sdp", body: sdp)) }
    if let c3p { parts.append(Multipart.Part(contentType: "application/cccp+xml", body: c3p)) }
    let (type, bytes) = Multipart(parts: parts).encoded()
    return MessageBody(contentType: type, bytes: bytes)
  }

  struct Control {
    var call: CallHandle
    /// The meeting's own URI on the host.
    var uri: String
    var response: C3PResponse?
  }

  /// P4: opens a meeting; fails the test when the host refuses.
  mutating func addConference(
    entity: String = HostBench.entity, change: (inout ConferenceInfo) -> Void = { _ in }
  ) throws -> Control {
    var conference = ConferenceInfo(entity: entity)
    conference.views = [ConferenceInfo.EntityView(entity: "audio-video", entityState: ConferenceInfo.EntityState())]
    change(&conference)
    let sdp = SessionDescription.withoutMedia(sessionID: 1, address: focusAddress).encoded()
    let id = nextID()
    let call = invite(
      Self.serviceURI, body: Self.multipart(sdp: sdp, c3p: request(.addConference(conference), id: id)),
      headers: [HeaderField("Recv-Info", "cccp")])
    let accepted = takeAnswer(of: call)
    let answer = try #require(accepted)
    let contact = try #require(try answer.contacts.first)
    let document = try Multipart.body(
      ofType: C3PRequest.contentType, in: answer.body, contentType: answer.first(.contentType) ?? "")
    return Control(call: call, uri: contact.uri.text, response: try document.map { try C3PResponse(parsing: $0) })
  }

  /// The 2xx to a call's INVITE, taken out of the events.
  mutating func takeAnswer(of call: CallHandle) -> SIPMessage? {
    for (index, event) in events.enumerated() {
      if case .answered(call, let message) = event {
        events.remove(at: index)
        return message
      }
    }
    return nil
  }

  /// The status with which a call was refused.
  mutating func takeRefusal(of call: CallHandle) -> SIPMessage? {
    for (index, event) in events.enumerated() {
      if case .refused(call, _, let message) = event {
        events.remove(at: index)
        return message
      }
    }
    return nil
  }

  func hasEnded(_ call: CallHandle) -> SIPMessage? {
    for case .ended(call, .byReceived(let message)) in events { return message }
    return nil
  }

  struct Phone {
    var call: CallHandle
    var user: String
    var endpoint: String
    var answer: SIPMessage?
  }

  func addUser(_ user: String, _ endpoint: String, entity: String = HostBench.entity, roles: [String] = ["attendee"])
    -> C3PCommand
  {
    var wanted = ConferenceInfo.Endpoint(entity: endpoint, sessionType: "audio-video")
    wanted.joiningMethod = .dialedIn
    return .addUser(
      ConferenceKeys(conference: entity), ConferenceInfo.User(entity: user, roles: roles, endpoints: [wanted]))
  }

  /// P7: a participant's leg, with `addUser`.
  mutating func join(
    _ control: Control, _ name: String, sdp: [UInt8]? = LegNegotiationTests.offer(suites: [.aeadAES128GCM]),
    entity: String = HostBench.entity, roles: [String] = ["attendee"]
  ) -> Phone {
    let user = "sip:\(name)@example.com"
    let id = nextID()
    let c3p = request(addUser(user, "\(name)-1", entity: entity, roles: roles), id: id)
    let call = invite(control.uri, body: Self.multipart(sdp: sdp, c3p: c3p), expectsOffer: sdp == nil)
    return Phone(call: call, user: user, endpoint: "\(name)-1", answer: takeAnswer(of: call))
  }

  /// P5: a command in the control dialog, OCS style.
  mutating func command(
    _ control: Control, _ command: C3PCommand, id: UInt64? = nil, headers: [HeaderField] = []
  ) -> (status: Int, response: C3PResponse?) {
    let id = id ?? nextID()
    return info(
      control.call, MessageBody(contentType: C3PRequest.contentType, bytes: request(command, id: id)), headers: headers)
  }

  mutating func info(
    _ call: CallHandle, _ body: MessageBody, headers: [HeaderField] = []
  ) -> (status: Int, response: C3PResponse?) {
    let handle = focusDoes { $0.request(.info, in: call, headers: headers, body: body, now: $1, into: &$2) }
    for (index, event) in events.enumerated() {
      if case .responded(handle, _, let message) = event {
        events.remove(at: index)
        return (message.status, try? C3PResponse(parsing: message.body))
      }
    }
    return (0, nil)
  }

  /// P6: subscribes and returns the handle; the first document is among `documents()`.
  mutating func subscribe(_ uri: String, event: String = "conference") -> SubscriptionHandle {
    let subscription = OutgoingSubscription(
      target: uri, from: "<\(Self.entity)>", to: "<\(uri)>", event: event, accept: [ConferenceInfo.contentType],
      flow: flow)
    return focusDoes { $0.subscribe(subscription, now: $1, into: &$2) }
  }

  /// The conference documents that came since last asked.
  mutating func documents() throws -> [ConferenceInfo] {
    var documents: [ConferenceInfo] = []
    for case .notified(_, let message) in events where !message.body.isEmpty {
      documents.append(try ConferenceInfo(parsing: message.body))
    }
    events.removeAll {
      if case .notified = $0 { true } else { false }
    }
    return documents
  }

  mutating func takeCommands() -> [MediaCommand] {
    defer { commands = [] }
    return commands.map(\.command)
  }

  /// The leg that was opened for the latest `openLeg`.
  var latestLeg: LegConfiguration? {
    for (_, command) in commands.reversed() {
      if case .openLeg(let leg) = command { return leg }
    }
    return nil
  }
}

extension MediaCommand {
  var legID: LegID? {
    switch self {
    case .openLeg(let leg), .modifyLeg(let leg): leg.leg
    case .closeLeg(let leg), .setIngress(let leg, _), .setEgress(let leg, _): leg
    case .openMeeting, .linkMeeting, .moveMeeting, .closeMeeting: nil
    }
  }
  var isOpenLeg: Bool { if case .openLeg = self { true } else { false } }
  var isCloseLeg: Bool { if case .closeLeg = self { true } else { false } }
  var isModifyLeg: Bool { if case .modifyLeg = self { true } else { false } }
  var isCloseMeeting: Bool { if case .closeMeeting = self { true } else { false } }
}
