//  ScriptedHost.swift: the control side of a media host without media, which does as its script says (control protocol P1–P7).
import ConferenceDocuments
import Conferencing
import Primitives
import SIP

final class ScriptedHost: Node {
  enum Reaction { case accept, refuse(Int, warning: String? = nil), silence, die }

  struct Leg {
    var call: CallHandle
    var user: String
    var endpoint: String
    var offers: [String]
  }

  let number: Int
  var room: Int
  var status = MediaServerLoad.Status.active
  var control = Reaction.accept
  var leg = Reaction.accept
  /// What it answers to new offers.
  var reoffer = Reaction.accept
  private(set) var controls: [CallHandle] = []
  private(set) var legs: [Leg] = []
  private(set) var commands: [C3PCommand] = []
  private(set) var answersInACK: [String] = []
  private(set) var registrations: [SIPMessage] = []
  private(set) var publications: [SIPMessage] = []
  private(set) var ends = 0
  private(set) var entityTag: String?
  private var watchers: [SubscriptionHandle: UInt32] = [:]
  private var sequence: UInt32 = 0
  private var publishAt = Instant.never
  private var registerAt = Instant.never
  private var publishing: RequestHandle?

  init(_ network: ConferenceNetwork, number: Int, room: Int) {
    self.number = number
    self.room = room
    super.init(network, SocketAddress(ipv4: 0x0a00_0100 + UInt32(number), port: 5070), .tcp)
  }

  var id: ConferencingServerID { ConferencingServerID("mh\(number)@factory.example.com") }
  override var nextDeadline: Instant { min(super.nextDeadline, min(publishAt, registerAt)) }

  override func advance() {
    super.advance()
    if publishAt <= network.now { publish() }
    if registerAt <= network.now { register() }
  }

  // MARK: Registration and load

  func register(expires: Int = 60, instance: String = "a") {
    registerAt = expires > 0 ? network.now + .seconds(45) : .never
    with { agent, now, outputs in
      var request = OutgoingRequest(
        .register, target: "sip:factory.example.com", from: "<sip:mh\(number)@factory.example.com>",
        to: "<sip:mh\(number)@factory.example.com>", flow: flow)
      request.hasContact = true
      request.contactUser = "av"
      request.contactParameters =
        ";+sip.instance=\"<urn:uuid:\(number)-\(instance)>\";reg-id=1;audio;+x.mcu=\"audio-video\";expires=\(expires)"
      _ = agent.request(request, now: now, into: &outputs)
    }
  }

  func publish(expires: Int = 15, tag: String? = nil) {
    publishAt = network.now + .seconds(5)
    sequence += 1
    var load = MediaServerLoad(sequence: sequence, id: "mh\(number)", serverID: "mh\(number)", status: status)
    let active = UInt32(legs.count)
    load.activeRTP = [MediaServerLoad.CodecSessions(name: "audio/opus", decoding: active, encoding: active)]
    load.availableMixes = [
      MediaServerLoad.AvailableMix(available: UInt32(max(0, room - legs.count)), codecs: [])
    ]
    let body = MessageBody(contentType: MediaServerLoad.contentType, bytes: load.encoded())
    publishing = with { agent, now, outputs in
      var request = OutgoingRequest(
        .publish, target: "sip:mcufactory@factory.example.com", from: "<sip:mh\(number)@factory.example.com>",
        to: "<sip:mcufactory@factory.example.com>", flow: flow, body: body)
      request.headers = [HeaderField("Event", "mcu-status"), HeaderField("Expires", "\(expires)")]
      if let tag = tag ?? entityTag { request.headers.append(HeaderField("SIP-If-Match", tag)) }
      return agent.request(request, now: now, into: &outputs)
    }
  }

  // MARK: State

  func notify(_ status: ConferenceInfo.Status, of leg: Leg, failed: Bool = false, digits: Int = 0) {
    var endpoint = ConferenceInfo.Endpoint(
      entity: leg.endpoint, sessionType: "audio-video", status: status,
      media: [ConferenceInfo.Media(id: "1", type: "audio", label: "a-1", sourceID: 4711, status: .sendrecv)])
    if failed { endpoint.disconnectionMethod = .failed }
    if digits > 0 {
      endpoint.extensions = [
        XMLElement(
          XMLName("urn:parley:conference-state:1", "digits"),
          attributes: [XMLAttribute(XMLName("", "total"), "\(digits)")],
          text: String(repeating: "5", count: digits))
      ]
    }
    var document = ConferenceInfo(entity: "sip:room@conf.example.com")
    document.state = .partial
    document.users = ConferenceInfo.Users(
      [ConferenceInfo.User(entity: leg.user, endpoints: [endpoint])], state: .partial)
    send(document)
  }

  private func send(_ document: ConferenceInfo) {
    for (watcher, version) in watchers.sorted(by: { $0.key.number < $1.key.number }) {
      var document = document
      document.version = version + 1
      watchers[watcher] = version + 1
      let body = MessageBody(contentType: ConferenceInfo.contentType, bytes: document.encoded())
      with { agent, now, outputs in agent.notify(watcher, body: body, now: now, into: &outputs) }
    }
  }

  func hangUpLeg(_ index: Int) {
    let call = legs[index].call
    with { agent, now, outputs in agent.hangUp(call, now: now, into: &outputs) }
  }

  func hangUpControl() {
    for call in controls { with { agent, now, outputs in agent.hangUp(call, now: now, into: &outputs) } }
  }

