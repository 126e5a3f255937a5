//  Dialog.swift: the state that two user agents share (RFC 3261 §12).
import Primitives

/// One dialog as one side keeps it.
///
///     INVITE or SUBSCRIBE ──1xx with To tag──▶ early ──2xx──▶ confirmed
///
/// Who ends it, and when, is the business of its usage (`InviteState`, `Subscription`).
public struct Dialog: Sendable {
  public let id: DialogID
  /// From of our requests, To of theirs, each with its tag.
  public let localParty: String
  public let remoteParty: String
  /// URI text of the peer's Contact; a target refresh changes it (§12.2).
  public private(set) var remoteTarget: String
  /// Values for Route, nearest hop first (§12.1).
  public private(set) var routeSet: [String]
  public private(set) var localCSeq: UInt32
  /// `nil` until the peer has sent a request.
  public private(set) var remoteCSeq: UInt32?
  public var isEarly: Bool
  /// Where the peer was last heard.
  public var flow: SIPFlow
  /// The peer's Via names an address that is not the one it sends from: its Contact cannot be trusted to be reachable.
  public private(set) var isBehindNAT: Bool

  /// The callee's or the notifier's dialog (§12.1.1).
  ///
  /// - Throws: when From, To, CSeq, Contact or Record-Route cannot be read.
  public init(
    accepting request: SIPMessage, over flow: SIPFlow, localTag: String, maximumRoutes: Int
  ) throws(SIPParseError) {
    let from = try request.from
    let to = try request.to
    let routes = try request.recordRoutes
    guard routes.count <= maximumRoutes else { throw .tooManyValues(.recordRoute) }
    guard let contact = try request.contacts.first else { throw .missing(.contact) }
    id = DialogID(callID: request.callID, localTag: localTag, remoteTag: from.tag ?? "")
    var local = to
    local.tag = localTag
    localParty = local.text
    remoteParty = from.text
    remoteTarget = contact.uri.text
    routeSet = routes.map { "<\($0.uri.text)>" }
    localCSeq = 0
    remoteCSeq = try request.cseq.number
    isEarly = true
    self.flow = flow
    let via = try request.topVia
    isBehindNAT = flow.transport == .udp && Self.hidesItsSource(via, flow.remote)
  }

  /// The caller's or the subscriber's dialog (§12.1.2), from a response to its request, or from a NOTIFY that came
  /// before it (RFC 6665 §4.1.2.4).
  ///
  /// - Parameter fallbackTarget: for a peer that sent no Contact: the Request-URI.
  public init(
    from message: SIPMessage, over flow: SIPFlow, localParty: String, localCSeq: UInt32, fallbackTarget: String,
    maximumRoutes: Int
  ) throws(SIPParseError) {
    let local = message.isRequest ? try message.to : try message.from
    let remote = message.isRequest ? try message.from : try message.to
    let routes = try message.recordRoutes
    guard routes.count <= maximumRoutes else { throw .tooManyValues(.recordRoute) }
    id = DialogID(callID: message.callID, localTag: local.tag ?? "", remoteTag: remote.tag ?? "")
    self.localParty = localParty
    remoteParty = remote.text
    remoteTarget = try message.contacts.first?.uri.text ?? fallbackTarget
    let texts = routes.map { "<\($0.uri.text)>" }
    routeSet = message.isRequest ? texts : texts.reversed()
    self.localCSeq = localCSeq
    remoteCSeq = message.isRequest ? try message.cseq.number : nil
    isEarly = message.status < 200 && !message.isRequest
    self.flow = flow
    isBehindNAT = false
  }

  /// The peer's sent-by is an address, and not the one that the datagram came from.
  private static func hidesItsSource(_ via: Via, _ source: SocketAddress) -> Bool {
    guard let sentBy = SocketAddress(host: via.host, port: via.port ?? SIPTransport.udp.defaultPort) else {
      return true
    }
    return sentBy != source
  }

  /// Order of the peer's requests (§12.2.2). ACK and CANCEL have the number of their INVITE and are not asked here.
  /// - Returns: false: out of order, to be answered 500.
  public mutating func accepts(_ number: UInt32) -> Bool {
    if let remoteCSeq, number <= remoteCSeq { return false }
    remoteCSeq = number
    return true
  }

  public mutating func nextCSeq() -> UInt32 {
    localCSeq = localCSeq >= 0x7fff_ffff ? 1 : localCSeq + 1
    return localCSeq
  }

  /// A request or 2xx that may move the peer: INVITE, UPDATE, SUBSCRIBE, NOTIFY (§12.2.1.2, §12.2.2).
  public mutating func refreshTarget(from message: SIPMessage) {
    guard let contacts = try? message.contacts, let contact = contacts.first, contact.uri.isSIP else { return }
    remoteTarget = contact.uri.text
  }

  /// The 2xx says what the early dialog was guessed from (§13.2.2.4): the route set is taken anew.
  public mutating func confirm(from response: SIPMessage, maximumRoutes: Int) {
    isEarly = false
    if let routes = try? response.recordRoutes, routes.count <= maximumRoutes {
      routeSet = routes.map { "<\($0.uri.text)>" }.reversed()
    }
    refreshTarget(from: response)
  }

  /// Request-URI and Route of a request in this dialog, a strict router first in line respected (§12.2.1.1).
  public var destination: (uri: String, routes: [String]) {
    guard let first = routeSet.first, let hop = try? NameAddress(first), !hop.uri.isLooseRouter else {
      return (remoteTarget, routeSet)
    }
    return (hop.uri.text, Array(routeSet.dropFirst()) + ["<\(remoteTarget)>"])
  }

  /// The URI whose host is to be sent to: the first route, else the target.
  public var nextHop: String {
    guard let first = routeSet.first, let hop = try? NameAddress(first) else { return remoteTarget }
    return hop.uri.text
  }
}
