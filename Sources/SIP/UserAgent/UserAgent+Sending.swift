//  UserAgent+Sending.swift: how requests are addressed, built and sent (RFC 3261 §8.1, §18.1.1).
import Primitives

extension UserAgent {
  // MARK: Addresses

  /// Where a URI leads: numeric hosts and the configuration's names. Empty: nowhere.
  func flows(to text: String) -> [SIPFlow] {
    guard let uri = try? SIPURI(text), uri.isSIP else { return [] }
    let transport: SIPTransport
    if let named = uri.transport {
      transport = uri.scheme == .sips && named == .tcp ? .tls : named
    } else if uri.scheme == .sips {
      transport = .tls
    } else {
      transport = configuration.listen[.udp] == nil && configuration.listen[.tcp] != nil ? .tcp : .udp
    }
    guard let local = configuration.listen[transport] else { return [] }
    let port = uri.port ?? 0
    guard var remote = SocketAddress(host: uri.host, port: port) ?? configuration.names[uri.host.lowercased()] else {
      return []
    }
    if port != 0 { remote.port = port }
    if remote.port == 0 { remote.port = transport.defaultPort }
    return [SIPFlow(transport: transport, local: local, remote: remote)]
  }

  /// Where a request in a dialog goes, in the order to try.
  ///
  /// A stream is used as long as its connection lives. A datagram goes to the next hop's address, unless the peer is
  /// behind a NAT or its URI leads nowhere: then back to where its messages come from (RFC 3581's symmetric way).
  func flows(for dialog: Dialog) -> [SIPFlow] {
    let resolved = flows(to: dialog.nextHop)
    if dialog.flow.transport.isReliable {
      return [dialog.flow] + resolved.filter { $0.remote != dialog.flow.remote || dialog.flow.connection != 0 }
    }
    if resolved.isEmpty || (dialog.isBehindNAT && dialog.routeSet.isEmpty) { return [dialog.flow] }
    return resolved
  }

  func initialFlows(_ flow: SIPFlow?, routes: [String], target: String) -> [SIPFlow] {
    if let flow { return [flow] }
    if let route = routes.first, let hop = try? NameAddress(route) { return flows(to: hop.uri.text) }
    return flows(to: target)
  }

  /// Our Contact for a dialog over this flow.
  func contact(user: String?, isFocus: Bool, _ flow: SIPFlow, parameters: String = "") -> String {
    let transport = flow.transport
    let address = configuration.listen[transport].map { $0.isUnspecified ? flow.local.with(port: $0.port) : $0 }
    let local = address ?? flow.local
    var uri = SIPURI(
      user: user ?? configuration.contactUser,
      host: configuration.advertisedHost ?? (local.isIPv4 ? local.host : "[\(local.host)]"), port: local.port)
    if transport != .udp { uri.parameters["transport"] = transport.name.lowercased() }
    return "<\(uri.text)>" + (isFocus ? ";isfocus" : "") + parameters
  }

  // MARK: Building

  /// From and To without tag become header values; `nil` when they are no addresses.
  static func party(_ text: String, tag: String?) -> String? {
    guard var address = try? NameAddress(text) else { return nil }
    address.tag = tag
    return address.text
  }

  /// The fields that every request has, but Via.
  func builder(
    _ method: SIPMethod, uri: String, routes: [String], from: String, to: String, callID: String, cseq: UInt32
  ) -> SIPMessageBuilder {
    var builder = SIPMessageBuilder(request: method, uri: uri)
    builder.add(.maxForwards, "70")
    for route in routes { builder.add(.route, route) }
    builder.add(.from, from)
    builder.add(.to, to)
    builder.add(.callID, callID)
    builder.add(.cseq, "\(cseq) \(method.name)")
    if !configuration.productName.isEmpty { builder.add(.userAgent, configuration.productName) }
    return builder
  }

  func builder(_ method: SIPMethod, in dialog: Dialog, cseq: UInt32) -> SIPMessageBuilder {
    let (uri, routes) = dialog.destination
    return builder(
      method, uri: uri, routes: routes, from: dialog.localParty, to: dialog.remoteParty, callID: dialog.id.callID,
      cseq: cseq)
  }

  func finish(_ builder: inout SIPMessageBuilder, _ headers: [HeaderField], _ body: MessageBody?) {
    for field in headers { builder.add(name: field.name, field.value) }
    if let body { builder.setBody(type: body.contentType, body.bytes) }
  }

  /// Allow, Supported and Recv-Info of INVITE, UPDATE and their 2xx.
  func addCapabilities(_ builder: inout SIPMessageBuilder) {
    builder.add(.allow, allow)
    builder.add(.supported, supported)
    if !configuration.infoPackages.isEmpty {
      builder.add(.recvInfo, configuration.infoPackages.joined(separator: ", "))
    }
  }

  // MARK: Sending

  /// Starts a client transaction over the first flow; the others are for when the transport fails.
  mutating func send(
    _ builder: SIPMessageBuilder, over flows: [SIPFlow], as purpose: ClientUse.Purpose, _ now: Instant
  ) -> Result<TransactionID, RequestFailure> {
    guard var first = flows.first else { return .failure(.unresolved) }
    var alternatives = Array(flows.dropFirst())
    if first.transport == .udp, configuration.sendsLargeRequestsOverTCP, let local = configuration.listen[.tcp],
      builder.encoded().count + 100 > SIPLimits.datagramRequestBytes
    {
      // 100 stands for the Via that is still to come (RFC 3261 §18.1.1).
      alternatives.insert(first, at: 0)
      first = SIPFlow(transport: .tcp, local: local, remote: first.remote)
    }
    return start(builder, over: first, alternatives: alternatives, as: purpose, now)
  }

  mutating func start(
    _ builder: SIPMessageBuilder, over flow: SIPFlow, alternatives: [SIPFlow], as purpose: ClientUse.Purpose,
    _ now: Instant
  ) -> Result<TransactionID, RequestFailure> {
    guard clients.count < configuration.limits.clientRequests else { return .failure(.full) }
    do throws(TransactionRefusal) {
      let id = try transactions.send(builder, over: flow, now: now, into: &queue)
      clients[id] = ClientUse(
        purpose: purpose, alternatives: alternatives, builder: alternatives.isEmpty ? nil : builder)
      return .success(id)
    } catch {
      return .failure(error == .full ? .full : .unresolved)
    }
  }

  // MARK: Responding

  func response(
    _ status: Int, to message: SIPMessage, from flow: SIPFlow, reason: String? = nil, toTag: String?
  ) -> SIPMessageBuilder {
    var builder = SIPMessageBuilder.response(to: message, from: flow, status: status, reason: reason, toTag: toTag)
    if !configuration.productName.isEmpty { builder.add(.server, configuration.productName) }
    return builder
  }

  /// A final response that needs nothing but its status and a few fields.
  mutating func answer(
    _ request: IncomingRequest, _ status: Int, reason: String? = nil, headers: [HeaderField] = [], _ now: Instant
  ) {
    var builder = response(status, to: request.message, from: request.flow, reason: reason, toTag: random.token(10))
    finish(&builder, headers, nil)
    transactions.respond(request.transaction, with: builder, now: now, into: &queue)
  }

  var retryAfter: HeaderField { HeaderField("Retry-After", "\(configuration.limits.retryAfterSeconds)") }
}
