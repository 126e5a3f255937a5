//  AVConferencingLogEvent.swift: what a media host's control core has to say; the shell gives it a level and a line.

import Media
import MediaTransport
import Primitives

/// One thing worth a line in the log. Names nobody: meetings and legs by number, dialogs by Call-ID.
public enum AVConferencingLogEvent: Sendable {
  public enum Severity: Sendable { case debug, info, notice, warning, error }

  case registered(frontEnd: SocketAddress, expires: Int)
  /// The front end has this host's load, and gives it meetings from now on.
  case active(frontEnd: SocketAddress)
  /// `status` 0: no answer, or no connection.
  case registrationFailed(frontEnd: SocketAddress, status: Int, retryIn: Interval)
  case loadRefused(frontEnd: SocketAddress, status: Int)
  case unregistered(frontEnd: SocketAddress)
  case meetingOpened(MeetingID, worker: Int, callID: String)
  /// The meeting is now on so many workers.
  case partOpened(MeetingID, worker: Int, parts: Int)
  case partClosed(MeetingID, worker: Int, parts: Int)
  case meetingReplaced(MeetingID, by: MeetingID)
  case meetingClosed(MeetingID, reason: String, legs: Int)
  case legOpened(LegID, MeetingID, worker: Int, callID: String, codec: AudioCodec, suite: SRTPSuite?)
  case legConnected(LegID, milliseconds: Int)
  case legModified(LegID, callID: String)
  case legSilent(LegID)
  case legResumed(LegID)
  case legClosed(LegID, reason: String, LegStatistics?)
  /// A leg or a control dialog was refused.
  case refused(callID: String, status: Int, reason: String)
  case commandFailed(callID: String, command: String, status: Int, reason: String)
  /// A request from an address that may not control this host.
  case untrustedPeer(SocketAddress, method: String)
  case workerRefused(LegID, LegRefusal)
  /// A worker did not answer in time.
  case workerLate(worker: Int, LegID)
  /// A worker leaves out more, or less, than before.
  case effortChanged(worker: Int, from: OverloadStep, to: OverloadStep, busy: Double)
  /// No worker takes legs any more.
  case overloaded(busy: Double, lateTicks: UInt64)
  case recovered(busy: Double)
  /// It stands still: its meetings were ended.
  case workerFailed(worker: Int, meetings: Int, legs: Int)
  /// Its meetings go to other workers.
  case workerDraining(worker: Int, meetings: Int)
  /// Nothing is left on it.
  case workerDrained(worker: Int)
  case workerUndrained(worker: Int)
  case meetingMoved(MeetingID, from: Int, to: Int, legs: Int)
  case meetingNotMoved(MeetingID, from: Int, to: Int, reason: String)
  case draining
  case shuttingDown(legs: Int, meetings: Int)
  case shutDown

  public var severity: Severity {
    switch self {
    case .legConnected, .legModified: .debug
    case .registered, .active, .unregistered, .meetingOpened, .meetingClosed, .partOpened, .partClosed, .legOpened,
      .legClosed, .legResumed, .meetingMoved:
      .info
    case .effortChanged, .draining, .shuttingDown, .shutDown, .recovered, .meetingReplaced, .refused, .commandFailed,
      .legSilent,
      .workerDraining, .workerDrained, .workerUndrained:
      .notice
    case .registrationFailed, .loadRefused, .untrustedPeer, .overloaded: .warning
    case .workerRefused, .workerLate, .meetingNotMoved, .workerFailed: .error
    }
  }
}
