//  WorkerCosts.swift: where a worker's time goes, by kind of work: what capacity is told from.

import Primitives

/// Time and occasions since the worker's start. A kind's price is the quotient of two differences.
///
/// The time is that of a clock the shell provides (`MediaWorkerConfiguration.stopwatch`), so it contains what other
/// programs and the hypervisor took from this CPU; `WorkerReport.cpuMicroseconds` tells how much of it was the worker's.
@frozen public struct WorkerCosts: Hashable, Sendable, BitwiseCopyable {
  /// Receiving, decrypting and filing packets, system calls included: for each packet in.
  public var receiveNanoseconds: UInt64 = 0
  /// Ticks up to sending, less the next two: choosing who is heard, mixing: for each leg and tick.
  public var tickNanoseconds: UInt64 = 0
  /// Jitter buffer and decoder: for each talker and tick.
  public var decodeNanoseconds: UInt64 = 0
  /// For each encoded frame.
  public var encodeNanoseconds: UInt64 = 0
  /// Writing, encrypting and sending, system calls included: for each packet out.
  public var sendNanoseconds: UInt64 = 0

  /// Of the shell's loop: each has a price of its own, which is paid in `receiveNanoseconds`.
  public var turns: UInt64 = 0
  public var packetsIn: UInt64 = 0
  public var packetsOut: UInt64 = 0
  /// Legs, each counted in each tick of its meeting.
  public var legTicks: UInt64 = 0
  public var meetingTicks: UInt64 = 0
  /// Talkers, each counted in each tick.
  public var talkerTicks: UInt64 = 0
  public var encodes: UInt64 = 0

  @inlinable public init() {}

  @inlinable public var totalNanoseconds: UInt64 {
    receiveNanoseconds &+ tickNanoseconds &+ decodeNanoseconds &+ encodeNanoseconds &+ sendNanoseconds
  }

  /// What came since `earlier`.
  public static func - (now: WorkerCosts, earlier: WorkerCosts) -> WorkerCosts {
    var difference = WorkerCosts()
    for field in fields { difference[keyPath: field] = now[keyPath: field] &- earlier[keyPath: field] }
    return difference
  }

  public static func + (one: WorkerCosts, other: WorkerCosts) -> WorkerCosts {
    var sum = WorkerCosts()
    for field in fields { sum[keyPath: field] = one[keyPath: field] &+ other[keyPath: field] }
    return sum
  }

  private static var fields: [WritableKeyPath<WorkerCosts, UInt64>] {
    [
      \.receiveNanoseconds, \.tickNanoseconds, \.decodeNanoseconds, \.encodeNanoseconds, \.sendNanoseconds,
      \.turns, \.packetsIn, \.packetsOut, \.legTicks, \.meetingTicks, \.talkerTicks, \.encodes,
    ]
  }
}

/// Reads a clock that runs evenly, in nanoseconds. Given to a worker to measure itself with: nothing is decided by it.
public typealias Stopwatch = @Sendable @convention(c) () -> Int64
