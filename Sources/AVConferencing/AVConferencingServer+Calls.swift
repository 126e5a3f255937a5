//  AVConferencingServer+Calls.swift: INVITEs, new and again: which are control dialogs, which are legs (control protocol P4, P7).

import ConferenceDocuments
import Media
import Primitives
import SDP
import SIP

extension AVConferencingServer {
  mutating func invited(
    _ call: CallHandle, _ message: SIPMessage, _ flow: SIPFlow, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) {
    var request: C3PRequest?
    do throws(AVConferencingError) {
      guard isTrusted(flow.remote) else {
        outputs.append(.log(.untrustedPeer(flow.remote, method: "INVITE")))
        throw .untrustedPeer
      }
      let body = try SignallingBody(of: message)
      request = body.request
      let user = message.targetUser
      if let meeting = meetingOfUser[user] {
        try join(meeting, call, message, body, now: now, into: &outputs)
      } else if let request = body.request, case .addConference(let conference) = request.command {
        guard user == configuration.serviceUser || user == configuration.name else { throw .unknownConference }
        try openMeeting(conference, request, call, message, body, now: now, into: &outputs)
      } else if configuration.standalone, body.c3p == nil, user != configuration.serviceUser, !user.isEmpty {
        let meeting = try openMeeting(named: user, message, now: now, into: &outputs)
        do throws(AVConferencingError) {
          try join(meeting, call, message, body, now: now, into: &outputs)
        } catch {
          closeMeeting(meeting, reason: "never used", cause: error.status, now: now, into: &outputs)
          throw error
        }
      } else if user == configuration.serviceUser, let request = body.request {
        throw .commandNotSupported(request.command.name)
      } else {
        throw .unknownConference
      }
    } catch {
      refuse(call, message.callIDText, error, answering: request, now: now, into: &outputs)
    }
  }

  /// Refuses an INVITE, a re-INVITE or an UPDATE; its C3P request, if it carried one, is answered in the same message.
  mutating func refuse(
    _ call: CallHandle, _ callID: String, _ error: AVConferencingError, answering request: C3PRequest? = nil,
    now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    var body: MessageBody?
    if let request, let reason = error.c3pReason {
      let response = C3PResponse(to: request, code: .failure, reason: C3PReason(rawValue: reason))
      body = SignallingBody.encoded(sdp: nil, c3p: response.encoded())
    }
    agent.reject(
      call, status: error.status, reason: error.reasonPhrase, headers: refusal(error), body: body, now: now,
      into: &queue)
    outputs.append(.log(.refused(callID: callID, status: error.status, reason: error.text)))
  }

  func refusal(_ error: AVConferencingError) -> [HeaderField] {
    error.headers.map { HeaderField($0.0, $0.1) }
  }

  /// A re-INVITE, or an UPDATE with a body.
  mutating func offered(
    _ call: CallHandle, _ message: SIPMessage, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    do throws(AVConferencingError) {
      let body = try SignallingBody(of: message)
      switch roles[call] {
      case .control(let meeting):
        let answer = try controlAnswer(to: body.sdp, sessionID: meetings[meeting]?.sessionID ?? 0)
        agent.answer(call, body: SignallingBody.encoded(sdp: answer, c3p: nil), now: now, into: &queue)
      case .leg(let leg):
        try renegotiate(leg, body.sdp, message, now: now, into: &outputs)
      case nil:
        agent.reject(call, status: 481, now: now, into: &queue)
      }
    } catch {
      refuse(call, message.callIDText, error, now: now, into: &outputs)
    }
  }

  mutating func acknowledged(
    _ call: CallHandle, _ message: SIPMessage, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard case .leg(let leg) = roles[call] else { return }
    takeAnswer(leg, message, now: now, into: &outputs)
  }

  mutating func ended(
    _ call: CallHandle, _ end: CallEnd, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard let role = roles.removeValue(forKey: call) else { return }
    memory.forget(dialog: call)
    switch role {
    case .control(let meeting):
      closeMeeting(meeting, reason: end.text, cause: 503, now: now, into: &outputs)
    case .leg(let leg):
      close(leg, reason: end.text, method: end.disconnectionMethod, now: now, into: &outputs)
    }
  }

  // MARK: Control dialogs

  /// `addConference` by the Focus (P4).
  private mutating func openMeeting(
    _ conference: ConferenceInfo, _ request: C3PRequest, _ call: CallHandle, _ message: SIPMessage,
    _ body: SignallingBody, now: Instant, into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) {
    guard !conference.entity.isEmpty, conference.entity.utf8.count <= Limits.entityCharacters else {
      throw .badCommand("addConference names no conference")
    }
    switch phase {
    case .draining, .shuttingDown, .shutDown: throw .draining(retryAfter: configuration.retryAfter)
    case .idle, .running: break
    }
    if load.isOverloaded { throw .overloaded(retryAfter: configuration.retryAfter) }
    let sessionID = random.next() >> 2
    let answer = try controlAnswer(to: body.sdp, sessionID: sessionID)
    let view = conference.views.first { $0.entity == "audio-video" || conference.views.count == 1 }
    let previous = meetingOfEntity[conference.entity]
    if let previous {
      // Its Focus has lost the dialog, or it would not ask: the newcomer's state is the one that counts.
      closeMeeting(previous, reason: "replaced", cause: 503, now: now, into: &outputs)
    }
    let id = try place(
      entity: conference.entity, contactUser: random.token(10) + ".av", control: call, sessionID: sessionID,
      announced: view?.entityState?.size.map { Int($0) } ?? 1,
      limit: conference.description?.maximumUserCount.map { Int($0) }, callID: message.callIDText, into: &outputs)
    if let previous { outputs.append(.log(.meetingReplaced(previous, by: id))) }
    meetings[id]?.initialFilters = view?.entityState?.filterRules?.initialFilters ?? []
    roles[call] = .control(id)
    var result = ConferenceInfo(entity: conference.entity)
    result.views = conference.views
    let response = C3PResponse(to: request, code: .success, result: C3PResponse.Result(conference: result)).encoded()
    memory.remember(
      CommandMemory.Answer(status: 200, body: response),
      to: CommandMemory.Key(dialog: call, requestID: request.requestID), now: now)
    agent.answer(
      call, body: SignallingBody.encoded(sdp: answer, c3p: response), contactUser: meetings[id]?.contactUser,
      isFocus: true, now: now, into: &queue)
  }

