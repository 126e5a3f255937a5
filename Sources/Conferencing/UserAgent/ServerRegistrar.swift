//  ServerRegistrar.swift: REGISTER and PUBLISH of media hosts, as the factory's inputs (control protocol P1, P2; RFC 3903).
//  Walk: ConferencingCore → ServerRegistrar → ConferencingServerFactory

import ConferenceDocuments
import Primitives
import SIP

/// The registrar of media hosts. Addresses of record name them; `+sip.instance` tells a restarted one.
struct ServerRegistrar: Sendable {
  private struct Binding: Sendable {
    var instance: String?
    /// Of the publication that is alive.
    var entityTag: String?
  }

  private let trusted: [SocketAddress]
  private var random: RandomSource
  private var bindings: [ConferencingServerID: Binding] = [:]
  /// Hosts whose connection broke, and until when they have to answer an OPTIONS.
  private var probes: [ConferencingServerID: Instant] = [:]

  init(trusted: [SocketAddress], random: RandomSource) {
    self.trusted = trusted
    self.random = random
  }

  var nextDeadline: Instant { probes.values.min() ?? .never }

  private func isTrusted(_ flow: SIPFlow) -> Bool { trusted.contains { $0.sameHost(as: flow.remote) } }

  // MARK: REGISTER (P1)

  /// - Returns: header fields of the 200.
  mutating func register(
    _ message: SIPMessage, from flow: SIPFlow, now: Instant, in context: inout SIPContext,
    into changes: inout [ConferencingServerFactory.Output]
  ) throws(ConferencingError) -> [HeaderField] {
    guard isTrusted(flow) else { throw .notAuthorized }
    let id = try Self.server(message, .to)
    if message.hasContactStar {
      guard message.expires == 0 else { throw .badRequest("Contact * Needs Expires 0") }
      unregister(id, in: &context, into: &changes)
      return []
    }
    let contact = try Self.only(message)
    guard let contact else { return binding(of: id, now: now, in: context) }
    let asked = contact.parameters["expires"].flatMap { Int($0) } ?? message.expires ?? 60
    if asked <= 0 {
      unregister(id, in: &context, into: &changes)
      return []
    }
    guard asked >= Limits.registrationMinimumSeconds else {
      throw .intervalTooBrief(minimumSeconds: Limits.registrationMinimumSeconds)
    }
    let granted = min(asked, Limits.registrationMaximumSeconds)
    // What is no media host would be a phone: its registrar is another part of this system.
    guard let list = contact.parameters["+x.mcu"] else { throw .notBuilt }
    let types = Set(
      list.split(separator: ",").prefix(Limits.serverTypes)
        .compactMap { ConferencingServerType(rawValue: $0.trimmingSpaces) })
    guard !types.isEmpty else { throw .badRequest("Unknown Server Type") }

    let instance = contact.parameters["+sip.instance"]
    if let known = bindings[id], known.instance != instance {
      bindings[id] = nil
      context.factory.unregister(id, cause: .restarted, into: &changes)
    }
    let isNew = context.factory.servers[id] == nil
    try context.factory.register(
      id, contact: contact.uri.text, flow: flow, types: types, expires: now + .seconds(granted))
    if bindings[id] == nil { bindings[id] = Binding(instance: instance) }
    probes[id] = nil
    if isNew { context.log(ConferencingLogEvent(.serverRegistered(id), callID: message.callID)) }
    var granting = contact
    granting.parameters["expires"] = String(granted)
    return [HeaderField("Contact", granting.text), HeaderField("Flow-Timer", "30")]
  }

  private mutating func unregister(
    _ id: ConferencingServerID, in context: inout SIPContext, into changes: inout [ConferencingServerFactory.Output]
  ) {
    bindings[id] = nil
    probes[id] = nil
    guard context.factory.servers[id] != nil else { return }
    context.factory.unregister(id, into: &changes)
    context.log(ConferencingLogEvent(.serverUnregistered(id)))
  }

  /// A REGISTER without Contact asks for what is registered (RFC 3261 §10.2.3).
  private func binding(of id: ConferencingServerID, now: Instant, in context: SIPContext) -> [HeaderField] {
    guard let server = context.factory.servers[id] else { return [] }
    let seconds = max(0, (server.registrationExpires - now).nanoseconds / 1_000_000_000)
    return [HeaderField("Contact", "<\(server.contact)>;expires=\(seconds)")]
  }

  // MARK: PUBLISH (P2)

