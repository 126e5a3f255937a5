//  InviteSession.swift: what a UserAgent keeps for one call besides its state (RFC 3261 §13, §14).
import Primitives

/// One call. `UserAgent` performs; this holds.
struct InviteSession: Sendable {
  let handle: CallHandle
  var state: InviteState
  /// Caller of the initial INVITE: owner of the Call-ID, which decides who waits longer after a 491 (§14.1).
  let isCaller: Bool
  let callID: String
  let localTag: String
  /// Confirmed, or the early dialog last heard of.
  var dialog: Dialog?
  var contactUser: String?
  var isFocus: Bool
  var timer: SessionTimer
  var peerSupportsTimer = false
  var peerAllowsUpdate = false

  /// Transaction of the initial INVITE, either role.
  var transaction: TransactionID?

  // Caller
  var outgoing: OutgoingInvite?
  /// Early dialogs by the peer's tag, `dialog` among them.
  var early: [String: EarlyDialog] = [:]

  // Callee
  var incoming: PendingInvite?
  var reliable = ReliableProvisionals()

  /// Our 2xx that no ACK has come for; of the initial INVITE or of a re-INVITE.
  var unacknowledged: Unacknowledged?
  var renegotiation = Renegotiation()
  /// Requests in the dialog that the user has not answered.
  var serverRequests: Set<ServerRequestHandle> = []
  /// Header fields for a BYE that has to wait.
  var byeHeaders: [HeaderField] = []

  init(
    handle: CallHandle, state: InviteState, callID: String, localTag: String, contactUser: String?, isFocus: Bool,
    timer: SessionTimer
  ) {
    self.handle = handle
    self.state = state
    isCaller = state.isCaller
    self.callID = callID
    self.localTag = localTag
    self.contactUser = contactUser
    self.isFocus = isFocus
    self.timer = timer
  }

  var half: HalfDialogID { HalfDialogID(callID: callID, localTag: localTag) }
}

/// The caller's INVITE, kept until the call is confirmed so that it can be sent again.
struct OutgoingInvite: Sendable {
  var invitation: Invitation
  /// From with our tag.
  var localParty: String
  var cseq: UInt32
  var flows: [SIPFlow]
  /// INVITEs sent, 422s included.
  var attempts = 1
}

struct EarlyDialog: Sendable {
  var dialog: Dialog
  /// RSeq of the last reliable provisional that was acknowledged (RFC 3262 §4).
  var lastRSeq: UInt32?
}

/// The callee's INVITE, until its final response.
struct PendingInvite: Sendable {
  var transaction: TransactionID
  var request: SIPMessage
  var flow: SIPFlow
}

/// A 2xx that is repeated until its ACK comes (RFC 3261 §13.3.1.4).
struct Unacknowledged: Sendable {
  var transaction: TransactionID
  var cseq: UInt32
  var interval: Interval
  var giveUpAt: Instant
}

/// Reliable provisional responses of the callee (RFC 3262 §3), one under way at a time.
struct ReliableProvisionals: Sendable {
  static let maximumQueued = 4

  struct Provisional: Sendable {
    var status: Int
    var headers: [HeaderField]
    var body: MessageBody?
  }
  struct UnderWay: Sendable {
    var rseq: UInt32
    var hasBody: Bool
    var interval: Interval
    var giveUpAt: Instant
  }

  /// The INVITE says Require: 100rel.
  var isRequired = false
  var lastRSeq: UInt32?
  var underWay: UnderWay?
  var queued: [Provisional] = []
  /// The 2xx that the user gave while a provisional was under way.
  var heldAnswer: (body: MessageBody?, headers: [HeaderField])?
}

/// Offers inside a dialog, both ways: re-INVITE (RFC 3261 §14) and UPDATE (RFC 3311).
struct Renegotiation: Sendable {
  /// 491s in a row for one offer until the user is told.
  static let maximumAttempts = 8

  struct Offer: Sendable {
    /// `.invite` or `.update`.
    var method: SIPMethod
    var body: MessageBody?
    var headers: [HeaderField]
    var expectsOffer = false
    /// The session timer's own: the user hears nothing of it.
    var isRefresh = false
    var glares = 0
    var intervalsTried = 0
  }
  struct Sent: Sendable {
    var offer: Offer
    var transaction: TransactionID
    var cseq: UInt32
  }
  struct Received: Sendable {
    var transaction: TransactionID
    var request: SIPMessage
    var flow: SIPFlow
  }

  var sent: Sent?
  /// Waits for the end of what is under way, or of the back-off after a 491.
  var queued: Offer?
  var isBackingOff = false
  /// A re-INVITE without offer was answered by theirs: the user owes the ACK.
  var owed: Sent?
  var received: Received?
  /// The last description we sent and the peer accepted: what a re-INVITE that only refreshes repeats.
  var lastLocalBody: MessageBody?
}
