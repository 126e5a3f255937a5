//  TransactionKey.swift: how a message finds its transaction (RFC 3261 §17.1.3, §17.2.3).

/// The name of one transaction in a `TransactionLayer`. Never used twice.
public struct TransactionID: Hashable, Sendable {
  let slot: UInt32
  let generation: UInt32
}

/// Matches a request to the server transaction that it belongs to.
struct ServerTransactionKey: Hashable, Sendable {
  /// The branch, or for RFC 2543 peers the fields that take its place.
  let branch: String
  let sentBy: String
  /// INVITE for ACK.
  let method: SIPMethod

  /// - Throws: when Via, From or CSeq cannot be read.
  init(_ request: SIPMessage, _ via: Via, method: SIPMethod) throws(SIPParseError) {
    self.method = method
    guard via.hasMagicCookie else {
      // §17.2.3 compares the To tag as well, which an ACK has and its INVITE has not: the rest is distinct enough.
      let tag = try request.from.tag ?? ""
      branch = "\(request.requestURIText) \(tag) \(request.callID) \(try request.cseq.number)"
      sentBy = via.text
      return
    }
    branch = via.branch ?? ""
    sentBy = via.sentBy
  }

  var byteCount: Int { branch.utf8.count + sentBy.utf8.count }
}

/// Matches a response to its client transaction. The branch is our own and random, so sent-by adds nothing.
struct ClientTransactionKey: Hashable, Sendable {
  let branch: String
  let method: SIPMethod
}

/// Finds the same request that came by another path (RFC 3261 §8.2.2.2).
struct MergeKey: Hashable, Sendable {
  let fromTag: String
  let callID: String
  let cseq: CSeq

  /// `nil` for a request inside a dialog, and for ACK and CANCEL.
  init?(_ request: SIPMessage) {
    guard request.method != .ack, request.method != .cancel, let to = try? request.to, to.tag == nil,
      let from = try? request.from, let tag = from.tag, let cseq = try? request.cseq
    else { return nil }
    fromTag = tag
    callID = request.callID
    self.cseq = cseq
  }

  var byteCount: Int { fromTag.utf8.count + callID.utf8.count }
}
