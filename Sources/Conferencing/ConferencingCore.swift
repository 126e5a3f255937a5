//  ConferencingCore.swift: the front end's conferencing as one value: user agent, Focus instances, factory, subscriptions.
//  Walk: SIPEdge → ConferencingCore → FocusUserAgent → Focus

import Primitives
import SIP

/// Conferencing without I/O: SIP bytes in, SIP bytes, records and log events out.
public struct ConferencingCore: Sendable {
  public let configuration: ConferencingConfiguration

  public init(configuration: ConferencingConfiguration, random: RandomSource) {
    self.configuration = configuration
  }

  /// - Parameter bytes: one datagram, or one whole message from `StreamFramer`.
  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [ConferencingOutput]
  ) {}

  /// Nothing can be sent over this flow: the connection failed or closed.
  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [ConferencingOutput]) {}

  public mutating func advance(to now: Instant, into outputs: inout [ConferencingOutput]) {}

  public var nextDeadline: Instant { .never }

  // MARK: What runs

  /// Names of the active conferences, in order.
  public var activeConferences: [ConferenceName] { [] }

  /// The roster of an active conference.
  public func roster(of conference: ConferenceName) -> Roster? { nil }

  /// Registered media hosts.
  public var servers: [ConferencingServer] { [] }

  // MARK: Commands of the operator

  /// Blocks or lets through again what the media host hears from this participant.
  public mutating func mute(
    _ participant: ParticipantID, in conference: ConferenceName, _ muted: Bool, now: Instant,
    into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {}

  public mutating func eject(
    _ participant: ParticipantID, from conference: ConferenceName, now: Instant,
    into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {}

  /// Nobody else gets in while it is locked.
  public mutating func lock(
    _ conference: ConferenceName, _ locked: Bool, now: Instant, into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {}

  public mutating func end(
    _ conference: ConferenceName, now: Instant, into outputs: inout [ConferencingOutput]
  ) throws(ConferencingError) {}
}
