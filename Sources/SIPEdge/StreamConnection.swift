//  StreamConnection.swift: one TCP connection, ours or the peer's, as the edge keeps it.
import NIOCore
import Primitives
import SIP

/// Confined to the event loop, like `EdgeLoop`, which makes and forgets it.
final class StreamConnection {
  /// A core knows one connection under few names: its number, and "any connection to this peer" from each address.
  static let maximumKnownFlows = 8

  let flow: SIPFlow
  /// `nil` until it is open.
  var channel: (any Channel)?
  /// Sent before it was open.
  var waiting: [[UInt8]] = []
  /// Bytes handed over and not yet written to the socket.
  var backlogBytes = 0
  var lastActivity: Instant
  /// When the first byte of an unfinished message came.
  var messageBegan: Instant?
  var isClosed = false
  private(set) var knownFlows: Set<SIPFlow>

  var number: UInt64 { flow.connection }

  init(flow: SIPFlow, channel: (any Channel)?, now: Instant) {
    self.flow = flow
    self.channel = channel
    lastActivity = now
    knownFlows = [flow]
  }

  func remember(_ flow: SIPFlow) {
    if knownFlows.count < Self.maximumKnownFlows { knownFlows.insert(flow) }
  }
}
