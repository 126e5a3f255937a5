//  NonInviteServerTransaction.swift: the server side of one request that is not INVITE (RFC 3261 §17.2.2).
import Primitives

/// The server side of one request that is not INVITE (RFC 3261 §17.2.2).
///
///     trying ──1xx──▶ proceeding ──200…699──▶ completed ──J──▶ terminated
///       └──200…699──▶ completed
///
/// A transport failure ends it in any state.
package struct NonInviteServerTransaction: Sendable {
  package enum State: Hashable, Sendable {
    case initial, trying, proceeding, completed, terminated
  }

  package private(set) var state = State.initial
  let isReliable: Bool
  let timers: TransactionTimers

  package init(isReliable: Bool, timers: TransactionTimers = TransactionTimers()) {
    self.isReliable = isReliable
    self.timers = timers
  }

  package mutating func handle(_ input: ServerTransactionInput, into actions: inout [TransactionAction]) {
    state = next(input, &actions)  // the only assignment to `state`
  }

  private func next(_ input: ServerTransactionInput, _ actions: inout [TransactionAction]) -> State {
    switch (state, input) {
    case (.initial, .begin):
      actions.append(.deliver)
      return .trying

    case (.trying, .provisional), (.proceeding, .provisional):
      actions.append(.transmitResponse)
      return .proceeding
    case (.trying, .success), (.trying, .failure), (.proceeding, .success), (.proceeding, .failure):
      actions += [.transmitResponse, isReliable ? .terminated : .start(.j, timers.patience)]
      return isReliable ? .terminated : .completed
    case (.proceeding, .request), (.completed, .request):
      actions.append(.transmitResponse)
      return state
    case (.completed, .timer(.j)):
      actions.append(.terminated)
      return .terminated
    case (.trying, .transportFailed), (.proceeding, .transportFailed), (.completed, .transportFailed):
      actions += [.failed(.transport), .terminated]
      return .terminated

    // A repeated request while trying is absorbed; a second final response is not sent.
    case (.initial, _), (.trying, _), (.proceeding, _), (.completed, _), (.terminated, _):
      return state
    }
  }
}
