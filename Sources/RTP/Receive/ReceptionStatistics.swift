//  ReceptionStatistics.swift: what a receiver knows of one source: extended sequence, loss, jitter (RFC 3550 A.1, A.3, A.8).
//  Walk: RTPHeader → ReceptionStatistics.receive → JitterBuffer

import Primitives

/// The reception state of one SSRC.
@frozen public struct ReceptionStatistics: Sendable, BitwiseCopyable {
  /// A forward jump of more is not believed at once (RFC 3550 A.1 `MAX_DROPOUT`).
  @inlinable public static var maximumDropout: UInt16 { 3_000 }
  /// A packet may be that much older than the newest (RFC 3550 A.1 `MAX_MISORDER`).
  @inlinable public static var maximumMisorder: UInt16 { 100 }

  /// Hz of the RTP timestamp. Settable: a source may change its payload type.
  public var clockRate: UInt32
  @usableFromInline let minimumSequential: UInt8
  /// Packets still wanted in sequence before the source is believed.
  @usableFromInline var probation: UInt8
  @usableFromInline var started = false
  @usableFromInline var highest: UInt16 = 0
  /// Wraps times 65,536; never falls, so that extended sequence numbers grow over a restart too.
  @usableFromInline var cycles: Int64 = 0
  /// `cycles` when counting last began: reports count from there (RFC 3550 A.1 `init_seq`).
  @usableFromInline var firstCycles: Int64 = 0
  @usableFromInline var base: UInt16 = 0
  /// The one that would confirm a jump; over 65,535 for none.
  @usableFromInline var confirming: UInt32 = 1 << 16
  @usableFromInline var expectedBefore: UInt64 = 0
  @usableFromInline var receivedBefore: UInt64 = 0
  @usableFromInline var transit: UInt32 = 0
  @usableFromInline var hasTransit = false
  /// 16 times the estimate (RFC 3550 A.8).
  @usableFromInline var scaledJitter: UInt32 = 0
  @usableFromInline var lastReport: UInt32 = 0
  @usableFromInline var lastReportArrival = Instant.zero

  @usableFromInline var receivedCount: UInt64 = 0
  @usableFromInline var restartCount: UInt32 = 0
  @usableFromInline var reorderedCount: UInt32 = 0

  /// - Parameters:
  ///   - clockRate: Hz of the RTP timestamp, not 0.
  ///   - minimumSequential: packets in sequence before a source is believed: 2 for plain RTP (RFC 3550 A.1), 0 when each
  ///     packet is authenticated, so that none is lost.
  @inlinable public init(clockRate: UInt32, minimumSequential: UInt8 = 2) {
    precondition(clockRate > 0)
    self.clockRate = clockRate
    self.minimumSequential = minimumSequential
    probation = minimumSequential
  }

  /// Counts one packet.
  ///
  /// - Parameters:
  ///   - arrival: when it came, monotonic.
  ///   - measuresJitter: `false` for packets whose timestamp is not their sampling time, such as telephone events.
  /// - Returns: the extended sequence number: grows by one with each packet sent, over wraps and restarts. Packets older
  ///   than the first may be negative.
  /// - Throws: `.onProbation` for a source not yet believed, and for the first packet after a jump.
  @inlinable public mutating func receive(
    sequence: UInt16, timestamp: UInt32, arrival: Instant, measuresJitter: Bool = true
  ) throws(DropReason) -> Int64 {
    let extended: Int64
    if started && probation == 0 {
      let delta = sequence &- highest
      if delta < Self.maximumDropout {
        if sequence < highest { cycles &+= 1 << 16 }
        highest = sequence
        extended = cycles &+ Int64(sequence)
      } else if delta > 0 &- Self.maximumMisorder {
        extended = cycles &+ Int64(sequence) &- (sequence > highest ? 1 << 16 : 0)
        reorderedCount &+= 1
      } else {
        // Two packets in sequence after a jump: the other side restarted without telling us.
        guard UInt32(sequence) == confirming else {
          confirming = UInt32(sequence &+ 1)
          throw .onProbation
        }
        restart(at: sequence)
        extended = cycles &+ Int64(sequence)
      }
    } else {
      extended = try admit(sequence)
    }
    receivedCount &+= 1
    if measuresJitter { measure(timestamp, arrival) }
    return extended
  }