  /// A new offer of the host, as when it moves a leg.
  func reinviteLeg(_ index: Int, _ offer: String) {
    let call = legs[index].call
    with { agent, now, outputs in
      agent.reinvite(
        call, body: MessageBody(contentType: "application/sdp", text: offer), now: now, into: &outputs)
    }
  }

  // MARK: What comes

  override func handle(_ event: UserAgentEvent) {
    switch event {
    case .invited(let call, let message, _): invited(call, message)
    case .offered(let call, let message):
      let index = legs.firstIndex { $0.call == call }
      let offer = String(decoding: message.body, as: UTF8.self)
      if let index { legs[index].offers.append(offer) }
      let text = offer.isEmpty ? "v=0 host's offer" : "v=0 host's answer to \(offer)"
      react(reoffer, call) { MessageBody(contentType: "application/sdp", text: text) }
    case .acknowledged(_, let message):
      if !message.body.isEmpty { answersInACK.append(String(decoding: message.body, as: UTF8.self)) }
    case .ended(let call, _):
      ends += 1
      legs.removeAll { $0.call == call }
      controls.removeAll { $0 == call }
    case .requested(let request, _, let message, _): requested(request, message)
    case .responded(let request, _, let message):
      if message.method == .register {
        registrations.append(message)
        if message.status == 200, publishAt == .never { publish() }
      } else if request == publishing {
        publications.append(message)
        entityTag = message.status == 200 ? message.first(.sipETag) : nil
        if message.status == 412 { publish() }
      }
    case .subscriptionEnded(let subscription, _): watchers[subscription] = nil
    case .answered, .refused, .reofferRefused, .progressed, .failed, .notified, .subscriptionAccepted,
      .subscriptionRefreshed:
      break
    }
  }

  private func react(_ reaction: Reaction, _ call: CallHandle, user: String? = nil, body: () -> MessageBody) {
    switch reaction {
    case .accept:
      let body = body()
      with { agent, now, outputs in agent.answer(call, body: body, contactUser: user, now: now, into: &outputs) }
    case .refuse(let status, let warning):
      with { agent, now, outputs in
        agent.reject(
          call, status: status, headers: warning.map { [HeaderField("Warning", $0)] } ?? [], now: now, into: &outputs)
      }
    case .silence: break
    case .die: network.kill(self)
    }
  }

  private func invited(_ call: CallHandle, _ message: SIPMessage) {
    let type = message.first(.contentType) ?? ""
    let description = (try? Multipart.body(ofType: "application/sdp", in: message.body, contentType: type)) ?? nil
    guard let document = try? Multipart.body(ofType: C3PRequest.contentType, in: message.body, contentType: type),
      let request = try? C3PRequest(parsing: document)
    else { return with { agent, now, outputs in agent.reject(call, status: 400, now: now, into: &outputs) } }
    commands.append(request.command)
    switch request.command {
    case .addConference:
      react(control, call, user: "token\(number).av") {
        controls.append(call)
        return Self.body(
          description.map { String(decoding: $0, as: UTF8.self) }, C3PResponse(to: request, code: .success))
      }
    case .addUser(_, var user):
      react(leg, call) {
        let offer = description.map { String(decoding: $0, as: UTF8.self) }
        user.endpoints[0].media = [ConferenceInfo.Media(id: "1", type: "audio", label: "a-1", status: .sendrecv)]
        legs.append(
          Leg(call: call, user: user.entity, endpoint: user.endpoints[0].entity, offers: offer.map { [$0] } ?? []))
        let result = C3PResponse.Result(user: user)
        return Self.body(
          offer.map { "v=0 host\(number)'s answer to \($0)" } ?? "v=0 host\(number)'s offer",
          C3PResponse(to: request, code: .success, result: result))
      }
    default: with { agent, now, outputs in agent.reject(call, status: 501, now: now, into: &outputs) }
    }
  }

  private func requested(_ request: ServerRequestHandle, _ message: SIPMessage) {
    switch message.method {
    case .subscribe:
      let watcher = with { agent, now, outputs in agent.acceptSubscription(of: request, now: now, into: &outputs) }
      guard let watcher else { return }
      watchers[watcher] = 0
      var document = ConferenceInfo(entity: "sip:room@conf.example.com")
      document.description = ConferenceInfo.Description()
      document.users = ConferenceInfo.Users([])
      document.version = 1
      watchers[watcher] = 1
      let body = MessageBody(contentType: ConferenceInfo.contentType, bytes: document.encoded())
      with { agent, now, outputs in agent.notify(watcher, body: body, now: now, into: &outputs) }
    case .info:
      guard let command = try? C3PRequest(parsing: message.body) else { return }
      commands.append(command.command)
      let response = C3PResponse(to: command, code: .success)
      with { agent, now, outputs in
        agent.respond(
          to: request, status: 200,
          body: MessageBody(contentType: C3PRequest.contentType, bytes: response.encoded()), now: now, into: &outputs)
      }
    default: with { agent, now, outputs in agent.respond(to: request, status: 501, now: now, into: &outputs) }
    }
  }

  private static func body(_ description: String?, _ response: C3PResponse) -> MessageBody {
    var parts: [Multipart.Part] = []
    if let description { parts.append(Multipart.Part(contentType: "application/sdp", body: Array(description.utf8))) }
    parts.append(Multipart.Part(contentType: C3PRequest.contentType, body: response.encoded()))
    let (type, bytes) = Multipart(parts: parts).encoded()
    return MessageBody(contentType: type, bytes: bytes)
  }
}
