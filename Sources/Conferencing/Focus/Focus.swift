//  Focus.swift: the state of one active conference: who may be in, who is, and which server carries them (RFC 4353 §4).
//  Walk: FocusUserAgent → Focus → ConferencingServerFactory, ParticipantLeg, ConferenceSubscriptions

import Primitives

/// What a Focus is told once.
public struct FocusPolicy: Hashable, Sendable {
  public var maximumParticipants = 1_000
  public var gracePeriod = Interval.seconds(30)
  /// From `join` to `admit` or `refuse`, whatever the servers do.
  public var joinTimeout = Interval.seconds(20)
  public var serverAttempts = Limits.serverAttempts

  public init() {}
}

/// One active conference, from its first caller to its end. Knows no SIP: `FocusUserAgent` translates.
///
///     activating ──serverReady──▶ active ⇄ grace ──period over──▶ ended
///         ▲  └──no server, nobody waits──▶ ended        ▲ (the last one left; somebody joins)
///         └──serverLost, some still wait── active
///
/// A participant is `waiting` for a server, then `joining` while the server makes the leg, then `joined`.
public struct Focus: Sendable {
  public enum State: Hashable, Sendable {
    /// No server yet; `excluded` ones have refused or failed.
    case activating(excluded: Set<ConferencingServerID>)
    case active(ConferencingServerID)
    /// Nobody is here; the server is kept.
    case grace(ConferencingServerID, until: Instant)
    case ended
  }

  public struct Participant: Hashable, Sendable {
    public enum Phase: Hashable, Sendable { case waiting, joining, joined }
    public let id: ParticipantID
    public let joiner: Joiner
    /// Unique in the conference; the server reports by it.
    public let endpointEntity: String
    public internal(set) var phase: Phase
    var digitTotal = 0
  }

  public let name: ConferenceName
  /// The conference URI: `entity` of its documents.
  public let entity: String
  public let policy: FocusPolicy
  public private(set) var state = State.activating(excluded: [])
  public private(set) var roster = Roster()
  public private(set) var participants: [ParticipantID: Participant] = [:]
  private var byEndpoint: [String: ParticipantID] = [:]
  /// Of those who are not in yet.
  private var deadlines: [ParticipantID: Instant] = [:]
  /// Servers that forgot the conference since somebody was last let in.
  private var forgetful: Set<ConferencingServerID> = []

  public init(name: ConferenceName, entity: String, policy: FocusPolicy) {
    self.name = name
    self.entity = entity
    self.policy = policy
  }

  // MARK: Inputs

  public mutating func handle(_ input: FocusInput, now: Instant, into outputs: inout [FocusOutput]) {
    state = next(input, now, &outputs)  // with `advance`, the only assignment to `state`
  }

  public mutating func advance(to now: Instant, into outputs: inout [FocusOutput]) {
    for id in deadlines.keys.sorted() where deadlines[id] ?? .never <= now {
      refuse(id, .serverUnreachable, now, &outputs)
    }
    switch state {
    case .grace(_, let until) where until <= now: state = end(.deserted, now, &outputs)
    case .active(let server) where participants.isEmpty: state = .grace(server, until: now + policy.gracePeriod)
    case .activating where participants.isEmpty: state = end(.unserved, now, &outputs)
    case .activating, .active, .grace, .ended: break
    }
  }

  public var nextDeadline: Instant {
    var deadline = Instant.never
    if case .grace(_, let until) = state { deadline = until }
    for until in deadlines.values { deadline = min(deadline, until) }
    return deadline
  }

  /// The server that carries the conference.
  public var server: ConferencingServerID? {
    switch state {
    case .active(let server), .grace(let server, _): server
    case .activating, .ended: nil
    }
  }

  // MARK: Transitions

