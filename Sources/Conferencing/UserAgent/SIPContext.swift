//  SIPContext.swift: what the parts of the core share: the user agent, the factory, and whose each handle is.

import Primitives
import SIP

/// Whose a call is.
enum CallOwner: Hashable, Sendable {
  case phone(ConferenceName, ParticipantID)
  case server(ConferenceName, ParticipantID)
  /// - Parameter generation: of the `HostControl`.
  case control(ConferenceName, generation: UInt64)

  var conference: ConferenceName {
    switch self {
    case .phone(let name, _), .server(let name, _), .control(let name, _): name
    }
  }
}

/// What a request of ours is for.
enum RequestOwner: Hashable, Sendable {
  case command(ConferenceName, generation: UInt64, requestID: UInt64)
  case probe(ConferencingServerID)
}

enum SubscriptionOwner: Hashable, Sendable {
  /// Somebody watches a conference of ours.
  case watcher(ConferenceName)
  /// We watch a conference on its media host.
  case control(ConferenceName, generation: UInt64)
}

struct SIPContext: Sendable {
  let configuration: ConferencingConfiguration
  var userAgent: UserAgent
  var factory = ConferencingServerFactory()
  var calls: [CallHandle: CallOwner] = [:]
  var requests: [RequestHandle: RequestOwner] = [:]
  var subscriptions: [SubscriptionHandle: SubscriptionOwner] = [:]
  /// Of the user agent, to be performed in order.
  var queue: [UserAgentOutput] = []
  /// Records and log events since the last turn.
  var outputs: [ConferencingOutput] = []
  var nextGeneration: UInt64 = 1

  mutating func log(_ event: ConferencingLogEvent) { outputs.append(.log(event)) }

  // MARK: Answers

  /// Header fields of an error's answer, `ms-diagnostics` included.
  func headers(of answer: ConferencingError.Answer) -> [HeaderField] {
    var headers = answer.headers.map { HeaderField($0.name, $0.value) }
    if let code = answer.diagnostics {
      headers.append(HeaderField("ms-diagnostics", "\(code);reason=\"\(answer.c3pReason)\""))
    }
    return headers
  }

  mutating func reject(_ call: CallHandle, _ error: ConferencingError, now: Instant) {
    let answer = error.answer
    userAgent.reject(
      call, status: answer.status, reason: answer.phrase, headers: headers(of: answer), now: now, into: &queue)
  }

  mutating func respond(
    to request: ServerRequestHandle, _ error: ConferencingError, headers extra: [HeaderField] = [], now: Instant
  ) {
    let answer = error.answer
    userAgent.respond(
      to: request, status: answer.status, reason: answer.phrase, headers: headers(of: answer) + extra, now: now,
      into: &queue)
  }

  mutating func respond(
    to request: ServerRequestHandle, headers: [HeaderField] = [], body: MessageBody? = nil, now: Instant
  ) {
    userAgent.respond(to: request, status: 200, headers: headers, body: body, now: now, into: &queue)
  }

  // MARK: Calls

  /// Ends a call of ours or of a phone; nothing more is heard of it.
  mutating func hangUp(_ call: CallHandle, reason: String?, now: Instant) {
    calls[call] = nil
    userAgent.hangUp(call, reason: reason, now: now, into: &queue)
  }
}
