//  ParticipantLeg.swift: one participant's two dialogs, to the phone and to the media host, as one (RFC 7092 §3, P7).
//  Walk: Focus → ParticipantLeg → (host) AVConferencingServer

import Primitives
import SIP

/// The back-to-back user agent of one participant. Session descriptions pass through unread; the Focus decides whether
/// there is a leg at all, this machine that offers and answers meet.
///
///     waiting ──open──▶ inviting ──200──▶ answered ──admit──▶ established ⇄ renegotiating
///        ▲  (suspend)      │ refused         │                    ▲  └──▶ confirming (offer came in a 200)
///        └─────────────────┴─────────────────┘    confirming ─ACK─┘
///     any ──refuse, dismiss, close──▶ closed
public struct ParticipantLeg: Sendable {
  public enum Side: Hashable, Sendable {
    case phone, server

    var other: Side { self == .phone ? .server : .phone }
  }

  public enum State: Hashable, Sendable {
    /// The phone's INVITE is pending; there is no server.
    case waiting
    case inviting(until: Instant)
    /// The server's 200 came; the Focus has not decided.
    case answered(MessageBody)
    /// `asker` had sent no offer: the 200 to it carried the other side's, and its ACK brings the answer.
    case confirming(asker: Side)
    case established
    /// `asker`'s new offer, or its wish for one, is with the other side.
    case renegotiating(asker: Side, hasOffer: Bool)
    case closed
  }

  public enum Input: Hashable, Sendable {
    /// There is a server to invite.
    case open
    /// - Parameter body: the session description of the server's 200.
    case serverAnswered(body: MessageBody?, media: [RosterMedium])
    case serverRefused(ConferencingError)
    /// The server's dialog is over, not by us.
    case serverEnded(LeaveCause)
    case admit
    case suspend
    case refuse(ConferencingError)
    case dismiss(LeaveCause)
    /// The phone's dialog is over, not by us.
    case close
    /// The phone's ACK, or the server's to a re-INVITE of its own.
    case acknowledged(Side, body: MessageBody?)
    /// A re-INVITE or UPDATE by this side.
    case offered(Side, body: MessageBody?)
    /// This side's answer to what we passed on.
    case reofferAnswered(Side, body: MessageBody?)
    case reofferRefused(Side, ConferencingError)
  }

  public enum Output: Hashable, Sendable {
    case inviteServer(offer: MessageBody?)
    /// 200 to the phone's first INVITE.
    case answerPhone(MessageBody)
    /// Final refusal of the phone's first INVITE.
    case refusePhone(ConferencingError)
    case hangUp(Side, LeaveCause)
    case acknowledge(Side, MessageBody)
    /// A re-INVITE.
    case reoffer(Side, MessageBody?)
    /// 200 to this side's re-INVITE or UPDATE.
    case answer(Side, MessageBody?)
    case reject(Side, ConferencingError)
    /// To the Focus.
    case report(FocusInput)
  }

  public let id: ParticipantID
  /// The phone's offer, unread; `nil`: it wants ours.
  public let offer: MessageBody?
  public let serverTimeout: Interval
  public private(set) var state = State.waiting

  public init(id: ParticipantID, offer: MessageBody?, serverTimeout: Interval) {
    self.id = id
    self.offer = offer
    self.serverTimeout = serverTimeout
  }

  public mutating func handle(_ input: Input, now: Instant, into outputs: inout [Output]) {
    state = next(input, now, &outputs)  // with `advance`, the only assignment to `state`
  }

  public mutating func advance(to now: Instant, into outputs: inout [Output]) {
    guard case .inviting(let until) = state, until <= now else { return }
    outputs.append(.hangUp(.server, .serverLost))
    outputs.append(.report(.legRefused(id, .serverUnreachable)))
    state = .waiting
  }

  public var nextDeadline: Instant {
    if case .inviting(let until) = state { return until }
    return .never
  }

