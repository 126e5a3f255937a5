//  BurstStatistics.swift: how losses come: alone or in bursts (RFC 3611 §4.7.2, ITU-T G.107 BurstR).
//  Walk: ReceptionStatistics.receive → BurstStatistics → RTCPSession

/// Counts runs of lost packets of one source.
///
/// A burst is a stretch in which fewer than `minimumGap` packets in a row arrive between two losses; what is between bursts
/// is a gap, with losses that stand alone.
@frozen public struct BurstStatistics: Sendable, BitwiseCopyable {
  /// Packets without loss that end a burst (RFC 3611 §4.7.2 recommends 16).
  @inlinable public static var minimumGap: UInt32 { 16 }

  public private(set) var received: UInt64 = 0
  public private(set) var lost: UInt64 = 0
  /// Times that packets began to be missing.
  public private(set) var runs: UInt64 = 0
  private var newest: Int64 = 0
  private var isStarted = false
  private var sinceLoss: UInt32 = minimumGap
  /// In the burst that may be going on.
  private var lossesOfBurst: UInt32 = 0

  // Packets and losses by where they fell.
  private var receivedInGaps: UInt64 = 0
  private var receivedInBursts: UInt64 = 0
  private var lostAlone: UInt64 = 0
  /// Losses in bursts after each burst's first.
  private var lostInBursts: UInt64 = 0
  private var bursts: UInt64 = 0

  @inlinable public init() {}

  /// - Parameter extended: the packet's extended sequence number, as `ReceptionStatistics.receive` gives it.
  @inline(__always) public mutating func receive(_ extended: Int64) {
    received &+= 1
    if extended == newest &+ 1, isStarted {
      newest = extended
      sinceLoss &+= 1
      return
    }
    jump(to: extended)
  }

  /// Another source, or the same with other numbers: nothing is lost between.
  public mutating func restart() { isStarted = false }

  private mutating func jump(to extended: Int64) {
    let missing = extended &- newest &- 1
    guard isStarted, missing < 1 << 15, missing > -1 << 15 else {
      // The first packet, or a restart of the source: what lies between was never sent.
      isStarted = true
      newest = extended
      return
    }
    guard missing > 0 else {
      // It was not lost after all, only late; where the loss fell stays as counted.
      if lost > 0, missing < 0 { lost &-= 1 }
      return
    }
    newest = extended
    lost &+= UInt64(missing)
    runs &+= 1
    if sinceLoss >= Self.minimumGap {
      endBurst()
      receivedInGaps &+= UInt64(sinceLoss)
      lossesOfBurst = UInt32(truncatingIfNeeded: missing)
      if missing > 1 { lostInBursts &+= UInt64(missing) &- 1 }
    } else {
      receivedInBursts &+= UInt64(sinceLoss)
      lossesOfBurst &+= UInt32(truncatingIfNeeded: missing)
      lostInBursts &+= UInt64(missing)
    }
    sinceLoss = 1
  }

  /// A gap began: what was lost before it is a burst, or one loss alone.
  private mutating func endBurst() {
    if lossesOfBurst == 1 { lostAlone &+= 1 } else if lossesOfBurst > 1 { bursts &+= 1 }
    lossesOfBurst = 0
  }

  /// Mean length of a loss run over what random loss of the same rate would have: at least 1.
  ///
  /// - Parameter earlier: only what came since is looked at.
  public func burstRatio(since earlier: BurstStatistics) -> Double {
    let lost = Double(lost &- min(earlier.lost, lost))
    let runs = Double(runs &- min(earlier.runs, runs))
    let received = Double(received &- min(earlier.received, received))
    guard runs > 0, lost > 0 else { return 1 }
    return max(1, lost / runs * received / (lost + received))
  }

  /// What VoIP metrics say of it.
  public struct Metrics: Hashable, Sendable, BitwiseCopyable {
    /// In 1/256.
    public var burstDensity: UInt8 = 0
    public var gapDensity: UInt8 = 0
    /// Mean, milliseconds.
    public var burstDuration: UInt16 = 0
    public var gapDuration: UInt16 = 0
  }

  /// - Parameter packetMilliseconds: audio in one packet.
  public func metrics(packetMilliseconds: Int) -> Metrics {
    var closed = self
    if sinceLoss >= Self.minimumGap {
      closed.endBurst()
      closed.receivedInGaps &+= UInt64(sinceLoss)
    } else {
      closed.receivedInBursts &+= UInt64(sinceLoss)
      if lossesOfBurst > 0 { closed.bursts &+= lossesOfBurst > 1 ? 1 : 0 }
      if lossesOfBurst == 1 { closed.lostAlone &+= 1 }
    }
    var metrics = Metrics()
    let burstLosses = closed.lostInBursts &+ closed.bursts
    let burstPackets = burstLosses &+ closed.receivedInBursts
    let gapPackets = closed.receivedInGaps &+ closed.lostAlone
    if burstPackets > 0, closed.bursts > 0 {
      metrics.burstDensity = UInt8(clamping: burstLosses &* 256 / burstPackets)
      metrics.burstDuration = Self.duration(burstPackets, of: closed.bursts, packetMilliseconds)
    }
    if gapPackets > 0 {
      metrics.gapDensity = UInt8(clamping: closed.lostAlone &* 256 / gapPackets)
      metrics.gapDuration = Self.duration(gapPackets, of: closed.bursts &+ 1, packetMilliseconds)
    }
    return metrics
  }

  private static func duration(_ packets: UInt64, of stretches: UInt64, _ milliseconds: Int) -> UInt16 {
    UInt16(clamping: packets / max(1, stretches) &* UInt64(clamping: milliseconds))
  }
}
