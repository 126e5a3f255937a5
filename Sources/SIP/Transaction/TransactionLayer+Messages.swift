//  TransactionLayer+Messages.swift: ACK and CANCEL, and where a response goes (RFC 3261 §9.1, §17.1.1.3, §18.2.2).

extension TransactionLayer {
  /// ACK of a 300…699 (RFC 3261 §17.1.1.3): the INVITE's branch, the response's To.
  static func ack(for request: SIPMessage, _ response: SIPMessage) -> SIPMessageBuilder {
    var ack = follower(.ack, of: request)
    ack.copy(.to, from: response)
    return ack
  }

  /// What ACK and CANCEL share with their INVITE (RFC 3261 §9.1, §17.1.1.3).
  static func follower(_ method: SIPMethod, of request: SIPMessage) -> SIPMessageBuilder {
    var message = SIPMessageBuilder(request: method, uri: request.requestURIText)
    if let via = try? request.topVia { message.push(via) }
    message.copy(.route, from: request)
    message.add(.maxForwards, "70")
    message.copy(.from, from: request)
    message.copy(.callID, from: request)
    if let number = try? request.cseq.number { message.add(.cseq, CSeq(number, method).text) }
    return message
  }

  /// Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4): always to the host that the request came from.
  static func responseFlow(_ via: Via?, _ flow: SIPFlow) -> SIPFlow {
    guard !flow.transport.isReliable, let via, !via.asksForRport else { return flow }
    var flow = flow
    flow.remote = flow.remote.with(port: via.port ?? flow.transport.defaultPort)
    return flow
  }

  /// Where a response goes when the connection that its request came by is closed.
  static func reopenedFlow(_ via: Via, _ flow: SIPFlow) -> SIPFlow? {
    guard flow.transport == .tcp || flow.transport == .tls else { return nil }
    var flow = flow
    flow.connection = 0
    flow.remote = flow.remote.with(port: via.port ?? flow.transport.defaultPort)
    return flow
  }

  /// The same for each repetition of a request (RFC 3261 §8.2.7): FNV-1a of what names it.
  static func statelessTag(_ request: SIPMessage) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for text in [request.first(.via) ?? "", request.callID] {
      for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    return "s" + String(hash, radix: 36)
  }
}
