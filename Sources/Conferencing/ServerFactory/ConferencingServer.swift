//  ConferencingServer.swift: one registered media host, as the Conferencing Server Factory knows it (control protocol P1–P3).

import Primitives
import SIP

/// What a media host last said of itself (RFC 6917 `mrbnotification`).
public struct ServerLoad: Hashable, Sendable {
  public enum Status: Hashable, Sendable { case active, draining, outOfService }
  public var status: Status
  /// Legs that it carries, and how many more it would take.
  public var activeLegs: Int
  public var availableLegs: Int
  /// 0…1 of its processors; not used for the choice while legs are known.
  public var processorLoad: Double?

  public init(status: Status = .active, activeLegs: Int, availableLegs: Int, processorLoad: Double? = nil) {
    self.status = status
    self.activeLegs = activeLegs
    self.availableLegs = availableLegs
    self.processorLoad = processorLoad
  }
}

/// A media host from REGISTER to its end.
///
///     registered ──first load──▶ active ⇄ draining
///         ▲                        └──reports missing, transport lost──▶ down ──load──▶ active
public struct ConferencingServer: Sendable {
  public enum State: Hashable, Sendable { case registered, active, draining, down }

  /// A leg that was promised to a joiner and that the host's load may not show yet.
  struct Lease: Hashable, Sendable {
    let id: UInt64
    let expires: Instant
    /// The leg is up: the host's next report contains it.
    var isFulfilled = false
  }

  public let id: ConferencingServerID
  /// Where to send to: `sip:av@host:port;transport=tcp`.
  public internal(set) var contact: String
  /// The flow that it registered over (RFC 5626); `nil` once that is gone: `contact` says where to connect.
  public internal(set) var flow: SIPFlow?
  public internal(set) var types: Set<ConferencingServerType>
  public internal(set) var state = State.registered
  public internal(set) var load = ServerLoad(activeLegs: 0, availableLegs: 0)
  var registrationExpires: Instant
  var loadExpires = Instant.never
  var leases: [Lease] = []

  init(
    id: ConferencingServerID, contact: String, flow: SIPFlow?, types: Set<ConferencingServerType>,
    registrationExpires: Instant
  ) {
    self.id = id
    self.contact = contact
    self.flow = flow
    self.types = types
    self.registrationExpires = registrationExpires
  }

  /// Legs on it once all promises are kept.
  public var predictedLegs: Int { load.activeLegs + leases.count }
  /// Legs that can still be promised.
  public var promisableLegs: Int { min(load.availableLegs, Limits.leasesPerServer) - leases.count }
  public var promisedLegs: Int { leases.count }

  /// Predicted load as a fraction of what it can carry, in 1/2³²: whole numbers compare the same everywhere.
  var predictedFraction: UInt64 {
    let capacity = UInt64(clamping: load.activeLegs) + UInt64(clamping: load.availableLegs)
    guard capacity > 0 else { return .max }
    return (UInt64(clamping: predictedLegs) << 32) / capacity
  }

  var nextDeadline: Instant {
    let leaseDeadline = leases.first?.expires ?? .never
    return min(registrationExpires, min(state == .down ? .never : loadExpires, leaseDeadline))
  }
}
