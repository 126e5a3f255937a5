//  MediaWorker+Ingress.swift: from a received datagram to the leg's audio, keys and reports.
//  Walk: MediaWorker.receive → DatagramRouter.route → SRTPQueue.unprotect → RTPHeader → ReceiveStream → AudioReceiver

import MediaTransport
import Primitives
import RTP

/// A datagram whose leg is known.
struct ArrivedPacket: BitwiseCopyable {
  var datagram: Datagram
  var slot: Int32
  /// Its place in the cipher queue; −1 when it is not encrypted.
  var item: Int32
}

extension MediaWorker {
  /// Takes every datagram of `batch`, and empties it. Never stops half-way: what cannot be used is dropped and counted.
  ///
  /// Packets are routed, unprotected and used in groups of up to `cipherBatch`, with the same result as one by one:
  /// whatever depends on the packets before (latching, moving, a doubtful address) is decided when those are used.
  public mutating func receive(_ batch: inout DatagramBatch, now: Instant, into egress: inout DatagramBatch) {
    counters.packetsIn &+= UInt64(truncatingIfNeeded: batch.count)
    for index in 0..<batch.count {
      let datagram = batch[index]
      counters.bytesIn &+= UInt64(truncatingIfNeeded: datagram.count)
      do throws(DropReason) {
        try admit(datagram, now: now)
      } catch {
        counters.drops.count(error)
        pool.give(datagram.buffer)
      }
      if arrivals.isFull { useArrivals(now: now) }
    }
    useArrivals(now: now)
    batch.removeAll()
  }

  /// Finds the datagram's leg.
  /// - Throws: why the datagram is of no use; its buffer is then still the caller's.
  private mutating func admit(_ datagram: Datagram, now: Instant) throws(DropReason) {
    guard Int(datagram.count) <= PacketPool.bufferSize else { throw .tooLong }
    let kind = pool.withBytes(of: datagram.buffer, count: Int(datagram.count)) { PacketKind(of: $0) }
    // RTP belongs on media sockets; whatever else is neither is not spoken here.
    guard kind == .rtcp || (kind == .rtp && datagram.socket & 1 == 0) else { throw .unknownProtocol }
    let slot: Int
    if let settled = router.settled(datagram, legs, now: now) {
      slot = settled
    } else {
      if relocation.isForwarding, forward(datagram, now: now) { return }
      useArrivals(now: now)
      do throws(DropReason) {
        slot = try Self.route(datagram, isControl: kind == .rtcp, &router, &legs, pool, now: now)
      } catch {
        if relocation.isForwarding, forwardUnknown(datagram, now: now) { return }
        throw error
      }
      if legs[slot].hasNewPath { announcePath(of: slot) }
    }
    var arrived = ArrivedPacket(datagram: datagram, slot: Int32(truncatingIfNeeded: slot), item: -1)
    arrived.datagram.isControl = kind == .rtcp
    if !legs[slot].isPlain {
      arrived.item = Int32(truncatingIfNeeded: cipherQueue.count)
      Self.enqueue(arrived.datagram, slot, legs, &cipherQueue, pool)
    }
    arrivals.append(arrived)
  }

  private static func route(
    _ datagram: Datagram, isControl: Bool, _ router: inout DatagramRouter, _ legs: inout SlotTable<Leg>,
    _ pool: borrowing PacketPool, now: Instant
  ) throws(DropReason) -> Int {
    try pool.withBytes(of: datagram.buffer, count: Int(datagram.count)) { (bytes) throws(DropReason) -> Int in
      try router.route(datagram, isControl: isControl, bytes: bytes, &legs, now: now)
    }
  }

  /// Unprotects what has been routed, and uses it.
  private mutating func useArrivals(now: Instant) {
    guard arrivals.count > 0 else { return }
    cipherQueue.unprotect(with: &ciphers)
    for index in 0..<arrivals.count {
      if index % Self.touchedAhead == 0 {
        for ahead in index..<min(arrivals.count, index &+ Self.touchedAhead) {
          touched |= legs.touch(Int(arrivals[ahead].slot), bytes: Leg.receiveBytes)
        }
      }
      let arrived = arrivals[index]
      let slot = Int(arrived.slot)
      do throws(DropReason) {
        let count =
          arrived.item < 0 ? Int(arrived.datagram.count) : try cipherQueue.count(of: Int(arrived.item))
        try legs[slot].countPacket(limit: configuration.limits.packetsPerLegAndSecond, now: now)
        if arrived.datagram.isControl {
          try acceptControl(slot, arrived.datagram, count: count, now: now)
        } else {
          try acceptMedia(slot, arrived.datagram, count: count, now: now)
        }
      } catch {
        legs[slot].dropped &+= 1
        counters.drops.count(error)
        pool.give(arrived.datagram.buffer)
      }
    }
    arrivals.removeAll()
    cipherQueue.removeAll()
  }

  // MARK: Media