  /// Until `minimumSequential` packets came in sequence (RFC 3550 A.1).
  @inlinable mutating func admit(_ sequence: UInt16) throws(DropReason) -> Int64 {
    if !started {
      started = true
      highest = sequence
      base = sequence
      if probation > 0 { probation &-= 1 }
    } else if sequence == highest &+ 1 {
      highest = sequence
      probation &-= 1
    } else {
      // Out of sequence: this is the first of a new run.
      highest = sequence
      probation = minimumSequential &- 1
    }
    guard probation == 0 else { throw .onProbation }
    base = sequence
    return Int64(sequence)
  }

  @inlinable mutating func restart(at sequence: UInt16) {
    cycles &+= 1 << 16
    firstCycles = cycles
    base = sequence
    highest = sequence
    confirming = 1 << 16
    receivedCount = 0
    expectedBefore = 0
    receivedBefore = 0
    hasTransit = false
    restartCount &+= 1
  }

  @inlinable mutating func measure(_ timestamp: UInt32, _ arrival: Instant) {
    // Arrival in timestamp units modulo 2³²; only differences matter.
    let nanoseconds = UInt64(bitPattern: arrival.nanoseconds)
    let rate = UInt64(clockRate)
    let units = nanoseconds / 1_000_000_000 &* rate &+ nanoseconds % 1_000_000_000 &* rate / 1_000_000_000
    let now = UInt32(truncatingIfNeeded: units) &- timestamp
    if hasTransit {
      // Bounded, so that 16 times the estimate stays inside 32 bits whatever timestamps the peer invents.
      let difference = min(Int32(bitPattern: now &- transit).magnitude, 1 << 27)
      scaledJitter = scaledJitter &+ difference &- (scaledJitter &+ 8) >> 4
    }
    transit = now
    hasTransit = true
  }

  /// Packets counted, duplicates included, since the last restart.
  @inlinable public var received: UInt64 { receivedCount }
  /// How often the source jumped and was taken up anew: play-out state of the old numbers is worthless then.
  @inlinable public var restarts: UInt32 { restartCount }
  /// Packets older than one that had come before, duplicates of such included.
  @inlinable public var reordered: UInt32 { reorderedCount }
  /// `false` while the source is on probation.
  @inlinable public var isValid: Bool { started && probation == 0 }
  /// The newest packet's extended sequence number.
  @inlinable public var extendedHighest: Int64 { cycles &+ Int64(highest) }
  /// In timestamp units.
  @inlinable public var jitter: UInt32 { scaledJitter >> 4 }
  /// Packets that should have come since the last restart.
  @inlinable public var expected: UInt64 {
    guard isValid else { return 0 }
    return UInt64(clamping: extendedHighest &- firstCycles &- Int64(base) &+ 1)
  }
  /// Expected less received; negative with duplicates.
  @inlinable public var lost: Int64 { Int64(clamping: expected) &- Int64(clamping: received) }

  /// Remembers the peer's SR, for LSR and DLSR.
  @inlinable public mutating func senderReportReceived(ntp: UInt64, arrival: Instant) {
    lastReport = RoundTrip.compact(ntp)
    lastReportArrival = arrival
  }

  /// The block about this source, for the interval since the last call (RFC 3550 A.3).
  public mutating func reportBlock(ssrc: UInt32, now: Instant) -> RTCPReportBlock {
    let expected = self.expected
    let expectedInterval = expected &- expectedBefore
    let lostInterval = Int64(clamping: expectedInterval) &- Int64(clamping: received &- receivedBefore)
    expectedBefore = expected
    receivedBefore = received
    var fraction: UInt8 = 0
    if expectedInterval > 0, lostInterval > 0 {
      fraction = UInt8(clamping: lostInterval &* 256 / Int64(clamping: expectedInterval))
    }
    return RTCPReportBlock(
      ssrc: ssrc, fractionLost: fraction,
      cumulativeLost: Int32(truncatingIfNeeded: min(max(lost, -0x80_0000), 0x7f_ffff)),
      extendedHighestSequence: UInt32(truncatingIfNeeded: extendedHighest &- firstCycles), jitter: jitter,
      lastSenderReport: lastReport,
      delaySinceLastSenderReport: lastReport == 0 ? 0 : RoundTrip.delay(now - lastReportArrival))
  }
}
