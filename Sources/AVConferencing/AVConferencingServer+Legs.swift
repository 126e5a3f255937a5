//  AVConferencingServer+Legs.swift: participants' calls: negotiated, opened on a worker, changed, ended (control protocol P7).

import ConferenceDocuments
import Media
import Primitives
import SDP
import SIP

extension AVConferencingServer {
  /// A new leg for a meeting that is here: with `addUser`, or plain.
  mutating func join(
    _ id: MeetingID, _ call: CallHandle, _ message: SIPMessage, _ body: SignallingBody, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) {
    guard let meeting = meetings[id] else { throw .unknownConference }
    if let error = admission() { throw error }
    let legID = LegID(rawValue: nextLeg)
    let who = try participant(in: meeting, message, body, leg: legID)
    let worker: Int
    do throws(WorkerPlacement.Refusal) {
      worker = try placement.addLeg(to: id, strained: strainedWorkers, closed: closedWorkers)
    } catch {
      switch error {
      case .meetingFull: throw .meetingFull
      case .tooManyLegs, .tooManyMeetings: throw .hostFull(retryAfter: configuration.retryAfter)
      case .unknownMeeting: throw .unknownConference
      }
    }
    guard load.takesLeg(worker: worker) else {
      placement.removeLeg(from: id, worker: worker)
      throw .overloaded(retryAfter: configuration.retryAfter)
    }
    load.legJoined(worker: worker)
    var negotiation = LegNegotiation(
      leg: legID, meeting: id, worker: configuration.workers[worker], label: who.label,
      configuration: configuration, capabilities: capabilities, random: &random)
    let state: ParticipantLeg.State
    let description: [UInt8]
    do throws(AVConferencingError) {
      if let offer = body.sdp {
        description = try negotiation.answer(offer[...])
        state = .opening(answer: description)
      } else {
        description = try negotiation.offer()
        state = .offering
      }
    } catch {
      placement.removeLeg(from: id, worker: worker)
      throw error
    }
    nextLeg &+= 1
    var leg = ParticipantLeg(
      id: legID, meeting: id, worker: worker, call: call, callID: message.callIDText, key: who.key,
      displayText: who.displayText, roles: who.roles, joiningMethod: who.method, request: body.request,
      invitedAt: now, negotiation: negotiation, state: state)
    if let filter = meeting.initialFilter(roles: who.roles) {
      leg.ingressBlocked = filter.ingress == .block
      leg.egressBlocked = filter.egress == .block
    }
    roles[call] = .leg(legID)
    meetings[id]?.legs.insert(legID)
    tellParts(of: id, into: &outputs)
    if state == .offering {
      leg.deadline = now + Limits.offerAnswering
      legs[legID] = leg
      timers.set(.leg(legID), at: leg.deadline)
      answer(legID, sdp: description, now: now, into: &outputs)
    } else {
      legs[legID] = leg
      openOnWorker(legID, state: state, now: now, into: &outputs)
    }
  }

  private struct Participant {
    var key: EndpointKey
    var displayText: String?
    var roles: [String]
    var method: ConferenceInfo.JoiningMethod
    var label: String
  }

