//  InviteState.swift: the life of one INVITE session, both roles, from INVITE to the end of BYE (RFC 3261 §13–§15).

/// Where a call stands. What happens inside a confirmed dialog (re-INVITE, UPDATE, refresh) is `Renegotiation`'s.
///
///     caller:  calling ──1xx──▶ early ──2xx──▶ confirmed ──BYE──▶ leaving ──▶ over
///                 │               │    └─2xx with their offer─▶ owing ──acknowledge──▶ confirmed
///                 └──hang up──────┴─▶ cancelling ──2xx──▶ leaving
///     callee:  incoming ──1xx──▶ ringing ──2xx──▶ accepted ──ACK──▶ confirmed
///                                                    └──hang up──▶ departing ──ACK or 64·T1──▶ leaving
enum InviteState: Hashable, Sendable {
  case calling, early, cancelling, owing
  case incoming, ringing, accepted
  case confirmed, departing, leaving, over

  enum Input: Hashable, Sendable {
    /// A response to our INVITE: 101…199; 2xx with their answer; 2xx with their offer; 300…699 or none at all.
    case provisional, answered, offered, refused
    /// The user: a provisional, a 2xx, a refusal, the ACK that was owed, the end.
    case ring, answer, reject, acknowledge, hangUp
    /// The peer: ACK of the 2xx, BYE, CANCEL.
    case ack, bye, cancel
    /// 64·T1 without ACK; rang too long; the session expired; the dialog or the path is gone; our BYE is finished.
    case noACK, rangTooLong, expired, lost, left
  }

  /// What the owner does about an input besides the state.
  enum Action: Hashable, Sendable {
    case nothing
    /// ACK the 2xx.
    case acknowledge
    /// ACK the 2xx without a body and send BYE: the user is gone.
    case acknowledgeAndLeave
    case sendCancel
    case sendBye
    /// A final response other than 2xx to the INVITE.
    case refuse
    /// Our response is to be sent as the user gave it.
    case respond
    /// The call is over without anything to send.
    case finish
  }

  var isCaller: Bool {
    switch self {
    case .calling, .early, .cancelling, .owing: true
    case .incoming, .ringing, .accepted, .confirmed, .departing, .leaving, .over: false
    }
  }
  /// The user still has this call: no `.refused` or `.ended` has been put out.
  var isOpen: Bool {
    switch self {
    case .calling, .early, .owing, .incoming, .ringing, .accepted, .confirmed: true
    case .cancelling, .departing, .leaving, .over: false
    }
  }

  mutating func handle(_ input: Input) -> Action {
    let (next, action) = Self.next(self, input)
    self = next
    return action
  }

