//  Subscription.swift: what a UserAgent keeps for one subscription, either role (RFC 6665).
import Primitives

struct Subscription: Sendable {
  /// The subscriber's side (§4.1).
  struct Subscriber: Sendable {
    var request: OutgoingSubscription
    var localParty: String
    var localTag: String
    var callID: String
    /// Until the dialog is there, which then counts.
    var cseq: UInt32
    var flows: [SIPFlow]
    /// The SUBSCRIBE under way.
    var transaction: TransactionID?
    var isAccepted = false
    var hasNotify = false
    var tooBriefRetries = 0
  }
  /// The notifier's side (§4.2).
  struct Notifier: Sendable {
    var maximumExpires: UInt32
    /// Expires: 0 in the first SUBSCRIBE: one NOTIFY and no more (§4.4.3).
    var isFetch: Bool
    var underWay: TransactionID?
    var queued: [Notification] = []
  }
  struct Notification: Sendable {
    var state: SubscriptionState
    var headers: [HeaderField]
    var body: MessageBody?
  }
  enum Role: Sendable {
    case subscriber(Subscriber)
    case notifier(Notifier)
  }

  var role: Role
  let half: HalfDialogID
  var dialog: Dialog?
  /// Event header with its parameters, as first sent.
  let event: String
  var contactUser: String?
  var isFocus = false
  var expiresAt: Instant
  /// Its end has been told to the user; it stays until the last transaction is over.
  var isEnding = false

  /// The transaction under way: SUBSCRIBE or NOTIFY.
  mutating func setTransaction(_ id: TransactionID?) {
    switch role {
    case .subscriber(var subscriber):
      subscriber.transaction = id
      role = .subscriber(subscriber)
    case .notifier(var notifier):
      notifier.underWay = id
      role = .notifier(notifier)
    }
  }
}
