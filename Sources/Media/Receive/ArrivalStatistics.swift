//  ArrivalStatistics.swift: how late a stream's packets come, and the delay that suits them.
//  Walk: JitterBuffer.insert → ArrivalStatistics.observe → JitterBuffer.wish

import Primitives

/// Relative delays of a stream's packets: transit time less the least of the last ten seconds.
///
/// The least transit slides in blocks of 1.25 s, so that a clock that drifts by 200 ppm is followed within 2 ms.
/// The histogram forgets with a time constant of some 20 s of 20 ms packets. All in 48 kHz samples.
public struct ArrivalStatistics: ~Copyable {
  private static let blocks = 8
  private static let blockSamples: Int64 = 60_000
  private static let bins = 96
  /// The first bins are 1 ms wide: on a clean path each millisecond of the target is one of residence. The others 2.5 ms.
  private static let fineBins = 20
  private static let fineSamples = 48
  private static let coarseSamples = 120

  /// Least transit of the window.
  public private(set) var base: Int64 = 0
  /// Delay that suits the stream: `JitterLimits.floor…highestTarget`. Of the last packet that was observed with
  /// `retargets`, or of `refresh`.
  public private(set) var target = JitterLimits.firstTarget

  private var minima = SIMD8<Int64>(repeating: .max)
  private var block = 0
  private var blockEnd: Int64 = 0
  private var histogram = FixedBlock<Float>(count: ArrivalStatistics.bins, repeating: 0)
  private var total: Float = 0
  /// New observations weigh ever more, instead of old ones less: one bin changes, not all.
  private var weight: Float = 1
  private var observations = 0
  /// Raised at once by a late packet, lowered slowly.
  private var peak: Float = 0
  /// Waiting for the next packet's copy of a lost one, while losses go on.
  private var recovery = 0
  private var recoveryEnd: Int64 = 0

  public init() {}

  /// A new clock or path: only the least transit is forgotten.
  mutating func restart(transit: Int64, at time: Int64) {
    minima = SIMD8(repeating: .max)
    block = 0
    minima[0] = transit
    blockEnd = time &+ Self.blockSamples
    base = transit
  }

  /// Packets are being lost that the next one repeats: wait one packet longer, until `end`.
  mutating func expectRecovery(samples: Int, until end: Int64) {
    recovery = min(samples, 2_880)
    recoveryEnd = end
  }

  /// - Parameter retargets: `false` while nobody hears the stream: `refresh` makes up for it.
  mutating func observe(transit: Int64, at time: Int64, retargets: Bool) {
    if time >= blockEnd { nextBlock(transit: transit, at: time) }
    if transit < minima[block] { minima[block] = transit }
    if transit < base { base = transit }
    if time > recoveryEnd { recovery = 0 }
    note(transit &- base)
    // Decay: halved in about 7 s of 20 ms packets.
    peak *= 0.998
    if retargets { refresh() }
  }

  /// A packet that was too late to be used tells as much.
  mutating func late(by relative: Int64) {
    note(relative)
    refresh()
  }

  private mutating func note(_ delay: Int64) {
    let relative = Int(max(0, min(delay, 48_000)))
    count(relative)
    // Attack: the packet came after the moment that the target allows.
    if relative > target { peak = max(peak, Float(min(relative, JitterLimits.highestTarget))) }
  }

  private mutating func nextBlock(transit: Int64, at time: Int64) {
    // After a pause of more than the window everything in it is old.
    if time &- blockEnd > Self.blockSamples &* Int64(Self.blocks) { return restart(transit: transit, at: time) }
    block = (block &+ 1) & (Self.blocks &- 1)
    minima[block] = transit
    blockEnd = time &+ Self.blockSamples
    let before = base
    base = transit
    for index in 0..<Self.blocks { base = min(base, minima[index]) }
    rebase(by: base &- before)
  }

  /// The path has become longer for good: what was late against the old least transit is not against the new one.
  private mutating func rebase(by rise: Int64) {
    guard rise >= Int64(Self.fineSamples / 2) else { return }
    let shift = Int(min(rise, 48_000))
    for index in 0..<Self.bins {
      let middle = (Self.upperEdge(index &- 1) &+ Self.upperEdge(index)) / 2
      let lower = Self.bin(max(0, middle &- shift))
      let moved = histogram[index]
      histogram[index] = 0
      histogram[lower] += moved
    }
    peak = max(0, peak - Float(shift))
  }

  @inline(__always) private static func bin(_ relative: Int) -> Int {
    let fine = relative / fineSamples
    return fine < fineBins ? fine : min(bins &- 1, fineBins &+ (relative &- fineBins &* fineSamples) / coarseSamples)
  }

  @inline(__always) private static func upperEdge(_ bin: Int) -> Int {
    bin < fineBins ? (bin &+ 1) &* fineSamples : fineBins &* fineSamples &+ (bin &- fineBins &+ 1) &* coarseSamples
  }

  private mutating func count(_ relative: Int) {
    histogram[Self.bin(relative)] += weight
    total += weight
    weight *= 1.001
    observations &+= 1
    if weight > 1e9 {
      for index in 0..<Self.bins { histogram[index] /= weight }
      total /= weight
      weight = 1
    }
  }

  /// Makes `target` of what has been observed.
  mutating func refresh() {
    let bound = total * JitterLimits.quantile
    var sum: Float = 0
    var bin = 0
    while bin < Self.bins &- 1 {
      sum += histogram[bin]
      if sum >= bound { break }
      bin &+= 1
    }
    var wanted = Float(Self.upperEdge(bin))
    // Little is known at first.
    if observations < 25 { wanted = max(wanted, Float(JitterLimits.firstTarget)) }
    wanted = max(wanted, peak) + Float(JitterLimits.margin)
    target = min(JitterLimits.highestTarget, max(JitterLimits.floor, Int(wanted)) &+ recovery)
  }
}