  /// A stand-alone meeting, which a caller names and the last one ends.
  private mutating func openMeeting(
    named user: String, _ message: SIPMessage, now: Instant, into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) -> MeetingID {
    guard user.utf8.count <= 64, user.utf8.allSatisfy(\.isTokenCharacter) else { throw .unknownConference }
    switch phase {
    case .draining, .shuttingDown, .shutDown: throw .draining(retryAfter: configuration.retryAfter)
    case .idle, .running: break
    }
    return try place(
      entity: "sip:\(user)@\(configuration.signalling)", contactUser: user, control: nil, sessionID: 0, announced: 1,
      limit: nil, callID: message.callIDText, into: &outputs)
  }

  private mutating func place(
    entity: String, contactUser: String, control: CallHandle?, sessionID: UInt64, announced: Int, limit: Int?,
    callID: String, into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) -> MeetingID {
    let id = MeetingID(rawValue: nextMeeting)
    let worker: Int
    do throws(WorkerPlacement.Refusal) {
      worker = try placement.open(
        id, announced: announced, limit: limit, closed: closedWorkers.union(overloadedWorkers))
    } catch {
      throw .hostFull(retryAfter: configuration.retryAfter)
    }
    nextMeeting &+= 1
    let meeting = Meeting(
      id: id, workers: [worker], entity: entity, contactUser: contactUser, control: control, sessionID: sessionID)
    meetings[id] = meeting
    meetingOfEntity[entity] = id
    meetingOfUser[contactUser] = id
    outputs.append(.media(worker: worker, .openMeeting(id, phase: placement.phase(of: id))))
    outputs.append(.log(.meetingOpened(id, worker: worker, callID: callID)))
    return id
  }

  /// Our half of an offer/answer without streams (RFC 3264 §5); streams that are offered are refused.
  private func controlAnswer(to offer: [UInt8]?, sessionID: UInt64) throws(AVConferencingError) -> [UInt8]? {
    guard let offer else { return nil }
    let parsed: SessionDescription
    do throws(SDPError) { parsed = try SessionDescription(parsing: offer) } catch { throw .badBody(error.text) }
    var answer = SessionDescription.withoutMedia(sessionID: sessionID, address: configuration.signalling)
    answer.media = parsed.media.map(\.refused)
    return answer.encoded()
  }

  /// Ends a meeting with all its legs and watchers, and its control dialog if that still stands.
  ///
  /// - Parameters:
  ///   - reason: for the log and the Reason header of the BYEs.
  ///   - cause: SIP status in that header (RFC 3326).
  mutating func closeMeeting(
    _ id: MeetingID, reason: String, cause: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard let meeting = meetings.removeValue(forKey: id) else { return }
    timers.remove(.flush(id))
    timers.remove(.departed(id))
    if meetingOfEntity[meeting.entity] == id { meetingOfEntity[meeting.entity] = nil }
    if meetingOfUser[meeting.contactUser] == id { meetingOfUser[meeting.contactUser] = nil }
    outputs.append(.log(.meetingClosed(id, reason: reason, legs: meeting.legs.count)))
    let header = "SIP;cause=\(cause);text=\"\(reason)\""
    for leg in meeting.legs.sorted(by: { $0.rawValue < $1.rawValue }) {
      hangUp(leg, reason: header, now: now)
      close(leg, reason: reason, method: .departed, now: now, into: &outputs)
    }
    for watcher in meeting.watchers.keys {
      endWatching(watcher, of: meeting, now: now)
    }
    placement.close(id)
    for worker in meeting.workers { tell(worker, of: id, .closeMeeting(id), into: &outputs) }
    continueDrains(now: now, into: &outputs)
    if let control = meeting.control, roles.removeValue(forKey: control) != nil {
      memory.forget(dialog: control)
      agent.hangUp(control, reason: header, now: now, into: &queue)
    }
  }
}

extension UInt8 {
  /// Letters, digits, `-`, `_` and `.`: what a name of ours or a label (RFC 4574) may hold, and no escape is needed for.
  var isTokenCharacter: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}

extension CallEnd {
  /// For the log and Reason headers.
  var text: String {
    switch self {
    case .byReceived: "bye"
    case .cancelled: "cancelled"
    case .sessionExpired: "session expired"
    case .noACK: "no ACK"
    case .dialogLost(let status): "dialog lost, \(status)"
    case .transport: "transport failed"
    case .unanswered: "unanswered"
    case .local: "ended here"
    }
  }

  var disconnectionMethod: ConferenceInfo.DisconnectionMethod {
    switch self {
    case .byReceived, .cancelled, .local: .departed
    case .sessionExpired, .noACK, .dialogLost, .transport, .unanswered: .failed
    }
  }
}
