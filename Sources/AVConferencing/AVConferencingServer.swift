//  AVConferencingServer.swift: the control core of a media host: SIP and C3P in, media commands out (PROTOCOLS §2.7).

import Media
import Primitives
import SIP

/// One media host's control plane as a value: registration, control dialogs, participant legs, state.
public struct AVConferencingServer: Sendable {
  public let configuration: AVConferencingConfiguration

  public init(configuration: AVConferencingConfiguration, random: RandomSource) {
    self.configuration = configuration
  }

  /// Registers with the front ends.
  public mutating func start(now: Instant, into outputs: inout [AVConferencingOutput]) {}

  /// - Parameter bytes: one datagram, or one whole message of a stream.
  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {}

  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [AVConferencingOutput]) {}

  public mutating func handle(
    _ event: MediaEvent, worker: Int, now: Instant, into outputs: inout [AVConferencingOutput]
  ) {}

  public mutating func advance(to now: Instant, into outputs: inout [AVConferencingOutput]) {}

  public var nextDeadline: Instant { .never }

  /// No new meetings from now on; the front ends are told. Running meetings go on.
  public mutating func drain(now: Instant, into outputs: inout [AVConferencingOutput]) {}

  /// Ends everything: unregisters, ends every leg and meeting. `isShutDown` after `Limits.shutdown` at the latest.
  public mutating func shutDown(now: Instant, into outputs: inout [AVConferencingOutput]) {}

  public var isShutDown: Bool { false }
}