  /// Who calls: as `addUser` says, else as the From header does.
  private func participant(
    in meeting: Meeting, _ message: SIPMessage, _ body: SignallingBody, leg: LegID
  ) throws(AVConferencingError) -> Participant {
    let label = "a\(leg.rawValue)"
    guard let c3p = body.c3p else {
      return Participant(
        key: EndpointKey(user: message.fromText, endpoint: "leg-\(leg.rawValue)"), displayText: nil, roles: [],
        method: .dialedIn, label: label)
    }
    guard case .request(let request) = c3p else { throw .badCommand("a response where addUser belongs") }
    guard case .addUser(let keys, let user) = request.command else {
      throw .commandNotSupported(request.command.name)
    }
    guard keys.conference == meeting.entity else { throw .unknownConference }
    guard let endpoint = user.endpoints.first, user.endpoints.count == 1 else {
      throw .badCommand("addUser needs one endpoint")
    }
    let texts = [user.entity, endpoint.entity]
    guard texts.allSatisfy({ !$0.isEmpty && $0.utf8.count <= Limits.entityCharacters }) else {
      throw .badCommand("addUser names no user or no endpoint")
    }
    let given = endpoint.media.first { $0.label != nil }?.label
    let isToken = given.map { !$0.isEmpty && $0.utf8.count <= 64 && $0.utf8.allSatisfy(\.isTokenCharacter) } ?? false
    return Participant(
      key: EndpointKey(user: user.entity, endpoint: endpoint.entity),
      displayText: user.displayText.map { String($0.prefix(Limits.entityCharacters)) },
      roles: user.roles.prefix(8).map { String($0.prefix(64)) }, method: endpoint.joiningMethod ?? .dialedIn,
      label: isToken ? given ?? label : label)
  }

  private mutating func openOnWorker(
    _ id: LegID, state: ParticipantLeg.State, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard var leg = legs[id], var configuration = leg.negotiation.configuration else { return }
    configuration.home = leg.home
    leg.state = state
    leg.deadline = now + Limits.legOpening
    legs[id] = leg
    timers.set(.leg(id), at: leg.deadline)
    tell(leg.worker, of: leg.meeting, .openLeg(configuration), into: &outputs)
    if leg.ingressBlocked { tell(leg.worker, of: leg.meeting, .setIngress(id, blocked: true), into: &outputs) }
    if leg.egressBlocked { tell(leg.worker, of: leg.meeting, .setEgress(id, blocked: true), into: &outputs) }
  }

  /// 200 with our description and the `addUser` response; the leg enters the roster.
  private mutating func answer(
    _ id: LegID, sdp: [UInt8], now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard let leg = legs[id], let meeting = meetings[leg.meeting] else { return }
    var response: [UInt8]?
    if let request = leg.request {
      var user = ConferenceInfo.User(
        entity: leg.key.user, displayText: leg.displayText, roles: leg.roles, endpoints: [leg.endpoint])
      user.state = .full
      response =
        C3PResponse(
          to: request, code: .success,
          result: C3PResponse.Result(keys: ConferenceKeys(conference: meeting.entity), user: user)
        ).encoded()
    }
    if let older = meeting.legOfEndpoint[leg.key], older != id {
      // The Focus that calls again for an endpoint has lost the earlier call.
      meetings[leg.meeting]?.legOfEndpoint[leg.key] = nil
      hangUp(older, reason: "SIP;cause=410;text=\"replaced\"", now: now)
      close(older, reason: "replaced", method: .departed, now: now, into: &outputs)
    }
    meetings[leg.meeting]?.show(id, as: leg.key)
    scheduleFlush(leg.meeting, now: now)
    agent.answer(
      leg.call, body: SignallingBody.encoded(sdp: sdp, c3p: response), contactUser: meeting.contactUser, now: now,
      into: &queue)
  }

  // MARK: Re-negotiation

  mutating func renegotiate(
    _ id: LegID, _ offer: [UInt8]?, _ message: SIPMessage, now: Instant, into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) {
    guard var leg = legs[id] else { throw .unknownEndpoint }
    switch leg.state {
    case .open, .confirming: break
    case .opening, .offering, .closing:
      agent.reject(leg.call, status: 491, now: now, into: &queue)
      return
    }
    guard let offer else {
      let ours = try leg.negotiation.offer()
      leg.awaitsAnswer = true
      legs[id] = leg
      agent.answer(leg.call, body: SignallingBody.encoded(sdp: ours, c3p: nil), now: now, into: &queue)
      return
    }
    let before = leg.negotiation.configuration
    if leg.awaitsAnswer {
      leg.negotiation.withdrawOffer()
      leg.awaitsAnswer = false
    }
    let answer = try leg.negotiation.answer(offer[...])
    legs[id] = leg
    agent.answer(leg.call, body: SignallingBody.encoded(sdp: answer, c3p: nil), now: now, into: &queue)
    modified(id, before: before, now: now, into: &outputs)
  }

