//  DatagramRouter.swift: from a datagram's source to the leg it belongs to; addresses are learned from authentic packets only.
//  Walk: MediaWorker.receive → DatagramRouter.settled, .route → SRTPQueue.unprotect

import MediaTransport
import Primitives
import RTP

/// Finds legs by source address, and latches those that prove a new one.
///
/// - A leg with a key is known by its signalled address as a hint, until a packet *authenticates* with that key: that
///   packet's source is its address from then on. The hint is tried first, then unlatched legs, a bounded number each.
/// - A latched leg moves to another address when an authentic packet with its SSRC comes from there and its old address
///   has been quiet (a NAT that forgot): a copy of a packet that already arrived is a replay, and proves nothing.
/// - A leg without a key has the signalled address and no other.
struct DatagramRouter: ~Copyable {
  private let limits: MediaWorkerLimits
  var flows: FlatTable<Flow>
  /// The peer's SSRC → leg, for those that move and for control packets from unknown ports. The last one wins.
  var sources: FlatTable<UInt32>
  /// Legs with a key that nobody has latched.
  var unlatched: BoundedList<Int32>
  private var cursor = 0
  private var budget: LatchBudget

  init(limits: MediaWorkerLimits, seed: UInt64) {
    self.limits = limits
    // Media, control, and a hint for control beside latched media.
    flows = FlatTable(limit: limits.legs * 4, seed: seed)
    sources = FlatTable(limit: limits.legs, seed: ~seed)
    unlatched = BoundedList(capacity: limits.legs)
    budget = LatchBudget(limits: limits, seed: seed &* 31)
  }

  var unlatchedCount: Int { unlatched.count }
  var flowCount: Int { flows.count }

  // MARK: Legs come and go

  /// - Returns: `false` when a leg without key would take a living leg's address.
  mutating func add(_ slot: Int, _ legs: inout SlotTable<Leg>, now: Instant) -> Bool {
    let isPlain = legs[slot].isPlain
    let media = Flow(address: legs[slot].media.signalled, socket: legs[slot].mediaSocket)
    if isPlain {
      guard claim(media, slot, &legs, now: now) else { return false }
      legs[slot].media.isLatched = true
      if !legs[slot].rtcpMux {
        _ = claim(Flow(address: legs[slot].control.signalled, socket: legs[slot].controlSocket), slot, &legs, now: now)
        legs[slot].control.isLatched = true
      }
      return true
    }
    hint(media, slot)
    if !legs[slot].rtcpMux { hint(Flow(address: legs[slot].control.signalled, socket: legs[slot].controlSocket), slot) }
    legs[slot].placeInUnlatched = unlatched.count
    unlatched.append(Int32(truncatingIfNeeded: slot))
    return true
  }

  mutating func remove(_ slot: Int, _ legs: inout SlotTable<Leg>) {
    forget(Flow(address: legs[slot].media.address, socket: legs[slot].mediaSocket), slot)
    forget(Flow(address: legs[slot].media.signalled, socket: legs[slot].mediaSocket), slot)
    forget(Flow(address: legs[slot].control.address, socket: legs[slot].controlSocket), slot)
    forget(Flow(address: legs[slot].control.signalled, socket: legs[slot].controlSocket), slot)
    forget(controlHint(beside: legs[slot].media.address, legs[slot].controlSocket), slot)
    if legs[slot].stream.isActive { forgetSource(legs[slot].stream.ssrc, slot) }
    removeFromUnlatched(slot, &legs)
  }

  /// The leg's peer now sends with this SSRC.
  mutating func setSource(_ ssrc: UInt32, _ slot: Int, replacing old: UInt32?) {
    if let old { forgetSource(old, slot) }
    sources.set(ssrc, slot)
  }

  private mutating func forgetSource(_ ssrc: UInt32, _ slot: Int) {
    if sources[ssrc] == slot { sources.remove(ssrc) }
  }

  mutating func hint(_ flow: Flow, _ slot: Int) {
    guard flow.address.port != 0, !flow.address.isUnspecified, flows[flow] == nil else { return }
    flows.set(flow, slot)
  }

  private mutating func forget(_ flow: Flow, _ slot: Int) {
    if flows[flow] == slot { flows.remove(flow) }
  }

  private mutating func claim(_ flow: Flow, _ slot: Int, _ legs: inout SlotTable<Leg>, now: Instant) -> Bool {
    guard flow.address.port != 0, !flow.address.isUnspecified else { return true }
    if let holder = flows[flow], holder != slot {
      guard !isAlive(legs[holder], on: flow, now: now) else { return false }
      lose(flow, holder, &legs)
    }
    flows.set(flow, slot)
    return true
  }

  private func isAlive(_ leg: borrowing Leg, on flow: Flow, now: Instant) -> Bool {
    let path = flow.isMedia ? leg.media : leg.control
    guard path.isLatched, path.address == flow.address else { return false }
    return leg.isPlain || now - leg.lastHeard < limits.takeoverQuiet
  }

  /// Another leg proved that the flow is its own.
  private mutating func lose(_ flow: Flow, _ slot: Int, _ legs: inout SlotTable<Leg>) {
    if flow.isMedia, legs[slot].media.address == flow.address {
      let wasLatched = legs[slot].media.isLatched
      legs[slot].media.isLost = true
      legs[slot].media.isLatched = false
      if wasLatched, !legs[slot].isPlain, legs[slot].placeInUnlatched < 0 {
        legs[slot].placeInUnlatched = unlatched.count
        unlatched.append(Int32(truncatingIfNeeded: slot))
      }
    } else if !flow.isMedia, legs[slot].control.address == flow.address {
      legs[slot].control.isLost = true
      legs[slot].control.isLatched = false
    }
  }

