//  ConferencingServerFactory.swift: which media host serves a meeting (control protocol P1–P3).
//  Walk: Focus → ConferencingServerFactory → HostControl

import Primitives
import SIP

/// Registered media hosts, their load, and what was promised of them since they last reported it.
///
/// A value without SIP: `ServerRegistrar` reads REGISTER and PUBLISH and calls it. The wire form of the choice
/// (INVITE → 302) is for front ends that share a factory; inside one process it is `choose`.
public struct ConferencingServerFactory: Sendable {
  public enum Output: Hashable, Sendable {
    /// Every Focus that uses it must know.
    case down(ConferencingServerID, ServerDownCause)
    case active(ConferencingServerID)
    case draining(ConferencingServerID)
  }

  /// A host, and the promise that was booked on it.
  public struct Choice: Hashable, Sendable {
    public let server: ConferencingServerID
    public let lease: UInt64
  }

  public private(set) var servers: [ConferencingServerID: ConferencingServer] = [:]
  private var nextLease: UInt64 = 1

  public init() {}

  // MARK: Registration (P1)

  /// - Throws: `.overloaded` when the table is full.
  public mutating func register(
    _ id: ConferencingServerID, contact: String, flow: SIPFlow?, types: Set<ConferencingServerType>, expires: Instant
  ) throws(ConferencingError) {
    if var server = servers[id] {
      server.contact = contact
      server.flow = flow
      server.types = types
      server.registrationExpires = expires
      servers[id] = server
      return
    }
    guard servers.count < Limits.servers else { throw .overloaded }
    servers[id] = ConferencingServer(
      id: id, contact: contact, flow: flow, types: types, registrationExpires: expires)
  }

  public mutating func unregister(
    _ id: ConferencingServerID, cause: ServerDownCause = .unregistered, into outputs: inout [Output]
  ) {
    guard let server = servers.removeValue(forKey: id), server.state != .down else { return }
    outputs.append(.down(id, cause))
  }

  // MARK: Load (P2)

  /// - Parameter expires: without another report by then the host counts as down.
  public mutating func report(
    _ load: ServerLoad, from id: ConferencingServerID, expires: Instant, into outputs: inout [Output]
  ) {
    guard var server = servers[id] else { return }
    let before = server.state
    server.load = load
    server.loadExpires = expires
    server.leases.removeAll { $0.isFulfilled }
    switch load.status {
    case .active: server.state = .active
    case .draining: server.state = .draining
    case .outOfService: server.state = .down
    }
    servers[id] = server
    guard server.state != before else { return }
    switch server.state {
    case .active: outputs.append(.active(id))
    case .draining: outputs.append(.draining(id))
    case .down where before != .registered: outputs.append(.down(id, .reportedDown))
    case .down, .registered: break
    }
  }

  /// The last report holds longer: a PUBLISH without body (RFC 3903 §4.1).
  public mutating func prolongReport(from id: ConferencingServerID, expires: Instant) {
    servers[id]?.loadExpires = expires
  }

  /// The connection that it registered over is gone; it may still be reached at its contact.
  public mutating func forgetFlow(of id: ConferencingServerID) { servers[id]?.flow = nil }

  /// The host is not to be reached.
  public mutating func markDown(
    _ id: ConferencingServerID, cause: ServerDownCause, into outputs: inout [Output]
  ) {
    guard let state = servers[id]?.state, state != .down else { return }
    servers[id]?.state = .down
    servers[id]?.leases = []
    outputs.append(.down(id, cause))
  }

  // MARK: Choice (P3)

  /// The active host of the type with the lowest predicted load that has room for one leg; between equals the
  /// conference's rendezvous hash decides, so that a repeated question gets the same answer. Books a lease of one leg.
  ///
  /// - Throws: `.noServerRegistered`; `.noServerAvailable` when all are excluded, full, draining or down.
  public mutating func choose(
    _ type: ConferencingServerType, for conference: ConferenceName, excluding: Set<ConferencingServerID> = [],
    now: Instant
  ) throws(ConferencingError) -> Choice {
    let ofType = servers.values.filter { $0.types.contains(type) }
    guard !ofType.isEmpty else { throw .noServerRegistered }
    let candidates = ofType.filter {
      $0.state == .active && $0.promisableLegs > 0 && !excluding.contains($0.id)
    }
    let best = candidates.min { left, right in
      if left.predictedFraction != right.predictedFraction { return left.predictedFraction < right.predictedFraction }
      return Self.rendezvous(conference, left.id) > Self.rendezvous(conference, right.id)
    }
    guard let best, let lease = promise(on: best.id, now: now) else { throw .noServerAvailable }
    return Choice(server: best.id, lease: lease)
  }

  /// One more leg for a conference that is already on this host; booked even when the host seems full, because only
  /// the host itself may refuse a meeting that it has.
  public mutating func promise(on id: ConferencingServerID, now: Instant) -> UInt64? {
    guard let server = servers[id], server.leases.count < Limits.leasesPerServer else { return nil }
    let lease = nextLease
    nextLease &+= 1
    servers[id]?.leases.append(ConferencingServer.Lease(id: lease, expires: now + Limits.leaseDuration))
    return lease
  }

  /// The promised leg is up: it counts as promised until the host's next report, which shows it.
  public mutating func fulfil(_ lease: UInt64, on id: ConferencingServerID) {
    guard let index = servers[id]?.leases.firstIndex(where: { $0.id == lease }) else { return }
    servers[id]?.leases[index].isFulfilled = true
  }

  /// The promised leg will not come.
  public mutating func release(_ lease: UInt64, on id: ConferencingServerID) {
    servers[id]?.leases.removeAll { $0.id == lease }
  }

  // MARK: Time

  public mutating func advance(to now: Instant, into outputs: inout [Output]) {
    for id in servers.keys.sorted() {
      guard let server = servers[id], server.nextDeadline <= now else { continue }
      if server.registrationExpires <= now {
        unregister(id, cause: .registrationExpired, into: &outputs)
        continue
      }
      servers[id]?.leases.removeAll { $0.expires <= now }
      if server.loadExpires <= now {
        servers[id]?.loadExpires = .never
        markDown(id, cause: .reportsMissing, into: &outputs)
      }
    }
  }

  public var nextDeadline: Instant { servers.values.reduce(.never) { min($0, $1.nextDeadline) } }

  // MARK: Rendezvous hash

  /// Highest random weight: FNV-1a over both names, mixed so that near names give far values.
  static func rendezvous(_ conference: ConferenceName, _ server: ConferencingServerID) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in conference.text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ 0xff) &* 0x100_0000_01b3
    for byte in server.text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash >> 33)
  }
}
