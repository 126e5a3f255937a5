//  LatchBudget.swift: how many keys may be tried on packets from unknown sources.

import Primitives

/// Token buckets, one for each of 1,024 groups of hosts and one for the worker, refilled each second. A host that sprays
/// uses up its own group's tokens; many that do, the worker's: what is left is bounded work and legs already latched.
struct LatchBudget: ~Copyable {
  static let groups = 1024
  private let perHost: Int32
  private let perWorker: Int32
  private let seed: UInt64
  private var left: BoundedList<Int32>
  private var workerLeft: Int32
  private var period = Int64.min

  init(limits: MediaWorkerLimits, seed: UInt64) {
    perHost = Int32(clamping: limits.latchTriesPerHostAndSecond)
    perWorker = Int32(clamping: limits.latchTriesPerSecond)
    workerLeft = perWorker
    self.seed = seed
    left = BoundedList(capacity: Self.groups)
    for _ in 0..<Self.groups { left.append(perHost) }
  }

  /// - Returns: how many of `wanted` tries the host may have now; they are spent with that.
  mutating func take(_ wanted: Int, for source: SocketAddress, now: Instant) -> Int {
    let second = now.nanoseconds / 1_000_000_000
    if second != period {
      period = second
      workerLeft = perWorker
      for index in 0..<Self.groups { left[index] = perHost }
    }
    let group =
      Int(truncatingIfNeeded: mixed(source.high ^ seed, source.low ^ 0x9e37_79b9_7f4a_7c15)) & (Self.groups - 1)
    let granted = min(Int32(clamping: wanted), left[group], workerLeft)
    guard granted > 0 else { return 0 }
    left[group] &-= granted
    workerLeft &-= granted
    return Int(granted)
  }
}
