//  InviteClientTransaction.swift: the client side of one INVITE (RFC 3261 §17.1.1, corrected by RFC 6026 §8.4).
import Primitives

/// The client side of one INVITE (RFC 3261 §17.1.1, corrected by RFC 6026 §8.4).
///
///     calling ──1xx──▶ proceeding ──CANCEL──▶ cancelling
///        │ A: INVITE again  │                     │ B: timed out
///        ├──────2xx─────────┴─────────────────────┴──▶ accepted ──M──▶ terminated
///        ├──────300…699, ACK────────────────────────▶ completed ──D──▶ terminated
///        └──B, transport──▶ terminated
///
/// The RFC's picture has no `cancelling`: it is proceeding with the time limit of §9.1. A connection that fails while
/// proceeding ends the transaction at once, where the RFC would wait for ever.
package struct InviteClientTransaction: Sendable {
  package enum State: Hashable, Sendable {
    case initial
    case calling(interval: Interval)
    case proceeding, cancelling, accepted, completed, terminated
  }

  package private(set) var state = State.initial
  let isReliable: Bool
  let timers: TransactionTimers

  package init(isReliable: Bool, timers: TransactionTimers = TransactionTimers()) {
    self.isReliable = isReliable
    self.timers = timers
  }

  package mutating func handle(_ input: ClientTransactionInput, into actions: inout [TransactionAction]) {
    state = next(input, &actions)  // the only assignment to `state`
  }

  private func next(_ input: ClientTransactionInput, _ actions: inout [TransactionAction]) -> State {
    switch (state, input) {
    case (.initial, .begin):
      actions += [.transmitRequest, .start(.b, timers.patience)]
      if !isReliable { actions.append(.start(.a, timers.t1)) }
      return .calling(interval: timers.t1)

    case (.calling(let interval), .timer(.a)):
      actions += [.transmitRequest, .start(.a, interval * 2)]
      return .calling(interval: interval * 2)
    case (.calling, .provisional):
      actions += [.stop(.a), .stop(.b), .deliver]
      return .proceeding
    case (.proceeding, .provisional), (.cancelling, .provisional):
      actions.append(.deliver)
      return state
    case (.proceeding, .cancelled):
      actions.append(.start(.b, timers.patience))
      return .cancelling

    case (.calling, .success), (.proceeding, .success), (.cancelling, .success):
      actions += [.stop(.a), .deliver, .start(.m, timers.patience)]
      return .accepted
    case (.calling, .failure), (.proceeding, .failure), (.cancelling, .failure):
      actions += [.stop(.a), .transmitACK, .deliver]
      actions.append(isReliable ? .terminated : .start(.d, timers.completedClient))
      return isReliable ? .terminated : .completed
    case (.calling, .timer(.b)), (.cancelling, .timer(.b)):
      actions += [.failed(.timedOut), .terminated]
      return .terminated
    case (.calling, .transportFailed), (.proceeding, .transportFailed), (.cancelling, .transportFailed),
      (.completed, .transportFailed):
      actions += [.failed(.transport), .terminated]
      return .terminated

    case (.accepted, .success):
      actions.append(.deliver)
      return .accepted
    case (.completed, .failure):
      actions.append(.transmitACK)
      return .completed
    case (.accepted, .timer(.m)), (.completed, .timer(.d)):
      actions.append(.terminated)
      return .terminated

    // A CANCEL before any response waits in the layer; a late response of another class, and timers of a state that
    // is over, change nothing.
    case (.initial, _), (.calling, _), (.proceeding, _), (.cancelling, _), (.accepted, _), (.completed, _),
      (.terminated, _):
      return state
    }
  }
}
