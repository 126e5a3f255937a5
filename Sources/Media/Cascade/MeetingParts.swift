//  MeetingParts.swift: how a meeting is split over the workers of a host, as the control core tells one of them.

/// One worker's view of a meeting that other workers have parts of.
///
/// All parts tick in the same phase: open each with the phase that `openMeeting` names.
public struct MeetingParts: Hashable, Sendable {
  /// The other workers with a part of it, without duplicates; empty: this worker has the whole meeting. At most
  /// `MediaWorkerLimits.linkedPeers`; more are left out.
  public var peers: [Int]
  /// This part tells who is heard in the whole meeting; exactly one does.
  public var reportsTalkers: Bool

  public init(peers: [Int], reportsTalkers: Bool) {
    self.peers = peers
    self.reportsTalkers = reportsTalkers
  }
}
