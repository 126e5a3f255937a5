//  AVConferencingServer+Commands.swift: INFO in control dialogs, both styles, each command done once (control protocol P5).

import ConferenceDocuments
import Media
import Primitives
import SIP

extension AVConferencingServer {
  /// INFO or SUBSCRIBE, in a dialog or outside.
  mutating func requested(
    _ handle: ServerRequestHandle, _ call: CallHandle?, _ message: SIPMessage, _ flow: SIPFlow, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) {
    do throws(AVConferencingError) {
      guard isTrusted(flow.remote) else {
        outputs.append(.log(.untrustedPeer(flow.remote, method: "\(message.method)")))
        throw .untrustedPeer
      }
      switch message.method {
      case .info:
        guard let call, let role = roles[call] else {
          agent.respond(to: handle, status: 481, now: now, into: &queue)
          return
        }
        switch role {
        case .control(let meeting): try command(handle, call, meeting, message, now: now, into: &outputs)
        case .leg: throw .unsupportedMediaType  // P8: no prompts here yet
        }
      case .subscribe:
        try subscribed(handle, message, now: now)
      default:
        agent.respond(
          to: handle, status: 405, headers: [HeaderField("Allow", Self.allowed)], now: now, into: &queue)
      }
    } catch {
      agent.respond(
        to: handle, status: error.status, reason: error.reasonPhrase, headers: refusal(error), now: now, into: &queue)
      outputs.append(.log(.refused(callID: message.callIDText, status: error.status, reason: error.text)))
    }
  }

  private static let allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, SUBSCRIBE"

  private mutating func command(
    _ handle: ServerRequestHandle, _ call: CallHandle, _ meeting: MeetingID, _ message: SIPMessage, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) {
    let package = message.first(.infoPackage)
    if let package {
      let name = package.prefix { $0 != ";" && $0 != " " }
      guard name.lowercased() == "cccp" else { throw .unknownInfoPackage }
    }
    let body = try SignallingBody(of: message)
    guard let request = body.request else { throw .badBody("the INFO carries no C3P request") }
    let key = CommandMemory.Key(dialog: call, requestID: request.requestID)
    let isRepeat: CommandMemory.Answer? = memory.answer(to: key, now: now)
    let answer: CommandMemory.Answer
    var endsMeeting = false
    if let isRepeat {
      answer = isRepeat
    } else {
      do throws(AVConferencingError) {
        let result = try execute(request, in: meeting, now: now, into: &outputs)
        let response = C3PResponse(to: request, code: .success, result: result)
        answer = CommandMemory.Answer(status: 200, body: response.encoded())
        if case .deleteConference = request.command { endsMeeting = true }
      } catch {
        let response = C3PResponse(
          to: request, code: .failure, reason: error.c3pReason.map { C3PReason(rawValue: $0) })
        answer = CommandMemory.Answer(status: error.commandStatus, body: response.encoded())
        outputs.append(
          .log(
            .commandFailed(
              callID: message.callIDText, command: String(request.command.name.prefix(64)), status: error.commandStatus,
              reason: error.text)))
      }
      memory.remember(answer, to: key, now: now)
    }
    let document = MessageBody(contentType: C3PRequest.contentType, bytes: answer.body)
    if package == nil {
      agent.respond(to: handle, status: answer.status, body: document, now: now, into: &queue)
    } else {
      // RFC 6086 §4.2.3 keeps package bodies out of responses: the result goes back in an INFO of ours.
      agent.respond(to: handle, status: 200, now: now, into: &queue)
      _ = agent.request(
        .info, in: call,
        headers: [HeaderField("Info-Package", "cccp"), HeaderField("Content-Disposition", "Info-Package")],
        body: document, now: now, into: &queue)
    }
    if endsMeeting { closeMeeting(meeting, reason: "deleted", cause: 200, now: now, into: &outputs) }
  }

