//  TransactionInput.swift: what the state machines are told and what they want done.
import Primitives

/// What a client transaction is told.
package enum ClientTransactionInput: Hashable, Sendable {
  case begin
  case provisional, success, failure
  /// CANCEL was sent: no final response within 64·T1 ends the transaction (RFC 3261 §9.1).
  case cancelled
  case timer(TransactionTimer)
  case transportFailed

  package init(status: Int) {
    self = status < 200 ? .provisional : status < 300 ? .success : .failure
  }
}

/// What a server transaction is told: by the network, then by the transaction user.
package enum ServerTransactionInput: Hashable, Sendable {
  case begin
  /// The request again.
  case request
  case ack
  case provisional, success, failure
  case timer(TransactionTimer)
  case transportFailed

  package init(status: Int) {
    self = status < 200 ? .provisional : status < 300 ? .success : .failure
  }
}

/// What a transaction wants done.
package enum TransactionAction: Hashable, Sendable {
  case transmitRequest, transmitACK, transmitTrying
  /// The last response given by the transaction user.
  case transmitResponse
  /// Hand the message that was just received to the transaction user.
  case deliver
  case start(TransactionTimer, Interval)
  case stop(TransactionTimer)
  case failed(TransactionFailure)
  case terminated
}