  /// The ACK of our 200: with the answer, where the 200 made the offer.
  mutating func takeAnswer(
    _ id: LegID, _ message: SIPMessage, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard var leg = legs[id] else { return }
    guard leg.state == .offering || (leg.awaitsAnswer && leg.state != .closing) else { return }
    let before = leg.negotiation.configuration
    do throws(AVConferencingError) {
      guard let answer = try SignallingBody(of: message).sdp else { throw .badBody("the ACK carries no answer") }
      try leg.negotiation.accept(answer[...])
      guard leg.negotiation.configuration != nil else { throw .mediaNotSupported(warning: 304, text: "no audio") }
    } catch {
      outputs.append(.log(.refused(callID: leg.callID, status: error.status, reason: error.text)))
      hangUp(id, reason: "SIP;cause=\(error.status);text=\"\(error.text)\"", now: now)
      close(id, reason: error.text, method: .failed, now: now, into: &outputs)
      return
    }
    leg.awaitsAnswer = false
    legs[id] = leg
    if leg.state == .offering {
      openOnWorker(id, state: .confirming, now: now, into: &outputs)
    } else {
      modified(id, before: before, now: now, into: &outputs)
    }
  }

  private mutating func modified(
    _ id: LegID, before: LegConfiguration?, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard var leg = legs[id], let configuration = leg.negotiation.configuration, configuration != before else { return }
    // While it may not send, it cannot be silent; the worker reports afresh when it may again.
    leg.isSilent = leg.isSilent && configuration.receives
    legs[id] = leg
    tell(leg.worker, of: leg.meeting, .modifyLeg(configuration), into: &outputs)
    outputs.append(.log(.legModified(id, callID: leg.callID)))
    noteChange(of: leg, now: now)
  }

  // MARK: The end

  /// BYE, or a refusal where the INVITE is still open; the leg's state is the caller's to change.
  mutating func hangUp(_ id: LegID, reason: String, status: Int = 480, now: Instant) {
    guard let leg = legs[id], roles.removeValue(forKey: leg.call) != nil else { return }
    memory.forget(dialog: leg.call)
    agent.hangUp(leg.call, status: status, reason: reason, now: now, into: &queue)
  }

  /// The dialog is over: takes the leg out of the roster and off its worker.
  ///
  /// - Parameter isOnWorker: `false` when the worker is known not to have it.
  mutating func close(
    _ id: LegID, reason: String, method: ConferenceInfo.DisconnectionMethod, isOnWorker: Bool = true,
    statistics: LegStatistics? = nil, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard var leg = legs[id], leg.state != .closing else { return }
    var last = leg.endpoint
    last.status = .disconnected
    last.disconnectionMethod = leg.isSilent ? .failed : method
    last.disconnectionInfo = ConferenceInfo.ExecutionInfo(reason: leg.isSilent ? "no media" : reason)
    let wasOnWorker = isOnWorker && leg.state != .offering
    leg.state = .closing
    leg.closingReason = reason
    leg.deadline = now + Limits.legClosing
    legs[id] = leg
    if wasOnWorker {
      timers.set(.leg(id), at: leg.deadline)
      tell(leg.worker, of: leg.meeting, .closeLeg(id), into: &outputs)
    }
    let until = now + Limits.notificationGap * 10
    meetings[leg.meeting]?.hide(id, as: leg.key, last: last, until: until)
    if meetings[leg.meeting]?.departed[leg.key] != nil, timers.deadline(of: .departed(leg.meeting)) == nil {
      timers.set(.departed(leg.meeting), at: until)
    }
    scheduleFlush(leg.meeting, now: now)
    if !wasOnWorker { forget(id, statistics: statistics, into: &outputs) }
    endIfAbandoned(leg.meeting, now: now, into: &outputs)
  }