  private func next(_ input: Input, _ now: Instant, _ outputs: inout [Output]) -> State {
    switch (state, input) {
    case (.closed, _): return .closed

    // The Focus's decisions, in any state.
    case (.waiting, .refuse(let error)), (.inviting, .refuse(let error)), (.answered, .refuse(let error)):
      outputs.append(.refusePhone(error))
      outputs.append(.hangUp(.server, .refused(error)))
      return .closed
    case (.waiting, .dismiss(let cause)), (.inviting, .dismiss(let cause)), (.answered, .dismiss(let cause)):
      outputs.append(.refusePhone(.serverUnreachable))
      outputs.append(.hangUp(.server, cause))
      return .closed
    case (_, .refuse(let error)):
      outputs.append(.hangUp(.phone, .refused(error)))
      outputs.append(.hangUp(.server, .refused(error)))
      return .closed
    case (_, .dismiss(let cause)):
      outputs.append(.hangUp(.phone, cause))
      outputs.append(.hangUp(.server, cause))
      return .closed
    case (_, .close):
      outputs.append(.hangUp(.server, .departed))
      return .closed
    case (.waiting, .suspend): return .waiting
    case (_, .suspend):
      outputs.append(.hangUp(.server, .serverLost))
      return .waiting

    // The way in.
    case (.waiting, .open):
      outputs.append(.inviteServer(offer: offer))
      return .inviting(until: now + serverTimeout)
    case (.inviting, .serverAnswered(let body, let media)):
      guard let body else {
        outputs.append(.hangUp(.server, .refused(.badServerAnswer)))
        outputs.append(.report(.legRefused(id, .badServerAnswer)))
        return .waiting
      }
      outputs.append(.report(.legAnswered(id, media: media)))
      return .answered(body)
    case (.inviting, .serverRefused(let error)):
      outputs.append(.report(.legRefused(id, error)))
      return .waiting
    case (.inviting, .serverEnded), (.answered, .serverEnded):
      outputs.append(.report(.legRefused(id, .serverUnreachable)))
      return .waiting
    case (.answered(let body), .admit):
      outputs.append(.answerPhone(body))
      return offer == nil ? .confirming(asker: .phone) : .established

    // An answer in the ACK.
    case (.confirming(let asker), .acknowledged(let side, let body)):
      guard side == asker else { return state }
      guard let body else {
        // RFC 3261 §13.2.1: the answer must be there. Without it the other side has no media to go on with.
        outputs.append(.report(.legEnded(id, .unreachable)))
        return state
      }
      outputs.append(.acknowledge(asker.other, body))
      return .established

    // A new offer: pass it on, and its answer back.
    case (.established, .offered(let asker, let body)):
      outputs.append(.reoffer(asker.other, body))
      return .renegotiating(asker: asker, hasOffer: body != nil)
    case (.confirming, .offered(let asker, _)), (.renegotiating, .offered(let asker, _)),
      (.answered, .offered(let asker, _)):
      outputs.append(.reject(asker, .offerPending))
      return state
    case (.renegotiating(let asker, let hasOffer), .reofferAnswered(let side, let body)):
      guard side == asker.other else { return state }
      outputs.append(.answer(asker, body))
      return hasOffer || body == nil ? .established : .confirming(asker: asker)
    case (.renegotiating(let asker, _), .reofferRefused(let side, let error)):
      guard side == asker.other else { return state }
      outputs.append(.reject(asker, error))
      return .established

    case (.confirming, .serverEnded(let cause)), (.established, .serverEnded(let cause)),
      (.renegotiating, .serverEnded(let cause)):
      outputs.append(.report(.legEnded(id, cause)))
      return state

    // Late words of a server that was given up, and ACKs that carry nothing.
    case (.waiting, .serverAnswered), (.waiting, .serverRefused), (.waiting, .serverEnded), (.waiting, .admit),
      (.waiting, .acknowledged), (.waiting, .offered), (.waiting, .reofferAnswered), (.waiting, .reofferRefused):
      return state
    case (.inviting, .open), (.inviting, .admit), (.inviting, .acknowledged), (.inviting, .offered),
      (.inviting, .reofferAnswered), (.inviting, .reofferRefused):
      return state
    case (.answered, .open), (.answered, .serverAnswered), (.answered, .serverRefused), (.answered, .acknowledged),
      (.answered, .reofferAnswered), (.answered, .reofferRefused):
      return state
    case (.confirming, .open), (.confirming, .serverAnswered), (.confirming, .serverRefused), (.confirming, .admit),
      (.confirming, .reofferAnswered), (.confirming, .reofferRefused):
      return state
    case (.established, .open), (.established, .serverAnswered), (.established, .serverRefused),
      (.established, .admit), (.established, .acknowledged), (.established, .reofferAnswered),
      (.established, .reofferRefused):
      return state
    case (.renegotiating, .open), (.renegotiating, .serverAnswered), (.renegotiating, .serverRefused),
      (.renegotiating, .admit), (.renegotiating, .acknowledged):
      return state
    }
  }
}