  private mutating func next(_ input: FocusInput, _ now: Instant, _ outputs: inout [FocusOutput]) -> State {
    switch (state, input) {
    case (.ended, .join(let id, _)):
      outputs.append(.refuse(id, .conferenceDoesNotExist))
      return state
    case (.ended, _): return state

    case (_, .join(let id, let joiner)): return join(id, joiner, now, &outputs)
    case (_, .leave(let id, let cause)): return leave(id, cause, now, &outputs)
    case (_, .eject(let id)): return eject(id, now, &outputs)
    case (_, .end(let cause)): return end(cause, now, &outputs)
    case (_, .lock(let locked)):
      if roster.lock(locked) { outputs.append(.rosterChanged) }
      return state

    case (.activating, .serverReady(let server)): return activate(on: server, now, &outputs)
    case (.activating(let excluded), .serverRefused(let server, let error)):
      return retry(excluded, server, error, now, &outputs)
    case (.activating(let excluded), .serverLost(let server)):
      return retry(excluded, server, .serverUnreachable, now, &outputs)
    // The leg that speaks was suspended with its server, or the server with its reports was given up.
    case (.activating, .legAnswered), (.activating, .legRefused), (.activating, .legEnded), (.activating, .reported):
      return state

    case (.active(let server), .serverLost(let lost)), (.grace(let server, _), .serverLost(let lost)):
      return server == lost ? loseServer(server, .serverUnreachable, now, &outputs) : state
    case (.active, .legAnswered(let id, let media)):
      admit(id, media, now, &outputs)
      return state
    case (.active(let server), .legRefused(let id, let error)):
      return legRefused(id, error, by: server, now, &outputs)
    case (.active, .legEnded(let id, let cause)): return legEnded(id, cause, now, &outputs)
    case (.active(let server), .reported(let reporter, let endpoints)):
      return server == reporter ? merge(endpoints, now, &outputs) : state
    // A second `serverReady` or a late refusal is of an attempt that was given up.
    case (.active, .serverReady), (.active, .serverRefused), (.grace, .serverReady), (.grace, .serverRefused):
      return state
    // Nobody is here whose leg or endpoint it could be.
    case (.grace, .legAnswered), (.grace, .legRefused), (.grace, .legEnded), (.grace, .reported): return state
    }
  }

  /// Admission. Open meetings let everyone in; policies are decided here.
  private func admissionError() -> ConferencingError? {
    if roster.isLocked { return .locked }
    if participants.count >= policy.maximumParticipants { return .conferenceFull }
    return nil
  }

  private mutating func join(
    _ id: ParticipantID, _ joiner: Joiner, _ now: Instant, _ outputs: inout [FocusOutput]
  ) -> State {
    guard participants[id] == nil else { return state }
    if let error = admissionError() {
      outputs.append(.refuse(id, error))
      outputs.append(.record(.participantRefused(name, id, user: joiner.userEntity, cause: .refused(error), at: now)))
      return afterDeparture(now, &outputs)
    }
    let isFirst = participants.isEmpty
    let endpoint = Self.endpointEntity(of: joiner, id)
    var participant = Participant(id: id, joiner: joiner, endpointEntity: endpoint, phase: .waiting)
    byEndpoint[endpoint] = id
    deadlines[id] = now + policy.joinTimeout
    let next: State
    switch state {
    case .activating(let excluded):
      if isFirst { outputs.append(.provision(excluding: excluded)) }
      next = state
    case .active(let server), .grace(let server, _):
      participant.phase = .joining
      outputs.append(.openLeg(id))
      next = .active(server)
    case .ended: next = state
    }
    participants[id] = participant
    return next
  }

  private mutating func leave(
    _ id: ParticipantID, _ cause: LeaveCause, _ now: Instant, _ outputs: inout [FocusOutput]
  ) -> State {
    guard participants[id] != nil else { return state }
    outputs.append(.closeLeg(id))
    forget(id, cause, now, &outputs)
    return afterDeparture(now, &outputs)
  }

  private mutating func eject(_ id: ParticipantID, _ now: Instant, _ outputs: inout [FocusOutput]) -> State {
    guard let participant = participants[id] else { return state }
    if participant.phase == .joined {
      outputs.append(.dismiss(id, .ejected))
      forget(id, .ejected, now, &outputs)
    } else {
      refuse(id, .notAuthorized, now, &outputs)
    }
    return afterDeparture(now, &outputs)
  }

