//  RemoteReception.swift: what the peer's reports say came of our packets (RFC 3550 §6.4.1).

import Primitives
import RTP

/// The proof that a peer receives us, and how much of it.
struct RemoteReception: BitwiseCopyable {
  /// Reports about our stream, ever.
  private(set) var reports: UInt32 = 0
  private(set) var lastReport = Instant.zero
  /// In our clock's units.
  private(set) var jitter: UInt32 = 0
  /// Between the last two reports: packets that the peer knew of, or should have, and those that came.
  private(set) var expected: UInt16 = 0
  private(set) var received: UInt16 = 0
  private var highest: UInt32 = 0
  private(set) var lost: Int32 = 0
  /// Our packets when the last report came: a peer that gets nothing does not know what it misses.
  private var sent: UInt64 = 0

  /// - Parameter sent: our packets until now.
  mutating func take(_ block: RTCPReportBlock, sent: UInt64, now: Instant) {
    let progress = Int64(Int32(bitPattern: block.extendedHighestSequence &- highest))
    let losses = Int64(block.cumulativeLost) &- Int64(lost)
    if reports > 0 {
      received = UInt16(clamping: progress &- losses)
      // Packets under way count as expected; with 5 s between reports they are few.
      expected = UInt16(clamping: Int64(clamping: sent &- self.sent))
    }
    highest = block.extendedHighestSequence
    lost = block.cumulativeLost
    jitter = block.jitter
    self.sent = sent
    lastReport = now
    reports &+= 1
  }
}
