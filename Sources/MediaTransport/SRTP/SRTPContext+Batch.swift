//  SRTPContext+Batch.swift: received packets whose ciphers run later, decided as if each had been finished before the next.
//  Walk: SRTPBatch → SRTPContext.admit → SRTPCipherEngine → SRTPContext.settle

import Primitives

/// Where a received packet of a batch stands before any cipher has run.
enum SRTPAdmission {
  /// Framed, with its index: its cipher may run.
  case ready
  /// Of an SSRC not known: its tag may be checked beside the others'; all else happens in its turn.
  case probe
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
///
/// A packet of an unknown SSRC is hashed in the lanes, so that invented SSRCs do not cost more than good packets, and left
/// as it is. With a wrong tag that is the end of it, as long as the SSRC is still unknown when its turn comes; else it is
/// taken alone, in its turn. Where more of them are in flight than places are free for new sources, packets of known sources
/// are deferred: theirs might be the place that is taken.
extension SRTPContext {
  /// Frames a received RTP packet. Fills `entry` for `.ready` and `.refused`.
  ///
  /// - Throws: what is wrong whatever the packets before it are.
  @inline(__always) mutating func admit(
    _ packet: UnsafeMutableRawPointer, count: Int, into entry: inout SRTPBatchEntry
  ) throws(DropReason) -> SRTPAdmission {
    guard !isDeferring else { return .deferred }
    unsafe entry.operation = try unsafe framedRTP(packet, count: count)
    guard let slot = unsafe slot(of: entry.operation.ssrc) else {
      guard rtp.hasLanes else { return apart() }
      inFlight &+= 1
      probes &+= 1
      return .probe
    }
    guard unsafe sources[slot].rtp.isStarted, hasPlaceForProbes else { return apart() }
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

  /// Whether a packet that was only probed needs a closer look, now that its turn has come.
  ///
  /// - Throws: `.keyExhausted`, `.authenticationFailed` where that is all there is to say.
  mutating func review(_ entry: borrowing SRTPBatchEntry) throws(DropReason) {
    inFlight = 0
    probes = 0
    guard unsafe !entry.isAuthentic, unsafe slot(of: entry.operation.ssrc) == nil else { return }
    try unsafe refuseBeginning(entry.operation)
  }

  /// Decides on one packet in flight, in its turn.
  @inline(__always) mutating func settle(_ entry: borrowing SRTPBatchEntry) throws(DropReason) -> Int {
    let slot = unsafe Int(entry.slot)
    inFlight = 0
    probes = 0
    unsafe sources[slot].tentative = 0
    return try unsafe settle(entry.operation, slot: slot, isAuthentic: entry.isAuthentic)
  }
}
