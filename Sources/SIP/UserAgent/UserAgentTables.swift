//  UserAgentTables.swift: the entries of a UserAgent's tables, and how many there are.
import Primitives

/// Why a client transaction was started.
struct ClientUse: Sendable {
  enum Purpose: Sendable {
    case invite(CallHandle)
    /// re-INVITE or UPDATE.
    case offer(CallHandle)
    case bye(CallHandle)
    case inCall(CallHandle, RequestHandle)
    case request(RequestHandle)
    case subscribe(SubscriptionHandle)
    case notify(SubscriptionHandle)
    /// PRACK, and the BYE of a fork: nobody waits for the response.
    case unattended
  }
  /// An ACK that every repeated 2xx of the same peer gets again (RFC 3261 §13.2.2.4).
  struct Acknowledgement: Sendable {
    var remoteTag: String
    var bytes: [UInt8]
    var flow: SIPFlow
  }

  var purpose: Purpose
  /// To try in turn when the transport fails; then `builder` is there.
  var alternatives: [SIPFlow] = []
  var builder: SIPMessageBuilder?
  var acknowledgements: [Acknowledgement] = []
  var isAnswered = false
}

/// A request that waits for `respond`.
struct ServerRequest: Sendable {
  var transaction: TransactionID
  var message: SIPMessage
  var flow: SIPFlow
  var call: CallHandle?
}

enum DialogOwner: Hashable, Sendable {
  case call(CallHandle)
  case subscription(SubscriptionHandle)
}

enum TimerKey: Hashable, Sendable {
  enum Call: Hashable, Sendable {
    /// `ringingTimeout`.
    case ringing
    /// Repetition of a 2xx, of a reliable provisional.
    case acknowledgement, provisional
    case refresh, expiry
    /// Back-off after a 491; the user's time to answer an offer.
    case glare, offer

    static let all: [Call] = [.ringing, .acknowledgement, .provisional, .refresh, .expiry, .glare, .offer]
  }

  case call(CallHandle, Call)
  case serverRequest(ServerRequestHandle)
  case subscriptionExpiry(SubscriptionHandle)
  case subscriptionRefresh(SubscriptionHandle)
}

/// How much a `UserAgent` holds: all zero once every call, request and subscription is over and 64·T1 have passed.
public struct UserAgentCounts: Hashable, Sendable {
  public var calls: Int
  public var subscriptions: Int
  public var dialogs: Int
  public var clientTransactions: Int
  public var serverInvites: Int
  public var serverRequests: Int
  public var timers: Int
  /// In the transaction layer, both roles.
  public var transactions: Int

  public var isEmpty: Bool {
    calls == 0 && subscriptions == 0 && dialogs == 0 && clientTransactions == 0 && serverInvites == 0
      && serverRequests == 0 && timers == 0 && transactions == 0
  }
}
