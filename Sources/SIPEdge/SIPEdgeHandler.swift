//  SIPEdgeHandler.swift: the owner of a core, as the edge calls it.
import NIOCore
import Primitives
import SIP

/// Wires a core (`ConferencingCore`, `AVConferencingServer`, `UserAgent`) to a `SIPEdge`.
///
/// Made on the edge's event loop and called only there, so it needs no lock. After each call the edge asks for
/// `nextDeadline` and calls `advance` when it is reached.
public protocol SIPEdgeHandler: AnyObject {
  /// - Parameter bytes: one datagram, or one whole message of a stream.
  func receive(_ bytes: [UInt8], from flow: SIPFlow, now: Instant)
  /// Nothing can be sent over this flow any more; what was queued for it is lost.
  func transportFailed(_ flow: SIPFlow, now: Instant)
  func advance(to now: Instant)
  var nextDeadline: Instant { get }
}

/// The monotonic clock as cores see it.
public enum Clock {
  public static var now: Instant { Instant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }
}

/// What the edge dropped or closed, since its start.
public struct SIPEdgeCounters: Hashable, Sendable {
  public var datagramsReceived: UInt64 = 0
  public var datagramsSent: UInt64 = 0
  public var datagramsFailed: UInt64 = 0
  public var connectionsAccepted: UInt64 = 0
  public var connectionsOpened: UInt64 = 0
  public var connectFailures: UInt64 = 0
  /// Refused for `connections` or `connectionsPerHost`.
  public var connectionsRefused: UInt64 = 0
  /// Closed for `writeBacklogBytes`.
  public var slowPeersClosed: UInt64 = 0
  public var idleClosed: UInt64 = 0
  /// Closed because the stream was not SIP.
  public var framingErrors: UInt64 = 0

  public init() {}
}
