//  MediaWorker+Handover.swift: datagrams follow the legs that have left, through the link, after them and in order.
//  Walk: DatagramRouter → forward ⇢ receiveForwarded → settleArrivals

import Primitives

extension MediaWorker {
  /// Sends a datagram on if its source belongs to a leg that is elsewhere; its buffer is then free again.
  mutating func forward(_ datagram: Datagram, now: Instant) -> Bool {
    let flow = Flow(address: datagram.peer, socket: datagram.socket)
    guard let worker = relocation.forwarding?.worker(of: flow) else { return false }
    if !send(datagram, to: worker, now: now) { counters.drops.count(.queueFull) }
    pool.give(datagram.buffer)
    return true
  }

  /// A datagram that no leg here answers to may come from the peer of one that has left, from a new address.
  mutating func forwardUnknown(_ datagram: Datagram, now: Instant) -> Bool {
    // What was sent on to here goes no further: it would go round.
    guard Int(datagram.socket >> 1) == configuration.worker, relocation.mayForwardUnknown(now: now) else {
      return false
    }
    var receivers = 0
    for worker in 0..<MediaWorkerLimits.workers where receivers < RelocationState.unknownReceivers {
      guard (relocation.forwarding?.emigrants(on: worker) ?? 0) > 0 else { continue }
      if send(datagram, to: worker, now: now) { receivers &+= 1 }
    }
    guard receivers > 0 else { return false }
    pool.give(datagram.buffer)
    return true
  }

  private mutating func send(_ datagram: Datagram, to worker: Int, now: Instant) -> Bool {
    let count = Int(datagram.count)
    var message = LinkMessage(.datagram)
    message.socket = datagram.socket
    message.peer = datagram.peer
    message.count = datagram.count
    message.arrival = now
    var block = message.block.mutableSpan
    var bytes = unsafe block.mutableBytes
    pool.withBytes(of: datagram.buffer, count: count) { copyBytes($0, to: &bytes, at: 0) }
    counters.packetsSentOn &+= 1
    return sendLink(message, to: worker)
  }

  // MARK: Messages

  /// A message about meetings or legs that move. Not inlined: what comes for each packet and frame counts no references.
  @inline(never)
  mutating func receiveRelocation(_ message: LinkMessage, from worker: Int, now: Instant) {
    switch message.kind {
    case .meeting:
      guard let parcel = MeetingParcel.open(message.word) else { return }
      relocation.parcels.append(parcel)
    case .datagram: receiveForwarded(message)
    case .notices: receiveNotices(message, from: worker, now: now)
    default: break
    }
  }

  private mutating func receiveForwarded(_ message: LinkMessage) {
    if relocation.inbound == nil { relocation.inbound = DatagramBatch(capacity: RelocationState.inboundMaximum) }
    guard let buffer = pool.take() else {
      counters.drops.count(.poolExhausted)
      return
    }
    let count = min(Int(message.count), LinkMessage.blockBytes)
    let block = message.block
    pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) in
      let source = unsafe block.span.bytes
      copyBytes(source.extracting(0..<count), to: &bytes, at: 0)
    }
    let datagram = Datagram(buffer: buffer, count: count, socket: message.socket, peer: message.peer)
    if relocation.inbound?.append(datagram) != true {
      pool.give(buffer)
      counters.drops.count(.queueFull)
    }
  }

  /// A message that could not be delivered: a meeting stays where it was.
  mutating func relocationFailed(_ message: LinkMessage) {
    switch message.kind {
    case .meeting:
      guard let parcel = MeetingParcel.open(message.word) else { return }
      relocation.parcels.append(parcel)
      relocation.tell(.stayed(MeetingID(rawValue: message.meeting)))
    case .datagram: counters.drops.count(.queueFull)
    default: break
    }
  }
}