  /// A stand-alone meeting ends with its last caller.
  private mutating func endIfAbandoned(
    _ id: MeetingID, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard let meeting = meetings[id], meeting.control == nil else { return }
    let isAbandoned = meeting.legs.allSatisfy { legs[$0]?.state == .closing }
    if isAbandoned { closeMeeting(id, reason: "abandoned", cause: 480, now: now, into: &outputs) }
  }

  /// The worker has let go of the leg, or never had it: nothing of it remains.
  mutating func forget(
    _ id: LegID, statistics: LegStatistics?, into outputs: inout [AVConferencingOutput]
  ) {
    guard let leg = legs.removeValue(forKey: id) else { return }
    timers.remove(.leg(id))
    meetings[leg.meeting]?.legs.remove(id)
    placement.removeLeg(from: leg.meeting, worker: leg.worker)
    tellParts(of: leg.meeting, into: &outputs)
    outputs.append(.log(.legClosed(id, reason: leg.closingReason, statistics)))
  }

  /// A worker, or an answer, has kept a leg waiting too long.
  mutating func legIsLate(_ id: LegID, now: Instant, into outputs: inout [AVConferencingOutput]) {
    guard let leg = legs[id], leg.deadline <= now else { return }
    switch leg.state {
    case .opening, .confirming:
      outputs.append(.log(.workerLate(worker: leg.worker, id)))
      let error = AVConferencingError.workerFailed(retryAfter: configuration.retryAfter)
      failOpening(leg, error, now: now, into: &outputs)
    case .offering:
      // The user agent ends a dialog without ACK by itself; this is for an ACK that never made sense.
      hangUp(id, reason: "SIP;cause=408;text=\"no answer\"", now: now)
      close(id, reason: "no answer", method: .failed, now: now, into: &outputs)
    case .closing:
      outputs.append(.log(.workerLate(worker: leg.worker, id)))
      forget(id, statistics: nil, into: &outputs)
      endIfAbandoned(leg.meeting, now: now, into: &outputs)
    case .open: break
    }
  }

  /// The worker did not take the leg: refused while the INVITE is open, BYE after.
  private mutating func failOpening(
    _ leg: ParticipantLeg, _ error: AVConferencingError, isOnWorker: Bool = true, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) {
    if case .opening = leg.state {
      if roles.removeValue(forKey: leg.call) != nil {
        refuse(leg.call, leg.callID, error, answering: leg.request, now: now, into: &outputs)
      }
    } else {
      outputs.append(.log(.refused(callID: leg.callID, status: error.status, reason: error.text)))
      hangUp(leg.id, reason: "SIP;cause=\(error.status);text=\"\(error.text)\"", now: now)
    }
    close(leg.id, reason: error.text, method: .failed, isOnWorker: isOnWorker, now: now, into: &outputs)
  }

  // MARK: What workers report