  private mutating func acceptMedia(_ slot: Int, _ datagram: Datagram, count: Int, now: Instant) throws(DropReason) {
    let header = try Self.header(of: datagram, count: count, pool)
    heard(slot, from: datagram.peer, ssrc: header.ssrc, now: now)
    guard legs[slot].receives else { throw .notAccepted }
    let previous = legs[slot].stream.isActive ? legs[slot].stream.ssrc : nil
    let outcome = try legs[slot].stream.receive(header, byteCount: count, now: now)
    if previous != header.ssrc { router.setSource(header.ssrc, slot, replacing: previous) }
    let payload: ReceivedPayload
    switch outcome {
    case .expected(let kind): payload = kind
    case .restarted(let kind):
      payload = kind
      legs[slot].audio.reset(pool: &pool)
      legs[slot].newest = legs[slot].audio.newest
      legs[slot].dtmf = DTMFReceiver()
    }
    switch payload {
    case .audio:
      let packet = Self.audioPacket(legs[slot], header, datagram, count: count, pool)
      try legs[slot].audio.insert(packet, now: now, pool: &pool)
      legs[slot].newest = legs[slot].audio.newest
    case .telephoneEvent(let clockRate):
      let event = try Self.telephoneEvent(header, datagram, count: count, pool)
      let press = legs[slot].dtmf.receive(event, timestamp: header.timestamp, clockRate: clockRate, now: now)
      if let press { pressed(slot, press) }
      legs[slot].isKeyed = true
      pool.give(datagram.buffer)
    case .unknown:
      throw .unknownPayloadType
    }
  }

  private static func header(
    of datagram: Datagram, count: Int, _ pool: borrowing PacketPool
  ) throws(DropReason) -> RTPHeader {
    try pool.withBytes(of: datagram.buffer, count: count) { (bytes) throws(DropReason) -> RTPHeader in
      try RTPHeader(parsing: bytes)
    }
  }

  private static func audioPacket(
    _ leg: borrowing Leg, _ header: RTPHeader, _ datagram: Datagram, count: Int, _ pool: borrowing PacketPool
  ) -> AudioPacket {
    var packet = AudioPacket(
      buffer: datagram.buffer, payloadOffset: header.payloadOffset, payloadCount: header.payloadCount,
      sequence: header.sequence, timestamp: header.timestamp, payloadType: header.payloadType, marker: header.marker)
    if let id = leg.configuration.audioLevelExtension, header.hasExtension {
      packet.level = pool.withBytes(of: datagram.buffer, count: count) { header.audioLevel(id, in: $0)?.attenuation }
    }
    return packet
  }

  private static func telephoneEvent(
    _ header: RTPHeader, _ datagram: Datagram, count: Int, _ pool: borrowing PacketPool
  ) throws(DropReason) -> TelephoneEvent {
    try pool.withBytes(of: datagram.buffer, count: count) { (bytes) throws(DropReason) -> TelephoneEvent in
      try TelephoneEvent(parsing: bytes, at: Int(header.payloadOffset), count: Int(header.payloadCount))
    }
  }

  // MARK: Control

  private mutating func acceptControl(_ slot: Int, _ datagram: Datagram, count: Int, now: Instant) throws(DropReason) {
    let wall = configuration.clock.wallTime(at: now)
    let reports = legs[slot].rtcp.reportsReceived
    let received = try Self.readControl(&legs[slot], datagram, count: count, pool, wall: wall, now: now)
    if legs[slot].rtcp.reportsReceived != reports { lossReported(slot) }
    heard(slot, from: datagram.peer, ssrc: received.source, now: now)
    if !legs[slot].stream.isActive { router.setSource(received.source, slot, replacing: nil) }
    if received.saidGoodbye, !legs[slot].saidGoodbye {
      legs[slot].saidGoodbye = true
      tell(slot, .goodbye(legs[slot].id)) { $0.goodbye = true }
    }
    pool.give(datagram.buffer)
  }

  private static func readControl(
    _ leg: inout Leg, _ datagram: Datagram, count: Int, _ pool: borrowing PacketPool, wall: WallTime, now: Instant
  ) throws(DropReason) -> RTCPSession.Received {
    let send = leg.send
    let isAuthentic = !leg.isPlain
    return try pool.withBytes(of: datagram.buffer, count: count) {
      (bytes) throws(DropReason) -> RTCPSession.Received in
      try leg.rtcp.receive(
        bytes, stream: &leg.stream, send: send, isAuthentic: isAuthentic, wall: wall, now: now)
    }
  }

  // MARK: What it means for the leg

  /// An authentic packet came.
  private mutating func heard(_ slot: Int, from source: SocketAddress, ssrc: UInt32, now: Instant) {
    legs[slot].lastHeard = now
    if !legs[slot].wasHeard {
      legs[slot].wasHeard = true
      tell(slot, .connected(legs[slot].id, source, ssrc)) { $0.connected = true }
    }
    if legs[slot].isSilent {
      legs[slot].isSilent = false
      tell(slot, .resumed(legs[slot].id)) {
        if $0.silent { $0.silent = false } else { $0.resumed = true }
      }
    }
  }

  mutating func pressed(_ slot: Int, _ press: DTMFReceiver.Press) {
    let event = LifecycleEvent.digit(legs[slot].id, press.digit, press.milliseconds)
    guard legs[slot].news.isListed || !ring.network(event) else { return }
    guard legs[slot].news.pressCount < LegNews.digits else {
      ring.drop()
      return
    }
    legs[slot].news.presses[legs[slot].news.pressCount] = press
    legs[slot].news.pressCount &+= 1
    list(slot)
  }

  /// Puts an event into the ring, or notes it in the leg when that is full or the leg has older news.
  mutating func tell(_ slot: Int, _ event: LifecycleEvent, otherwise note: (inout LegNews) -> Void) {
    guard legs[slot].news.isListed || !ring.network(event) else { return }
    note(&legs[slot].news)
    list(slot)
  }

  mutating func list(_ slot: Int) {
    guard !legs[slot].news.isListed else { return }
    legs[slot].news.isListed = true
    legsWithNews.append(Int32(truncatingIfNeeded: slot))
  }
}
