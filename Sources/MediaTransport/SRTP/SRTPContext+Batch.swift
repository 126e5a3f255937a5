//  SRTPContext+Batch.swift: received packets whose ciphers run later, decided as if each had been finished before the next.
//  Walk: SRTPBatch → SRTPContext.admit → SRTPCipherEngine → SRTPContext.settle

import Primitives

/// Where a received packet of a batch stands before any cipher has run.
enum SRTPAdmission {
  /// Framed, with its index: its cipher may run.
  case ready
  /// A replay or too old, whatever becomes of the packets before it; which of the two is settled in its turn.
  case refused
  /// What comes before it in the batch decides how to read it: it waits for them, and so does what comes after it.
  case deferred
  /// Nothing before it is in flight: it is taken alone, at once.
  case alone
}

/// The rule of a batch: the same packets, failures and state as one packet after another.
///
/// A packet's index depends on the highest authentic index before it (RFC 3711 §3.3.1), and packets before it in the batch
/// are not authenticated yet. The estimate never falls as that highest index rises; so when it is the same for the highest
/// index known and for the highest one in flight, it is the same for every outcome between. Else the packet is deferred:
/// that takes two packets in flight more than 2¹⁵ apart, which only a forger or a long silence makes, and costs the one
/// key's packets of this batch their company, nothing more. A replay is a replay under every outcome, because the window
/// only moves forward; a duplicate inside the batch runs its cipher in vain and is told when it is settled.
extension SRTPContext {
  /// Frames a received RTP packet. Fills `entry` for `.ready` and `.refused`.
  ///
  /// - Throws: what is wrong whatever the packets before it are.
  @inline(__always) mutating func admit(
    _ packet: UnsafeMutableRawPointer, count: Int, into entry: inout SRTPBatchEntry
  ) throws(DropReason) -> SRTPAdmission {
    guard !isDeferring else { return .deferred }
    unsafe entry.operation = try unsafe framedRTP(packet, count: count)
    guard let slot = unsafe slot(of: entry.operation.ssrc), unsafe sources[slot].rtp.isStarted else { return apart() }
    let sequence = unsafe UInt16(truncatingIfNeeded: entry.operation.index)
    let highest = unsafe sources[slot].rtp.highest
    let tentative = unsafe sources[slot].tentative
    let index: UInt64
    do throws(DropReason) {
      index = try SRTPSource.index(of: sequence, near: highest)
      if tentative > highest, try SRTPSource.index(of: sequence, near: tentative) != index { return apart() }
    } catch {
      return apart()
    }
    unsafe entry.operation.setIndex(index)
    unsafe entry.slot = Int32(truncatingIfNeeded: slot)
    unsafe entry.isAuthentic = false
    inFlight &+= 1
    do throws(DropReason) { try unsafe sources[slot].rtp.check(index) } catch { return .refused }
    unsafe sources[slot].tentative = max(tentative, index)
    return .ready
  }

  /// How to take a packet that no batch can hold: SRTCP, a source's first, an index in doubt.
  @inline(__always) mutating func apart() -> SRTPAdmission {
    guard inFlight > 0 || isDeferring else { return .alone }
    isDeferring = true
    return .deferred
  }

  /// Decides on one packet in flight, in its turn.
  @inline(__always) mutating func settle(_ entry: borrowing SRTPBatchEntry) throws(DropReason) -> Int {
    let slot = unsafe Int(entry.slot)
    inFlight = 0
    unsafe sources[slot].tentative = 0
    return try unsafe settle(entry.operation, slot: slot, isAuthentic: entry.isAuthentic)
  }
}
