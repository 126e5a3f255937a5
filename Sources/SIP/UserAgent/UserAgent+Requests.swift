//  UserAgent+Requests.swift: requests of ours that are not INVITE, in calls and outside (RFC 3261 §8.1, §12.2.1).
import Primitives

extension UserAgent {
  /// A request in the call's dialog, early or confirmed: INFO, MESSAGE, OPTIONS …
  public mutating func request(
    _ method: SIPMethod, in call: CallHandle, headers: [HeaderField] = [], body: MessageBody? = nil, now: Instant,
    into outputs: inout [UserAgentOutput]
  ) -> RequestHandle {
    let handle = RequestHandle(number: takeNumber())
    guard let session = calls[call], session.state.isOpen, var dialog = session.dialog,
      ![.invite, .ack, .bye, .cancel, .update, .prack, .subscribe].contains(method)
    else {
      outputs.append(.event(.failed(handle, call, .noDialog)))
      return handle
    }
    var builder = builder(method, in: dialog, cseq: dialog.nextCSeq())
    calls[call]?.dialog = dialog
    finish(&builder, headers, body)
    if case .failure(let failure) = send(builder, over: flows(for: dialog), as: .inCall(call, handle), now) {
      outputs.append(.event(.failed(handle, call, failure)))
    }
    work(now, &outputs)
    return handle
  }

  /// A request outside any dialog: REGISTER, PUBLISH, OPTIONS, MESSAGE …
  public mutating func request(
    _ request: OutgoingRequest, now: Instant, into outputs: inout [UserAgentOutput]
  ) -> RequestHandle {
    let handle = RequestHandle(number: takeNumber())
    let flows = initialFlows(request.flow, routes: request.routes, target: request.target)
    guard let flow = flows.first, let from = Self.party(request.from, tag: random.token(10)),
      let to = Self.party(request.to, tag: nil), ![.invite, .ack, .bye, .cancel].contains(request.method)
    else {
      outputs.append(.event(.failed(handle, nil, .unresolved)))
      return handle
    }
    var builder = builder(
      request.method, uri: request.target, routes: request.routes, from: from, to: to,
      callID: request.callID ?? random.token(20), cseq: request.cseq ?? 1)
    if request.hasContact {
      builder.add(
        .contact,
        contact(user: request.contactUser, isFocus: false, flow, parameters: request.contactParameters))
    }
    builder.add(.supported, supported)
    finish(&builder, request.headers, request.body)
    if case .failure(let failure) = send(builder, over: flows, as: .request(handle), now) {
      outputs.append(.event(.failed(handle, nil, failure)))
    }
    work(now, &outputs)
    return handle
  }
}
