//  Limits.swift: the named maximum of every table, queue and body of a media host's control core.

import Media
import Primitives

/// What the control core of a media host holds at most. The counts of legs and meetings are configuration
/// (`AVConferencingConfiguration`); these bound what they may be set to, and everything that hangs on them.
public enum Limits {
  /// Most legs that configuration may allow.
  public static let legs = 65_536
  /// Most meetings that configuration may allow.
  public static let meetings = 16_384
  /// Most workers of one host.
  public static let workers = MediaWorkerLimits.workers
  /// Meetings that leave drained workers at once: each costs both workers some milliseconds for every hundred legs.
  public static let moves = 4
  /// Front ends that one host registers with.
  public static let frontEnds = 4
  /// Subscriptions to one conference's state: each Focus needs one, and a hand-over needs a second.
  public static let subscriptionsPerConference = 4
  /// Bytes of a body that a peer may send: SDP, C3P, or both in one multipart.
  public static let bodyBytes = 65_536
  /// Answers remembered for repeated commands, over all dialogs (control protocol P5).
  public static let rememberedCommands = 4_096
  /// How long an answer is remembered.
  public static let commandMemory = Interval.seconds(32)
  /// Bytes of all remembered answers together.
  public static let rememberedBytes = 8 << 20
  /// Digits kept of one endpoint until the next document.
  public static let digitsPerDocument = 32
  /// Meetings named one by one in a load document; the totals count all.
  public static let meetingsPerLoadDocument = 32
  /// How long a worker may take to open a leg.
  public static let legOpening = Interval.seconds(2)
  /// How long an offer of ours waits for its answer in the ACK: the transaction's own limit (64·T1) and a little.
  public static let offerAnswering = Interval.seconds(35)
  /// How long a closing leg waits for the worker's statistics.
  public static let legClosing = Interval.seconds(5)
  /// Changes of state within this time share a document.
  public static let notificationGap = Interval.milliseconds(50)
  /// Active talkers are told at most once in this time (control protocol P6).
  public static let talkerGap = Interval.seconds(1)
  /// Bytes of one conference document as estimated beforehand: well under the 64 KiB that a SIP message may have.
  public static let documentBytes = 45_000
  /// Characters of an entity, a label or a display name.
  public static let entityCharacters = 512
  /// How long `shutDown` waits for the other side before the core calls itself finished.
  public static let shutdown = Interval.seconds(3)
}