  private mutating func removeFromUnlatched(_ slot: Int, _ legs: inout SlotTable<Leg>) {
    let place = legs[slot].placeInUnlatched
    guard place >= 0 else { return }
    unlatched.swapRemove(at: place)
    if place < unlatched.count { legs[Int(unlatched[place])].placeInUnlatched = place }
    legs[slot].placeInUnlatched = -1
  }

  func controlHint(beside media: SocketAddress, _ socket: UInt8) -> Flow {
    Flow(address: media.with(port: media.port &+ 1), socket: socket)
  }

  // MARK: A datagram comes

  /// The leg that the datagram's source surely belongs to, without looking into the packet; `nil` where `route` must decide.
  /// `mutating` only so that it works in place: the compiler copies the whole value for a plain method.
  mutating func settled(_ datagram: Datagram, _ legs: borrowing SlotTable<Leg>, now: Instant) -> Int? {
    let flow = Flow(address: datagram.peer, socket: datagram.socket)
    guard let slot = flows[flow] else { return nil }
    guard
      flow.isMedia ? legs[slot].media.isLatched(at: flow.address) : legs[slot].control.isLatched(at: flow.address)
    else { return nil }
    // A new call from an old call's address: only when the old one is quiet are others tried.
    guard unlatched.isEmpty || legs[slot].isPlain || now - legs[slot].lastHeard < limits.takeoverQuiet else {
      return nil
    }
    return slot
  }

  /// For a datagram that is not `settled`.
  ///
  /// - Parameter bytes: still protected; unchanged.
  /// - Returns: the leg's slot. Its packet is authentic when this call had to latch it, else the caller finds out.
  /// - Throws: `.unknownSource`, `.notLatched`.
  mutating func route(
    _ datagram: Datagram, isControl: Bool, bytes: RawSpan, _ legs: inout SlotTable<Leg>, now: Instant
  ) throws(DropReason) -> Int {
    let flow = Flow(address: datagram.peer, socket: datagram.socket)
    if let slot = flows[flow] {
      let path = flow.isMedia ? legs[slot].media : legs[slot].control
      if path.isLatched(at: flow.address) {
        if legs[slot].authenticates(bytes, isControl: isControl) { return slot }
      } else if mayLatch(legs[slot], flow, isControl), legs[slot].authenticates(bytes, isControl: isControl) {
        latch(flow, slot, &legs)
        return slot
      }
    }
    return try search(flow, isControl: isControl, bytes: bytes, &legs, now: now)
  }

  private mutating func search(
    _ flow: Flow, isControl: Bool, bytes: RawSpan, _ legs: inout SlotTable<Leg>, now: Instant
  ) throws(DropReason) -> Int {
    var known: Int?
    if let source = bytes.uint32(at: isControl ? 4 : 8) { known = sources[source] }
    guard known != nil || !unlatched.isEmpty else { throw .unknownSource }
    let wanted = min(limits.latchTriesPerPacket, unlatched.count) &+ (known == nil ? 0 : 1)
    var tries = budget.take(wanted, for: flow.address, now: now)
    if let slot = known, tries > 0, mayMove(legs[slot], to: flow, isControl, now: now) {
      tries &-= 1
      if legs[slot].authenticates(bytes, isControl: isControl) {
        latch(flow, slot, &legs)
        return slot
      }
    }
    for _ in 0..<min(tries, unlatched.count) {
      cursor = cursor &+ 1 < unlatched.count ? cursor &+ 1 : 0
      let slot = Int(unlatched[cursor])
      if mayLatch(legs[slot], flow, isControl), legs[slot].authenticates(bytes, isControl: isControl) {
        latch(flow, slot, &legs)
        return slot
      }
    }
    throw unlatched.isEmpty ? .unknownSource : .notLatched
  }

  /// Media come to the home's media socket; control too with rtcp-mux, else to its control socket (RFC 5761 §5.1.1).
  private func mayLatch(_ leg: borrowing Leg, _ flow: Flow, _ isControl: Bool) -> Bool {
    guard !leg.isPlain, flow.worker == leg.home else { return false }
    if flow.isMedia { return !isControl || leg.rtcpMux }
    return isControl && !leg.rtcpMux
  }

  private func mayMove(_ leg: borrowing Leg, to flow: Flow, _ isControl: Bool, now: Instant) -> Bool {
    guard mayLatch(leg, flow, isControl) else { return false }
    // Control of a leg without rtcp-mux has an address of its own, which media does not vouch for.
    if !flow.isMedia, !leg.control.isLatched { return true }
    return now - leg.lastHeard >= limits.relatchQuiet
  }

  private mutating func latch(_ flow: Flow, _ slot: Int, _ legs: inout SlotTable<Leg>) {
    legs[slot].hasNewPath = true
    if let holder = flows[flow], holder != slot { lose(flow, holder, &legs) }
    if !flow.isMedia {
      forget(Flow(address: legs[slot].control.address, socket: legs[slot].controlSocket), slot)
      legs[slot].control.address = flow.address
      legs[slot].control.isLatched = true
      legs[slot].control.isLost = false
      flows.set(flow, slot)
      return
    }
    forget(Flow(address: legs[slot].media.address, socket: legs[slot].mediaSocket), slot)
    forget(controlHint(beside: legs[slot].media.address, legs[slot].controlSocket), slot)
    legs[slot].media.address = flow.address
    legs[slot].media.isLatched = true
    legs[slot].media.isLost = false
    flows.set(flow, slot)
    if !legs[slot].rtcpMux, !legs[slot].control.isLatched {
      hint(controlHint(beside: flow.address, legs[slot].controlSocket), slot)
    }
    removeFromUnlatched(slot, &legs)
  }
}
