//  Stopwatch.swift: CPU time, instructions and allocations of one step, measured in rounds.

import AllocationCounter
import Callgrind
import LinuxIO

/// What one step costs.
struct Measurement {
  var name: String
  /// CPU time of the thread, user and system, of one step: median of the rounds.
  var nanoseconds: Double
  /// malloc, calloc, realloc and aligned allocations of one step, after set-up.
  var allocations: Double
  /// How many steps the stopwatches saw since the last report, warm-up included; 0: not counted apart.
  var steps: Int
}

/// Counting instructions under callgrind: there each instruction counts the same, so that few rounds suffice.
let countsInstructions = callgrind_runs()

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
    callgrind_toggle()
  }

  @inline(__always) mutating func stop() {
    callgrind_toggle()
    let ended = MonotonicClock.threadCPUTime().nanoseconds
    nanoseconds += max(0, ended - startedAt - overhead)
    allocations += allocation_count() - countedAt
  }
}

/// Runs `step` many times and prints what one costs.
///
/// - Parameters:
///   - count: steps in a round; seven rounds after one to warm up, the median counts. Under callgrind a tenth, two rounds.
///   - step: gets the number of the step, from 0 on over all rounds.
func measure(_ name: String, count: Int, _ step: (Int) throws -> Void) rethrows {
  let rounds = countsInstructions ? 1 : 7
  let count = countsInstructions ? max(1, count / 10) : count
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
    Measurement(
      name: name, nanoseconds: times[rounds / 2], allocations: Double(allocations) / Double(count), steps: number))
}

/// One line of JSON, which `Benchmarks/run` and `Benchmarks/instructions` read.
func report(_ measurement: Measurement) {
  if measurement.steps > 0 { callgrind_dump(measurement.name) }
  let nanoseconds = (measurement.nanoseconds * 10).rounded() / 10
  let allocations = (measurement.allocations * 1_000).rounded() / 1_000
  print(
    #"{"step": "\#(measurement.name)", "nanoseconds": \#(nanoseconds), "allocations": \#(allocations), "steps": \#(measurement.steps)}"#
  )
}