  private mutating func activate(
    on server: ConferencingServerID, _ now: Instant, _ outputs: inout [FocusOutput]
  ) -> State {
    outputs.append(.record(.conferencePlaced(name, server: server, at: now)))
    outputs.append(.log(ConferencingLogEvent(.conferencePlaced(server), conference: name)))
    for id in participants.keys.sorted() {
      guard participants[id]?.phase == .waiting else { continue }
      participants[id]?.phase = .joining
      outputs.append(.openLeg(id))
    }
    return .active(server)
  }

  /// The attempt at a server failed: the next one, or nobody gets in.
  private mutating func retry(
    _ excluded: Set<ConferencingServerID>, _ server: ConferencingServerID?, _ error: ConferencingError, _ now: Instant,
    _ outputs: inout [FocusOutput]
  ) -> State {
    if let server, error.isWorthAnotherServer {
      let tried = excluded.union([server])
      if tried.count < policy.serverAttempts {
        outputs.append(.provision(excluding: tried))
        return .activating(excluded: tried)
      }
    }
    // A caller is told why the servers that exist failed, rather than that no further one exists.
    let told: ConferencingError = server == nil && !excluded.isEmpty ? .noServerAvailable : error
    for id in participants.keys.sorted() { refuse(id, told, now, &outputs) }
    return end(.unserved, now, &outputs)
  }

  /// Those who are in lose their media and are dismissed; those who were about to come in wait for another server.
  private mutating func loseServer(
    _ server: ConferencingServerID, _ error: ConferencingError, _ now: Instant, _ outputs: inout [FocusOutput]
  ) -> State {
    outputs.append(.log(ConferencingLogEvent(.serverFailed(server, error), conference: name)))
    for participant in participants.values.sorted(by: { $0.id < $1.id }) {
      switch participant.phase {
      case .waiting: break
      case .joining:
        outputs.append(.suspendLeg(participant.id))
        participants[participant.id]?.phase = .waiting
      case .joined:
        outputs.append(.dismiss(participant.id, .serverLost))
        forget(participant.id, .serverLost, now, &outputs)
      }
    }
    if participants.isEmpty { return end(.serverLost, now, &outputs) }
    // A server that forgot the conference was restarted, and is as good as any; once.
    let isForgiven = error == .serverForgotConference && forgetful.insert(server).inserted
    let excluded: Set<ConferencingServerID> = isForgiven ? [] : [server]
    outputs.append(.releaseServer)
    outputs.append(.provision(excluding: excluded))
    return .activating(excluded: excluded)
  }

  private mutating func legRefused(
    _ id: ParticipantID, _ error: ConferencingError, by server: ConferencingServerID, _ now: Instant,
    _ outputs: inout [FocusOutput]
  ) -> State {
    guard participants[id]?.phase == .joining else { return state }
    if error == .serverForgotConference { return loseServer(server, error, now, &outputs) }
    // A meeting has one server: it moves to another one only while nobody is in.
    let isMovable = !participants.values.contains { $0.phase == .joined }
    if error.isWorthAnotherServer, isMovable { return loseServer(server, error, now, &outputs) }
    refuse(id, error, now, &outputs)
    return afterDeparture(now, &outputs)
  }

  private mutating func legEnded(
    _ id: ParticipantID, _ cause: LeaveCause, _ now: Instant, _ outputs: inout [FocusOutput]
  ) -> State {
    guard let participant = participants[id] else { return state }
    if participant.phase == .joined {
      outputs.append(.dismiss(id, cause))
      forget(id, cause, now, &outputs)
    } else {
      refuse(id, .serverUnreachable, now, &outputs)
    }
    return afterDeparture(now, &outputs)
  }

  private mutating func admit(
    _ id: ParticipantID, _ media: [RosterMedium], _ now: Instant, _ outputs: inout [FocusOutput]
  ) {
    guard let participant = participants[id], participant.phase == .joining else { return }
    participants[id]?.phase = .joined
    deadlines[id] = nil
    forgetful = []
    let endpoint = RosterEndpoint(
      entity: participant.endpointEntity, participant: id, media: Array(media.prefix(Limits.mediaPerEndpoint)))
    roster.add(endpoint, of: participant.joiner, role: "attendee")
    outputs.append(.admit(id))
    outputs.append(.record(.participantJoined(name, id, user: participant.joiner.userEntity, at: now)))
    outputs.append(
      .log(
        ConferencingLogEvent(.participantJoined, conference: name, leg: id, callID: participant.joiner.callID)))
    outputs.append(.rosterChanged)
  }

