//  MediaWorker+Repair.swift: in-band FEC for the legs that report loss, and for no others.
//  Walk: RTCPSession.receive → LossWatch → MediaWorker.lossReported → EncodeGroup.setRepair

import Primitives

extension MediaWorker {
  /// The peer told how much it loses of what we send: the leg changes over to the group with in-band copies, or back. At
  /// most one such group for each format of a meeting; it was made with the format.
  mutating func lossReported(_ slot: Int) {
    let hasChanged = legs[slot].loss.take(
      fraction: legs[slot].rtcp.remoteFractionLost, gaps: legs[slot].send.gaps, packets: legs[slot].send.packets,
      tick: schedule.tick)
    let meeting = legs[slot].meeting
    let place = legs[slot].format
    if legs[slot].loss.isLossy {
      if meetings[meeting].formats[place].base < 0 {
        // Also when it could not be done before: the leg was renegotiated.
        let repaired = meetings[meeting].formats[place].repaired
        if repaired >= 0 { change(slot, of: meeting, from: place, to: repaired) }
      }
      setRepair(of: slot, in: meeting)
    } else if hasChanged, meetings[meeting].formats[place].base >= 0 {
      change(slot, of: meeting, from: place, to: meetings[meeting].formats[place].base)
      if legs[slot].encoder >= 0 { encoders[legs[slot].encoder].setRepair(0) }
    }
  }

  private mutating func change(_ slot: Int, of meeting: Int, from old: Int, to new: Int) {
    counters.repairChanges &+= 1
    legs[slot].format = new
    let joins = meetings[meeting].formats[new].base >= 0
    meetings[meeting].formats[joins ? new : old].legs += joins ? 1 : -1
    guard legs[slot].encoder < 0 else { return }  // it hears its own group
    let from = meetings[meeting].formats[old].shared
    let to = meetings[meeting].formats[new].shared
    if meetings[meeting].formats[new].listeners == 0 {
      encoders.withPair(to, from) { $0.resume($1) }
      encoders[to].setRepair(joins ? max(2, legs[slot].loss.expected) : 0)
      meetings[meeting].formats[new].listeners = 1
    } else {
      encoders[to].beginAnew()
    }
  }

  /// The group expects what its worst leg reports, as far as it has reported since.
  private mutating func setRepair(of slot: Int, in meeting: Int) {
    let place = legs[slot].format
    guard meetings[meeting].formats[place].base >= 0 else { return }
    let percent = max(2, legs[slot].loss.expected)
    if legs[slot].encoder >= 0 {
      encoders[legs[slot].encoder].setRepair(percent)
    } else {
      encoders[meetings[meeting].formats[place].shared].setRepair(percent)
    }
  }
}
