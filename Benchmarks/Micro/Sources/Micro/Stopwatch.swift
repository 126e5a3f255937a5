//  Stopwatch.swift: CPU time and allocations of one step, measured in rounds.

import AllocationCounter
import LinuxIO

/// What one step costs.
struct Measurement {
  var name: String
  /// CPU time of the thread, user and system, of one step: median of the rounds.
  var nanoseconds: Double
  /// malloc, calloc, realloc and aligned allocations of one step, after set-up.
  var allocations: Double
}

/// Time and allocations between `start` and `stop`, added up; for steps that must be fed in between.
struct Stopwatch {
  private(set) var nanoseconds: Int64 = 0
  private(set) var allocations: UInt = 0
  private var startedAt: Int64 = 0
  private var countedAt: UInt = 0
  /// What reading the clock twice costs by itself.
  private let overhead: Int64

  init() {
    var least = Int64.max
    for _ in 0..<1_000 {
      let from = MonotonicClock.threadCPUTime().nanoseconds
      least = min(least, MonotonicClock.threadCPUTime().nanoseconds - from)
    }
    overhead = least
  }

  @inline(__always) mutating func start() {
    countedAt = allocation_count()
    startedAt = MonotonicClock.threadCPUTime().nanoseconds
  }

  @inline(__always) mutating func stop() {
    let ended = MonotonicClock.threadCPUTime().nanoseconds
    nanoseconds += max(0, ended - startedAt - overhead)
    allocations += allocation_count() - countedAt
  }
}

/// Runs `step` many times and prints what one costs.
///
/// - Parameters:
///   - count: steps in a round; seven rounds after one to warm up, the median counts.
///   - step: gets the number of the step, from 0 on over all rounds.
func measure(_ name: String, count: Int, _ step: (Int) throws -> Void) rethrows {
  let rounds = 7
  var number = 0
  func round() throws -> Stopwatch {
    var watch = Stopwatch()
    watch.start()
    for _ in 0..<count {
      try step(number)
      number += 1
    }
    watch.stop()
    return watch
  }
  _ = try round()
  var times: [Double] = []
  var allocations: UInt = 0
  for _ in 0..<rounds {
    let watch = try round()
    times.append(Double(watch.nanoseconds) / Double(count))
    allocations = max(allocations, watch.allocations)
  }
  times.sort()
  report(
    Measurement(name: name, nanoseconds: times[rounds / 2], allocations: Double(allocations) / Double(count)))
}

/// One line of JSON, which `Benchmarks/run` reads.
func report(_ measurement: Measurement) {
  let nanoseconds = (measurement.nanoseconds * 10).rounded() / 10
  let allocations = (measurement.allocations * 1_000).rounded() / 1_000
  print(
    #"{"step": "\#(measurement.name)", "nanoseconds": \#(nanoseconds), "allocations": \#(allocations)}"#)
}