  /// A server's report: what it says of an endpoint goes into the roster; one that is disconnected is dismissed.
  private mutating func merge(
    _ reports: [EndpointReport], _ now: Instant, _ outputs: inout [FocusOutput]
  ) -> State {
    var changed = false
    for report in reports {
      guard let id = byEndpoint[report.endpointEntity], participants[id]?.phase == .joined else { continue }
      let known = participants[id]?.digitTotal ?? 0
      if report.digitTotal > known {
        for _ in 0..<min(report.digitTotal &- known, Limits.digitsPerReport) {
          outputs.append(.log(ConferencingLogEvent(.digit, conference: name, leg: id)))
        }
        participants[id]?.digitTotal = report.digitTotal
      }
      if report.status == .disconnected {
        outputs.append(.dismiss(id, report.cause))
        forget(id, report.cause, now, &outputs)
        continue
      }
      let hasChanged = roster.modify(id) { endpoint in
        if let status = report.status { endpoint.status = status }
        if report.isPartial {
          for medium in report.media { endpoint.merge(medium) }
        } else {
          endpoint.media = Array(report.media.prefix(Limits.mediaPerEndpoint))
        }
      }
      changed = changed || hasChanged
    }
    if changed { outputs.append(.rosterChanged) }
    return afterDeparture(now, &outputs)
  }

  // MARK: Departures

  private mutating func refuse(
    _ id: ParticipantID, _ error: ConferencingError, _ now: Instant, _ outputs: inout [FocusOutput]
  ) {
    guard participants[id] != nil else { return }
    outputs.append(.refuse(id, error))
    forget(id, .refused(error), now, &outputs)
  }

  private mutating func forget(
    _ id: ParticipantID, _ cause: LeaveCause, _ now: Instant, _ outputs: inout [FocusOutput]
  ) {
    guard let participant = participants.removeValue(forKey: id) else { return }
    byEndpoint[participant.endpointEntity] = nil
    deadlines[id] = nil
    let user = participant.joiner.userEntity
    guard participant.phase == .joined else {
      outputs.append(.record(.participantRefused(name, id, user: user, cause: cause, at: now)))
      return
    }
    roster.remove(id)
    outputs.append(.record(.participantLeft(name, id, user: user, cause: cause, at: now)))
    outputs.append(
      .log(
        ConferencingLogEvent(
          .participantLeft(cause), conference: name, leg: id, callID: participant.joiner.callID)))
    outputs.append(.rosterChanged)
  }

  private mutating func afterDeparture(_ now: Instant, _ outputs: inout [FocusOutput]) -> State {
    guard participants.isEmpty else { return state }
    switch state {
    case .activating: return end(.deserted, now, &outputs)
    case .active(let server): return .grace(server, until: now + policy.gracePeriod)
    case .grace, .ended: return state
    }
  }

  private mutating func end(_ cause: ConferenceEnd, _ now: Instant, _ outputs: inout [FocusOutput]) -> State {
    for participant in participants.values.sorted(by: { $0.id < $1.id }) {
      if participant.phase == .joined {
        outputs.append(.dismiss(participant.id, .conferenceEnded))
        forget(participant.id, .conferenceEnded, now, &outputs)
      } else {
        refuse(participant.id, .conferenceDoesNotExist, now, &outputs)
      }
    }
    outputs.append(.releaseServer)
    outputs.append(.record(.conferenceEnded(name, cause: cause, at: now)))
    outputs.append(.log(ConferencingLogEvent(.conferenceEnded(cause), conference: name)))
    outputs.append(.ended)
    return .ended
  }

  /// `bo-17`: the user part, of harmless characters only, and the participant's number, which makes it unique.
  private static func endpointEntity(of joiner: Joiner, _ id: ParticipantID) -> String {
    let user = joiner.userEntity.split(separator: ":", maxSplits: 1).last?.split(separator: "@").first ?? ""
    let harmless = user.utf8.filter(ConferenceName.isUnreserved).prefix(32)
    let stem = harmless.isEmpty ? "endpoint" : String(decoding: harmless, as: UTF8.self)
    return "\(stem)-\(id.number)"
  }
}