  mutating func handleMedia(
    _ event: MediaEvent, worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    switch event {
    case .report(let report): handle(report, worker: worker, now: now, into: &outputs)
    case .activeTalkers(let id, let talkers):
      guard var meeting = meetings[id], meeting.home == worker || moves[id]?.from == worker, meeting.talkers != talkers
      else { return }
      meeting.talkers = Array(talkers.prefix(16))
      meeting.noteTalkers()
      meetings[id] = meeting
      scheduleFlush(id, now: now)
    case .legOpened(let id):
      guard let leg = legs[id], speaks(worker, of: leg) else { return }
      opened(leg, now: now, into: &outputs)
    case .legRefused(let id, let reason):
      guard let leg = legs[id], speaks(worker, of: leg) else { return }
      outputs.append(.log(.workerRefused(id, reason)))
      refused(leg, reason, now: now, into: &outputs)
    case .legConnected(let id, _, let ssrc):
      guard var leg = legs[id], speaks(worker, of: leg), leg.state != .closing else { return }
      let isFirst = leg.remoteSSRC == nil
      let hasChanged = leg.remoteSSRC != ssrc || leg.isSilent
      leg.remoteSSRC = ssrc
      leg.isSilent = false
      legs[id] = leg
      if isFirst {
        let milliseconds = (now - leg.invitedAt).milliseconds
        outputs.append(.log(.legConnected(id, milliseconds: Int(min(max(0, milliseconds), 1e9)))))
      }
      if hasChanged { noteChange(of: leg, now: now) }
    case .legSilent(let id):
      guard var leg = legs[id], speaks(worker, of: leg), leg.state == .open, !leg.isSilent else { return }
      leg.isSilent = true
      legs[id] = leg
      outputs.append(.log(.legSilent(id)))
      noteChange(of: leg, now: now)
    case .legResumed(let id):
      guard var leg = legs[id], speaks(worker, of: leg), leg.isSilent else { return }
      leg.isSilent = false
      legs[id] = leg
      outputs.append(.log(.legResumed(id)))
      noteChange(of: leg, now: now)
    case .legClosed(let id, let statistics):
      guard let leg = legs[id], speaks(worker, of: leg) else { return }
      if leg.state != .closing {
        // The worker lost it without being asked: the dialog must not outlive the media.
        hangUp(id, reason: "SIP;cause=503;text=\"media lost\"", now: now)
        close(
          id, reason: "media lost", method: .failed, isOnWorker: false, statistics: statistics, now: now, into: &outputs
        )
        return
      }
      forget(id, statistics: statistics, into: &outputs)
      endIfAbandoned(leg.meeting, now: now, into: &outputs)
    case .digit(let id, let digit, _):
      guard var leg = legs[id], speaks(worker, of: leg), leg.state == .open, digit.isKey else { return }
      leg.press(digit)
      legs[id] = leg
      noteChange(of: leg, now: now)
    case .legSaidGoodbye: break  // advice only: the signalling decides
    case .meetingLeft, .meetingArrived, .meetingStayed, .meetingLost:
      handleMove(event, worker: worker, now: now, into: &outputs)
    }
  }

  private mutating func opened(
    _ leg: ParticipantLeg, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    guard var open = legs[leg.id], let configuration = leg.negotiation.configuration else { return }
    let isWaiting: Bool
    switch leg.state {
    case .opening, .confirming: isWaiting = true
    case .offering, .open, .closing: isWaiting = false
    }
    guard isWaiting else { return }
    open.state = .open
    open.deadline = .never
    timers.remove(.leg(leg.id))
    legs[leg.id] = open
    outputs.append(
      .log(
        .legOpened(
          leg.id, leg.meeting, worker: leg.worker, callID: leg.callID, codec: configuration.send.codec,
          suite: configuration.suite)))
    if case .opening(let sdp) = leg.state {
      answer(leg.id, sdp: sdp, now: now, into: &outputs)
    } else {
      noteChange(of: open, now: now)
    }
  }

  private mutating func refused(
    _ leg: ParticipantLeg, _ reason: LegRefusal, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {
    switch leg.state {
    case .opening, .confirming:
      let error: AVConferencingError =
        switch reason {
        case .tooManyLegs, .unknownMeeting, .duplicateLeg: .workerFailed(retryAfter: configuration.retryAfter)
        // Trying again will not help: two plain legs with one address, more formats than a meeting may have.
        case .badConfiguration: .mediaNotSupported(warning: 399, text: "this meeting cannot take such media")
        }
      failOpening(leg, error, isOnWorker: false, now: now, into: &outputs)
    case .open, .offering, .closing: break  // a refused change leaves the leg as it was
    }
  }
}

extension UInt8 {
  /// `0…9 * # A…D`.
  fileprivate var isKey: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "D"), UInt8(ascii: "*"),
      UInt8(ascii: "#"):
      true
    default: false
    }
  }
}