  private static func next(_ state: InviteState, _ input: Input) -> (InviteState, Action) {
    switch (state, input) {
    // Caller, before the final response.
    case (.calling, .provisional), (.early, .provisional): (.early, .nothing)
    case (.calling, .answered), (.early, .answered): (.confirmed, .acknowledge)
    case (.calling, .offered), (.early, .offered): (.owing, .nothing)
    case (.calling, .refused), (.early, .refused): (.over, .finish)
    case (.calling, .hangUp), (.early, .hangUp), (.calling, .rangTooLong), (.early, .rangTooLong):
      (.cancelling, .sendCancel)
    case (.calling, .lost), (.early, .lost): (.over, .finish)
    // The callee may end an early dialog only by a final response; a BYE from it is taken for one.
    case (.calling, .bye), (.early, .bye): (.cancelling, .sendCancel)
    case (.calling, .ring), (.calling, .answer), (.calling, .reject), (.calling, .acknowledge), (.calling, .ack),
      (.calling, .cancel), (.calling, .noACK), (.calling, .expired), (.calling, .left),
      (.early, .ring), (.early, .answer), (.early, .reject), (.early, .acknowledge), (.early, .ack),
      (.early, .cancel), (.early, .noACK), (.early, .expired), (.early, .left):
      (state, .nothing)

    // Caller, hung up: the 2xx may have crossed our CANCEL (RFC 3261 §9.1).
    case (.cancelling, .answered), (.cancelling, .offered): (.leaving, .acknowledgeAndLeave)
    case (.cancelling, .refused), (.cancelling, .lost): (.over, .finish)
    case (.cancelling, .provisional), (.cancelling, .ring), (.cancelling, .answer), (.cancelling, .reject),
      (.cancelling, .acknowledge), (.cancelling, .hangUp), (.cancelling, .ack), (.cancelling, .bye),
      (.cancelling, .cancel), (.cancelling, .noACK), (.cancelling, .rangTooLong), (.cancelling, .expired),
      (.cancelling, .left):
      (.cancelling, .nothing)

    // Caller, the user owes the answer in the ACK.
    case (.owing, .acknowledge): (.confirmed, .acknowledge)
    case (.owing, .hangUp), (.owing, .rangTooLong), (.owing, .expired): (.leaving, .acknowledgeAndLeave)
    case (.owing, .bye), (.owing, .lost): (.over, .finish)
    case (.owing, .provisional), (.owing, .answered), (.owing, .offered), (.owing, .refused), (.owing, .ring),
      (.owing, .answer), (.owing, .reject), (.owing, .ack), (.owing, .cancel), (.owing, .noACK), (.owing, .left):
      (.owing, .nothing)

    // Callee, before the final response.
    case (.incoming, .ring), (.ringing, .ring): (.ringing, .respond)
    case (.incoming, .answer), (.ringing, .answer): (.accepted, .respond)
    case (.incoming, .reject), (.ringing, .reject), (.incoming, .hangUp), (.ringing, .hangUp): (.over, .refuse)
    case (.incoming, .cancel), (.ringing, .cancel), (.incoming, .bye), (.ringing, .bye): (.over, .refuse)
    case (.incoming, .rangTooLong), (.ringing, .rangTooLong): (.over, .refuse)
    case (.incoming, .lost), (.ringing, .lost): (.over, .finish)
    case (.incoming, .provisional), (.incoming, .answered), (.incoming, .offered), (.incoming, .refused),
      (.incoming, .acknowledge), (.incoming, .ack), (.incoming, .noACK), (.incoming, .expired), (.incoming, .left),
      (.ringing, .provisional), (.ringing, .answered), (.ringing, .offered), (.ringing, .refused),
      (.ringing, .acknowledge), (.ringing, .ack), (.ringing, .noACK), (.ringing, .expired), (.ringing, .left):
      (state, .nothing)

    // Callee, the 2xx is on its way. No BYE before the ACK (RFC 3261 §15).
    case (.accepted, .ack): (.confirmed, .nothing)
    case (.accepted, .hangUp): (.departing, .nothing)
    case (.accepted, .noACK), (.accepted, .expired): (.leaving, .sendBye)
    case (.accepted, .bye), (.accepted, .lost): (.over, .finish)
    case (.accepted, .provisional), (.accepted, .answered), (.accepted, .offered), (.accepted, .refused),
      (.accepted, .ring), (.accepted, .answer), (.accepted, .reject), (.accepted, .acknowledge),
      (.accepted, .cancel), (.accepted, .rangTooLong), (.accepted, .left):
      (.accepted, .nothing)
    case (.departing, .ack), (.departing, .noACK): (.leaving, .sendBye)
    case (.departing, .bye), (.departing, .lost): (.over, .finish)
    case (.departing, .provisional), (.departing, .answered), (.departing, .offered), (.departing, .refused),
      (.departing, .ring), (.departing, .answer), (.departing, .reject), (.departing, .acknowledge),
      (.departing, .hangUp), (.departing, .cancel), (.departing, .rangTooLong), (.departing, .expired),
      (.departing, .left):
      (.departing, .nothing)

    // Both.
    case (.confirmed, .hangUp), (.confirmed, .noACK), (.confirmed, .expired): (.leaving, .sendBye)
    case (.confirmed, .bye), (.confirmed, .lost): (.over, .finish)
    case (.confirmed, .provisional), (.confirmed, .answered), (.confirmed, .offered), (.confirmed, .refused),
      (.confirmed, .ring), (.confirmed, .answer), (.confirmed, .reject), (.confirmed, .acknowledge),
      (.confirmed, .ack), (.confirmed, .cancel), (.confirmed, .rangTooLong), (.confirmed, .left):
      (.confirmed, .nothing)
    // A BYE that crosses ours is answered, and ours still has its own end.
    case (.leaving, .left), (.leaving, .lost): (.over, .finish)
    case (.leaving, .provisional), (.leaving, .answered), (.leaving, .offered), (.leaving, .refused),
      (.leaving, .ring), (.leaving, .answer), (.leaving, .reject), (.leaving, .acknowledge), (.leaving, .hangUp),
      (.leaving, .ack), (.leaving, .bye), (.leaving, .cancel), (.leaving, .noACK), (.leaving, .rangTooLong),
      (.leaving, .expired):
      (.leaving, .nothing)
    case (.over, _): (.over, .nothing)
    }
  }
}
