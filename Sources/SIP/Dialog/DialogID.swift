//  DialogID.swift: what names a dialog (RFC 3261 §12).

/// Call-ID and both tags, as this side sees them.
public struct DialogID: Hashable, Sendable {
  public var callID: String
  public var localTag: String
  /// Empty for a peer of RFC 2543, which knew no tags.
  public var remoteTag: String

  public init(callID: String, localTag: String, remoteTag: String) {
    self.callID = callID
    self.localTag = localTag
    self.remoteTag = remoteTag
  }

  var half: HalfDialogID { HalfDialogID(callID: callID, localTag: localTag) }
}

/// What all dialogs that came of one request have in common: enough to find their owner, because a local tag is random
/// and never used twice.
struct HalfDialogID: Hashable, Sendable {
  var callID: String
  var localTag: String
}
