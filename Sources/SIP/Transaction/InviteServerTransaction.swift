//  InviteServerTransaction.swift: the server side of one INVITE (RFC 3261 §17.2.1, corrected by RFC 6026 §8.5).
import Primitives

/// The server side of one INVITE (RFC 3261 §17.2.1, corrected by RFC 6026 §8.5).
///
///     proceeding ──2xx──▶ accepted ──L──▶ terminated
///          └──300…699──▶ completed ──ACK──▶ confirmed ──I──▶ terminated
///                            │ G: response again
///                            └──H──▶ terminated, no ACK
///
/// A transport failure is reported and changes no state (RFC 6026): the ACK or a new INVITE may still come.
package struct InviteServerTransaction: Sendable {
  package enum State: Hashable, Sendable {
    case initial
    /// - Parameter isAnswered: a provisional response was sent, so that a repeated INVITE gets it again.
    case proceeding(isAnswered: Bool)
    case accepted
    case completed(interval: Interval)
    case confirmed, terminated
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
      actions += [.start(.trying, timers.trying), .deliver]
      return .proceeding(isAnswered: false)

    case (.proceeding(isAnswered: false), .timer(.trying)), (.proceeding(isAnswered: false), .request):
      actions += [.stop(.trying), .transmitTrying]
      return .proceeding(isAnswered: true)
    case (.proceeding(isAnswered: true), .request):
      actions.append(.transmitResponse)
      return state
    case (.proceeding, .provisional):
      actions += [.stop(.trying), .transmitResponse]
      return .proceeding(isAnswered: true)
    case (.proceeding, .success):
      actions += [.stop(.trying), .transmitResponse, .start(.l, timers.patience)]
      return .accepted
    case (.proceeding, .failure):
      actions += [.stop(.trying), .transmitResponse, .start(.h, timers.patience)]
      if !isReliable { actions.append(.start(.g, timers.t1)) }
      return .completed(interval: timers.t1)

    // The transaction user repeats its 2xx until the ACK, which has a transaction of its own (RFC 3261 §13.3.1.4);
    // an ACK that still matches comes from an RFC 2543 peer.
    case (.accepted, .success):
      actions.append(.transmitResponse)
      return state
    case (.accepted, .ack):
      actions.append(.deliver)
      return state

    case (.completed, .request):
      actions.append(.transmitResponse)
      return state
    case (.completed(let interval), .timer(.g)):
      let longer = min(interval * 2, timers.t2)
      actions += [.transmitResponse, .start(.g, longer)]
      return .completed(interval: longer)
    case (.completed, .ack):
      actions += [.stop(.g), isReliable ? .terminated : .start(.i, timers.t4)]
      return isReliable ? .terminated : .confirmed
    case (.completed, .timer(.h)):
      actions += [.failed(.noACK), .terminated]
      return .terminated
    case (.accepted, .timer(.l)), (.confirmed, .timer(.i)):
      actions.append(.terminated)
      return .terminated
    case (.proceeding, .transportFailed), (.accepted, .transportFailed), (.completed, .transportFailed):
      actions.append(.failed(.transport))
      return state

    // A repeated INVITE is absorbed once a 2xx or the ACK is there; a second final response is not sent.
    case (.initial, _), (.proceeding, _), (.accepted, _), (.completed, _), (.confirmed, _), (.terminated, _):
      return state
    }
  }
}
