//  JitterBuffer+Arrivals.swift: how late packets come, and the delay that suits them.

/// Relative delays of a stream's packets: transit time less the least of the last ten seconds.
///
/// The least transit slides in blocks of 1.25 s, so that a clock that drifts by 200 ppm is followed within 2 ms.
/// The histogram forgets with a time constant of some 10 s of 20 ms packets. All in 48 kHz samples.
public struct ArrivalStatistics: Sendable, BitwiseCopyable {
  private static let blocks = 8
  private static let blockSamples: Int64 = 60_000
  private static let binSamples = 240
  private static let bins = 64

  /// Least transit of the window.
  public private(set) var base: Int64 = 0
  /// Delay that suits the stream now: `JitterLimits.floor…highestTarget`.
  public private(set) var target = JitterLimits.firstTarget

  private var minima: InlineArray<8, Int64> = InlineArray(repeating: .max)
  private var block = 0
  private var blockEnd: Int64 = 0
  private var histogram: InlineArray<64, Float> = InlineArray(repeating: 0)
  private var total: Float = 0
  /// New observations weigh ever more, instead of old ones less: one bin changes, not 64.
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
    minima = InlineArray(repeating: .max)
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

  mutating func observe(transit: Int64, at time: Int64) {
    if time >= blockEnd {
      // After a pause of more than the window everything in it is old.
      if time &- blockEnd > Self.blockSamples &* Int64(Self.blocks) {
        restart(transit: transit, at: time)
      } else {
        block = (block &+ 1) & (Self.blocks &- 1)
        minima[block] = transit
        blockEnd = time &+ Self.blockSamples
        let before = base
        base = transit
        for index in 0..<Self.blocks { base = min(base, minima[index]) }
        rebase(by: base &- before)
      }
    }
    if transit < minima[block] { minima[block] = transit }
    if transit < base { base = transit }
    if time > recoveryEnd { recovery = 0 }
    let relative = Int(min(transit &- base, 48_000))
    count(relative)
    // Attack: the packet came after the moment that the target allows.
    if relative > target { peak = max(peak, Float(min(relative, JitterLimits.highestTarget))) }
    retarget()
  }

  /// A packet that was too late to be used tells as much.
  mutating func late(by relative: Int64) {
    let bounded = Int(max(0, min(relative, 48_000)))
    count(bounded)
    if bounded > target { peak = max(peak, Float(min(bounded, JitterLimits.highestTarget))) }
    retarget()
  }

  /// The path has become longer for good: what was late against the old least transit is not against the new one.
  private mutating func rebase(by rise: Int64) {
    let shift = Int(rise) / Self.binSamples
    guard shift > 0 else { return }
    for index in 0..<Self.bins {
      let source = index &+ min(shift, Self.bins)
      let kept = source < Self.bins ? histogram[source] : 0
      if index == 0 {
        for lower in 0..<min(shift, Self.bins) { histogram[0] += lower > 0 ? histogram[lower] : 0 }
        histogram[0] += kept
      } else {
        histogram[index] = kept
      }
    }
    peak = max(0, peak - Float(rise))
  }

  private mutating func count(_ relative: Int) {
    let bin = min(Self.bins &- 1, max(0, relative / Self.binSamples))
    histogram[bin] += weight
    total += weight
    weight *= 1.002
    observations &+= 1
    if weight > 1e9 {
      for index in 0..<Self.bins { histogram[index] /= weight }
      total /= weight
      weight = 1
    }
  }

  private mutating func retarget() {
    let bound = total * 0.99
    var sum: Float = 0
    var bin = 0
    while bin < Self.bins &- 1 {
      sum += histogram[bin]
      if sum >= bound { break }
      bin &+= 1
    }
    var wanted = Float((bin &+ 1) &* Self.binSamples)
    // Little is known at first.
    if observations < 50 { wanted = max(wanted, Float(JitterLimits.firstTarget)) }
    // Decay: halved in about 7 s of 20 ms packets.
    peak *= 0.998
    wanted = max(wanted, peak)
    target = min(JitterLimits.highestTarget, max(JitterLimits.floor, Int(wanted)) &+ recovery)
  }
}
