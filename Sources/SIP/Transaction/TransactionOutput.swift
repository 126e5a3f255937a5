//  TransactionOutput.swift: what a `TransactionLayer` puts out, and its reasons for not doing so.

/// What a `TransactionLayer` puts out, to be handled in order.
public enum TransactionOutput: Sendable {
  case transmit([UInt8], SIPFlow)
  /// A new request: `respond` to it.
  case request(IncomingRequest)
  /// An ACK for a 2xx, or one whose INVITE is long over. The transaction is there only for an RFC 2543 peer, whose ACK
  /// still matches its INVITE.
  case ack(SIPMessage, SIPFlow, TransactionID?)
  /// A response to a request that was sent here, 100 included; each repetition of a 2xx to INVITE for 64·T1.
  case response(TransactionID, SIPMessage, SIPFlow)
  /// Of a client: it is over. Of a server: the response may not have arrived (`.transport`), or no ACK came.
  case failed(TransactionID, TransactionFailure)
  /// The last word about a transaction.
  case terminated(TransactionID)
}

/// A request that made a server transaction.
public struct IncomingRequest: Sendable {
  public let transaction: TransactionID
  public let message: SIPMessage
  public let flow: SIPFlow
  /// It came before by another path: answer 482 (RFC 3261 §8.2.2.2).
  public let isMerged: Bool
  /// Of a CANCEL: the INVITE transaction that it names; answer 481 when there is none.
  public let cancels: TransactionID?
}

/// Why a transaction could not do its work.
public enum TransactionFailure: Error, Hashable, Sendable {
  /// Timer B or F: no final response.
  case timedOut
  /// The message could not be sent, or the connection that the answer was to come by is gone.
  case transport
  /// Timer H: no ACK for a 300…699 response.
  case noACK
}

/// Why a request was not sent.
public enum TransactionRefusal: Error, Hashable, Sendable {
  /// `clientTransactions` are running.
  case full
  /// The builder is not a request with the fields that every request has, or it is an ACK.
  case invalid(SIPParseError)
}

/// What a `TransactionLayer` dropped or refused.
public struct TransactionCounters: Hashable, Sendable {
  /// Requests answered 503 because a table was full.
  public var refusedRequests: UInt64 = 0
  /// Responses without a transaction: late repetitions, or forged.
  public var strayResponses: UInt64 = 0
}
