//  NonInviteClientTransaction.swift: the client side of one request that is not INVITE (RFC 3261 §17.1.2).
import Primitives

/// The client side of one request that is not INVITE (RFC 3261 §17.1.2).
///
///     trying ──1xx──▶ proceeding ──200…699──▶ completed ──K──▶ terminated
///       │ E: again       │ E: again every T2
///       ├──200…699───────────────────────────▶ completed
///       └──F, transport──┴──▶ terminated
package struct NonInviteClientTransaction: Sendable {
  package enum State: Hashable, Sendable {
    case initial
    case trying(interval: Interval)
    case proceeding, completed, terminated
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
      actions += [.transmitRequest, .start(.f, timers.patience)]
      if !isReliable { actions.append(.start(.e, timers.t1)) }
      return .trying(interval: timers.t1)

    case (.trying(let interval), .timer(.e)):
      let longer = min(interval * 2, timers.t2)
      actions += [.transmitRequest, .start(.e, longer)]
      return .trying(interval: longer)
    case (.proceeding, .timer(.e)):
      actions += [.transmitRequest, .start(.e, timers.t2)]
      return .proceeding
    case (.trying, .provisional), (.proceeding, .provisional):
      actions.append(.deliver)
      return .proceeding

    case (.trying, .success), (.trying, .failure), (.proceeding, .success), (.proceeding, .failure):
      actions += [.stop(.e), .deliver]
      actions.append(isReliable ? .terminated : .start(.k, timers.t4))
      return isReliable ? .terminated : .completed
    case (.trying, .timer(.f)), (.proceeding, .timer(.f)):
      actions += [.failed(.timedOut), .terminated]
      return .terminated
    case (.trying, .transportFailed), (.proceeding, .transportFailed):
      actions += [.failed(.transport), .terminated]
      return .terminated
    case (.completed, .timer(.k)):
      actions.append(.terminated)
      return .terminated

    // Repeated responses are absorbed while completed; nothing but INVITE is cancelled.
    case (.initial, _), (.trying, _), (.proceeding, _), (.completed, _), (.terminated, _):
      return state
    }
  }
}
