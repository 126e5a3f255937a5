//  MediaWorker+Notices.swift: workers tell each other where a leg is now, so that its peer's datagrams go straight to it.
//  Walk: arrived → notify → sendNotices ⇢ receiveNotices → Forwarding

import Primitives

extension MediaWorker {
  /// The leg's address has changed, or it was closed: its home is told.
  mutating func notifyClosed(_ leg: LegID, home: Int) {
    guard home != configuration.worker else { return }
    notify(RelocationNotice(kind: .closed, receiver: home, leg: leg))
  }

  /// The peer of a leg whose home is elsewhere has a new address.
  mutating func announcePath(of slot: Int) {
    legs[slot].hasNewPath = false
    let home = legs[slot].home
    guard home != configuration.worker else { return }
    let flows = router.flows(of: slot, legs)
    for index in 0..<max(1, flows.count) {
      var message = LinkMessage(.notices)
      message.flags = LinkMessage.pathNotice
      message.leg = legs[slot].id.rawValue
      message.word = UInt64(legs[slot].moves)
      // One without an address yet says at least that the leg is here.
      message.peer = index < flows.count ? flows[index].address : SocketAddress(high: 0, low: 0, port: 0)
      message.socket = index < flows.count ? flows[index].socket : legs[slot].mediaSocket
      sendLink(message, to: home)
    }
  }

  mutating func notify(_ notice: RelocationNotice) {
    if !relocation.notices.append(notice) { counters.linkOverflow &+= 1 }
  }

  /// Puts notices into the outbox, many in a message.
  mutating func sendNotices() {
    while let last = relocation.notices.popLast() {
      guard !outbox.isFull else {
        relocation.notices.append(last)
        return
      }
      var message = LinkMessage(.notices)
      message.flags = last.kind.rawValue
      var index = relocation.notices.count
      message.add(last)
      // Notices about one leg never meet here in an order that matters: each says how often the leg had moved.
      while index > 0, message.count < LinkMessage.noticeMaximum {
        index &-= 1
        let other = relocation.notices[index]
        guard other.kind == last.kind, other.receiver == last.receiver else { continue }
        message.add(other)
        relocation.notices.swapRemove(at: index)
      }
      sendLink(message, to: last.receiver)
    }
  }

  mutating func receiveNotices(_ message: LinkMessage, from worker: Int, now: Instant) {
    if message.flags == LinkMessage.pathNotice {
      let leg = LegID(rawValue: message.leg)
      guard Int(message.socket >> 1) == configuration.worker, legSlots[leg.rawValue] == nil else { return }
      // A leg may also be opened elsewhere that signalling has given this worker's address.
      if relocation.forwarding?.worker(of: leg) == nil {
        guard hasRoomToForward(1), relocation.forwarding?.add(leg, to: worker, moves: message.word32) == true
        else { return }
        relocation.forwardingChanged()
      }
      guard relocation.forwarding?.worker(of: leg) == worker else { return }
      relocation.forwarding?.claim(Flow(address: message.peer, socket: message.socket), for: leg)
      return
    }
    guard let kind = RelocationNotice.Kind(rawValue: message.flags) else { return }
    for index in 0..<min(Int(message.count), LinkMessage.noticeMaximum) {
      let (leg, place, moves) = message.notice(index)
      switch kind {
      case .moved:
        relocation.forwarding?.follow(leg, to: worker, moves: moves)
        notify(RelocationNotice(kind: .settled, receiver: place, leg: leg, moves: moves))
      case .settled:
        let settled = SettledLeg(leg: leg, moves: moves, until: now + RelocationState.settling)
        if !relocation.settled.push(settled) { relocation.forwarding?.remove(leg, upTo: moves) }
      case .closed: relocation.forwarding?.remove(leg)
      }
    }
    relocation.forwardingChanged()
  }

  mutating func forgetSettled(now: Instant) {
    guard let first = relocation.settled.first, first.until <= now else { return }
    while let settled = relocation.settled.first, settled.until <= now {
      _ = relocation.settled.pop()
      relocation.forwarding?.remove(settled.leg, upTo: settled.moves)
    }
    relocation.forwardingChanged()
  }
}

extension LinkMessage {
  var word32: UInt32 { UInt32(truncatingIfNeeded: word) }

  /// Of `flags`, beside `RelocationNotice.Kind`.
  static let pathNotice: UInt8 = 255
  /// Notices in one message: six values of 16 bits each, in `block`.
  static let noticeMaximum = 160
  private static let noticeWords = 6

  mutating func add(_ notice: RelocationNotice) {
    let place = Int(count) &* Self.noticeWords
    guard place &+ Self.noticeWords <= 1024 else { return }
    let id = notice.leg.rawValue
    block[place] = Int16(truncatingIfNeeded: id)
    block[place &+ 1] = Int16(truncatingIfNeeded: id >> 16)
    block[place &+ 2] = Int16(truncatingIfNeeded: notice.place)
    block[place &+ 3] = Int16(truncatingIfNeeded: notice.moves)
    block[place &+ 4] = Int16(truncatingIfNeeded: notice.moves >> 16)
    count &+= 1
  }

  func notice(_ index: Int) -> (leg: LegID, place: Int, moves: UInt32) {
    let start = index &* Self.noticeWords
    func word(_ offset: Int) -> UInt32 { UInt32(UInt16(bitPattern: block[start &+ offset])) }
    return (LegID(rawValue: word(0) | word(1) << 16), Int(word(2)), word(3) | word(4) << 16)
  }
}