  private mutating func execute(
    _ request: C3PRequest, in id: MeetingID, now: Instant, into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) -> C3PResponse.Result {
    guard let meeting = meetings[id] else { throw .unknownConference }
    func check(_ conference: String) throws(AVConferencingError) {
      guard conference == meeting.entity else { throw .unknownConference }
    }
    switch request.command {
    case .modifyEndpointMedia(let keys, let media):
      try check(keys.conference)
      try filter(keys, media, in: meeting, now: now, into: &outputs)
      return C3PResponse.Result(keys: ConferenceKeys(conference: meeting.entity))
    case .deleteUser(let keys):
      try check(keys.conference)
      guard let endpoints = meeting.endpointsOfUser[keys.user] else { throw .unknownUser }
      let gone = endpoints.sorted().compactMap { endpoint in
        meeting.legOfEndpoint[EndpointKey(user: keys.user, endpoint: endpoint)]
      }
      guard !gone.isEmpty else { throw .unknownUser }
      for leg in gone {
        hangUp(leg, reason: "SIP;cause=403;text=\"removed\"", now: now)
        close(leg, reason: "removed", method: .booted, now: now, into: &outputs)
      }
      return C3PResponse.Result(keys: ConferenceKeys(conference: meeting.entity))
    case .deleteConference(let keys):
      try check(keys.conference)
      return C3PResponse.Result(keys: keys)
    case .getConference(let keys):
      try check(keys.conference)
      // As much as one message holds; the subscription is where a large meeting is told whole.
      let users = allUsers(of: meeting)
      let told = Array(users.prefix(count(of: users, in: meeting)))
      return C3PResponse.Result(keys: keys, conference: document(of: meeting, users: told))
    case .modifyConference(let change):
      try check(change.entity)
      try modify(id, change)
      return C3PResponse.Result(keys: ConferenceKeys(conference: meeting.entity))
    case .addConference, .addUser, .modifyConferenceLock, .modifyUserRoles, .unknown:
      // Dial-out, roles and locks are the Focus's; a second addConference has its own dialog.
      throw .commandNotSupported(String(request.command.name.prefix(64)))
    }
  }

  /// `modifyEndpointMedia`: mute (ingress) and deafen (egress); by filter, else by the status that is wished.
  private mutating func filter(
    _ keys: MediaKeys, _ media: ConferenceInfo.Media, in meeting: Meeting, now: Instant,
    into outputs: inout [AVConferencingOutput]
  ) throws(AVConferencingError) {
    guard let endpoints = meeting.endpointsOfUser[keys.user] else { throw .unknownUser }
    guard endpoints.contains(keys.endpoint),
      let id = meeting.legOfEndpoint[EndpointKey(user: keys.user, endpoint: keys.endpoint)], var leg = legs[id]
    else { throw .unknownEndpoint }
    guard keys.media == ParticipantLeg.mediaID else { throw .unknownMedia }
    var (ingress, egress) = (leg.ingressBlocked, leg.egressBlocked)
    if media.ingressFilter != nil || media.egressFilter != nil {
      if let wish = media.ingressFilter { ingress = wish == .block }
      if let wish = media.egressFilter { egress = wish == .block }
    } else if let status = media.status {
      ingress = status == .recvonly || status == .inactive
      egress = status == .sendonly || status == .inactive
    } else {
      throw .badCommand("modifyEndpointMedia asks for nothing")
    }
    let isOnWorker = leg.state != .offering
    if ingress != leg.ingressBlocked {
      leg.ingressBlocked = ingress
      if isOnWorker { tell(leg.worker, of: leg.meeting, .setIngress(id, blocked: ingress), into: &outputs) }
    }
    if egress != leg.egressBlocked {
      leg.egressBlocked = egress
      if isOnWorker { tell(leg.worker, of: leg.meeting, .setEgress(id, blocked: egress), into: &outputs) }
    }
    legs[id] = leg
    noteChange(of: leg, now: now)
  }

  /// `modifyConference`: how newcomers start. Layouts need video, which this host has not (P9).
  private mutating func modify(_ id: MeetingID, _ change: ConferenceInfo) throws(AVConferencingError) {
    let states = change.views.compactMap(\.entityState)
    guard states.allSatisfy({ $0.videoLayout == nil }) else { throw .commandNotSupported("video-layout") }
    guard let rules = states.lazy.compactMap(\.filterRules).first else {
      throw .commandNotSupported("modifyConference")
    }
    guard rules.initialFilters.count <= 16 else { throw .badCommand("too many filter rules") }
    meetings[id]?.initialFilters = rules.initialFilters
  }
}