  /// - Returns: header fields of the 200.
  mutating func publish(
    _ message: SIPMessage, from flow: SIPFlow, now: Instant, in context: inout SIPContext,
    into changes: inout [ConferencingServerFactory.Output]
  ) throws(ConferencingError) -> [HeaderField] {
    guard message.parameterized(.event)?.value == "mcu-status" else { throw .unknownEventPackage }
    guard isTrusted(flow) else { throw .notAuthorized }
    let id = try Self.server(message, .from)
    guard var binding = bindings[id], context.factory.servers[id] != nil else { throw .conferenceDoesNotExist }
    if let tag = message.first(.sipIfMatch), tag != binding.entityTag { throw .publicationUnknown }
    let asked = message.expires ?? Limits.loadMaximumSeconds
    if asked == 0 {
      guard message.contains(.sipIfMatch) else { throw .badRequest("Nothing to Remove") }
      binding.entityTag = nil
      bindings[id] = binding
      context.factory.markDown(id, cause: .reportedDown, into: &changes)
      return [HeaderField("Expires", "0"), HeaderField("SIP-ETag", random.token(12))]
    }
    guard asked >= Limits.loadMinimumSeconds else {
      throw .intervalTooBrief(minimumSeconds: Limits.loadMinimumSeconds)
    }
    let granted = min(asked, Limits.loadMaximumSeconds)
    let expires = now + .seconds(granted)
    if message.body.isEmpty {
      guard message.contains(.sipIfMatch) else { throw .badRequest("Missing Load Document") }
      context.factory.prolongReport(from: id, expires: expires)
    } else {
      guard message.contentType?.name == MediaServerLoad.contentType else { throw .unsupportedBody }
      guard let load = try? MediaServerLoad(parsing: message.body) else { throw .badDocument }
      context.factory.report(ServerLoad(load), from: id, expires: expires, into: &changes)
    }
    let tag = random.token(12)
    binding.entityTag = tag
    bindings[id] = binding
    return [HeaderField("SIP-ETag", tag), HeaderField("Expires", String(granted))]
  }

  // MARK: Transport

  /// Hosts that registered over this flow are asked whether they live.
  mutating func transportFailed(_ flow: SIPFlow, now: Instant, in context: inout SIPContext) {
    for id in context.factory.servers.keys.sorted() {
      guard let server = context.factory.servers[id], server.flow == flow else { continue }
      context.factory.forgetFlow(of: id)
      guard server.state != .down else { continue }
      probes[id] = now + Limits.probeTimeout
      let request = OutgoingRequest(
        .options, target: server.contact, from: "<sip:\(ConferenceDirectory.factoryUser)@parley.invalid>",
        to: "<\(server.contact)>")
      let handle = context.userAgent.request(request, now: now, into: &context.queue)
      context.requests[handle] = .probe(id)
    }
  }

  /// - Parameter answered: any response at all came.
  mutating func probed(
    _ id: ConferencingServerID, answered: Bool, in context: inout SIPContext,
    into changes: inout [ConferencingServerFactory.Output]
  ) {
    guard probes.removeValue(forKey: id) != nil, !answered else { return }
    context.factory.markDown(id, cause: .transportLost, into: &changes)
  }

  mutating func advance(
    to now: Instant, in context: inout SIPContext, into changes: inout [ConferencingServerFactory.Output]
  ) {
    for id in probes.keys.sorted() where probes[id] ?? .never <= now {
      probed(id, answered: false, in: &context, into: &changes)
    }
  }

  /// The factory dropped a host: its registration ran out.
  mutating func forget(_ id: ConferencingServerID) {
    bindings[id] = nil
    probes[id] = nil
  }

  // MARK: Inside

  /// `user@host` of the address of record.
  private static func server(
    _ message: SIPMessage, _ name: SIPHeaderName
  ) throws(ConferencingError) -> ConferencingServerID {
    guard let address = try? name == .to ? message.to : message.from, address.uri.isSIP,
      let user = address.uri.escapedUser, user.utf8.count + address.uri.host.utf8.count < Limits.userEntityLength
    else { throw .badRequest("Bad Address of Record") }
    return ConferencingServerID("\(user)@\(address.uri.host.lowercased())")
  }

  private static func only(_ message: SIPMessage) throws(ConferencingError) -> NameAddress? {
    guard let contacts = try? message.contacts, contacts.count <= 1 else { throw .badRequest("Bad Contact") }
    guard let contact = contacts.first else { return nil }
    guard contact.uri.isSIP, contact.uri.text.utf8.count <= Limits.userEntityLength else {
      throw .badRequest("Bad Contact")
    }
    return contact
  }
}

extension ServerLoad {
  /// Legs are the decoders or encoders that run, whichever are more; room is what the host itself names.
  init(_ document: MediaServerLoad) {
    let decoding = document.activeRTP.reduce(0) { $0 &+ UInt64($1.decoding) }
    let encoding = document.activeRTP.reduce(0) { $0 &+ UInt64($1.encoding) }
    let available = document.availableMixes.reduce(0) { max($0, UInt64($1.available)) }
    let status: Status =
      switch document.status {
      case .active: document.load.draining ? .draining : .active
      case .deactivated: .draining
      case .unavailable: .outOfService
      }
    self.init(
      status: status, activeLegs: Int(clamping: max(decoding, encoding)), availableLegs: Int(clamping: available),
      processorLoad: document.load.cpu)
  }
}

extension Substring {
  /// Without spaces at its ends.
  var trimmingSpaces: String {
    var text = self
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
