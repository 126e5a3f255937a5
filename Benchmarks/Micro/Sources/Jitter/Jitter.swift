//  Jitter.swift: the jitter buffer against a fixed one, in virtual time: the tables of Benchmarks/Jitter/README.md.

import Media
import Primitives

/// All of one pattern's runs.
struct PatternScore {
  var ticks = 0
  var concealed = 0
  var fixedTicks = 0
  var fixedConcealed = 0
  var delay = 0.0
  var fixedDelay = 0.0
  var runs = 0.0
  var stretches = 0
  var worst = 0.0
  var longestOverdue = 0
  var residence = ResidenceScore()

  mutating func add(_ arrivals: [Arrival], phase: Double) {
    let score = JitterSimulation.adaptive(arrivals, phase: phase)
    let fixed = JitterSimulation.fixed(arrivals, phase: phase)
    ticks += score.ticks
    concealed += score.concealed
    fixedTicks += fixed.ticks
    fixedConcealed += fixed.concealed
    delay += score.meanDelay
    fixedDelay += fixed.meanDelay
    runs += 1
    stretches += score.stretches
    worst = max(worst, score.worstDelay)
    longestOverdue = max(longestOverdue, score.longestOverdue)
    residence.add(score.sampleResidence)
  }
}

@main
enum Jitter {
  static func rounded(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths % 10))"
  }

  static func main() {
    print(
      "| pattern | mean delay, ms | fixed 60 ms | concealed of 10,000 ticks | fixed 60 ms "
        + "| delay of a fixed one that conceals no more | residence p50 / p99, ms | stretches a minute "
        + "| longest above 200 ms, ticks |")
    print("|---|---|---|---|---|---|---|---|---|")
    for pattern in JitterSimulation.Pattern.allCases {
      var score = PatternScore()
      var runs: [(arrivals: [Arrival], phase: Double)] = []
      for run in 0..<40 {
        let arrivals = JitterSimulation.arrivals(pattern, seconds: 300, seed: UInt64(run) + 1_000)
        runs.append((arrivals, Double(run) / 2))
        score.add(arrivals, phase: Double(run) / 2)
      }
      row("\(pattern)", score, equal: equalDelay(runs, concealed: score.concealed))
    }
    for skew in [200.0, -200, 1_000, -1_000] {
      var score = PatternScore()
      let arrivals = JitterSimulation.arrivals(.clean, seconds: 4 * 3_600, seed: 5, skew: skew)
      score.add(arrivals, phase: 7)
      row("clean, clocks \(Int(skew)) ppm apart, 4 h", score, equal: nil)
    }
    phases()
  }

  /// The mean delay of the shortest fixed buffer, in steps of 5 ms, that conceals not more than so many ticks.
  static func equalDelay(_ runs: [(arrivals: [Arrival], phase: Double)], concealed: Int) -> Double? {
    var low = 0
    var high = 48
    var delay: Double?
    while low < high {
      let middle = (low + high) / 2
      var sum = 0
      var mean = 0.0
      for run in runs {
        let fixed = JitterSimulation.fixed(run.arrivals, milliseconds: Double(middle * 5), phase: run.phase)
        sum += fixed.concealed
        mean += fixed.meanDelay / Double(runs.count)
      }
      if sum <= concealed {
        high = middle
        delay = mean
      } else {
        low = middle + 1
      }
    }
    return delay
  }

  static func row(_ name: String, _ score: PatternScore, equal: Double?) {
    let minutes = Double(score.ticks) / 3_000
    print(
      "| \(name) | \(rounded(score.delay / score.runs)) | \(rounded(score.fixedDelay / score.runs))",
      "| \(rounded(10_000 * Double(score.concealed) / Double(score.ticks)))",
      "| \(rounded(10_000 * Double(score.fixedConcealed) / Double(score.fixedTicks)))",
      "| \(equal.map(rounded) ?? "–")",
      "| \(rounded(score.residence.quantile(0.5))) / \(rounded(score.residence.quantile(0.99)))",
      "| \(rounded(Double(score.stretches) / minutes)) | \(score.longestOverdue) |")
  }

  /// Residence on a path of 20 ms with up to 2 ms of jitter, for each place in the tick where packets come.
  static func phases() {
    print("\n| tick after the earliest arrival, ms | p50 | p99 | concealed |")
    print("|---|---|---|---|")
    var all = ResidenceScore()
    for phase in 0..<20 {
      let arrivals = JitterSimulation.arrivals(.clean, seconds: 120, seed: UInt64(phase))
      let score = JitterSimulation.adaptive(arrivals, phase: Double(phase))
      all.add(score.sampleResidence)
      print(
        "| \(phase) | \(rounded(score.sampleResidence.quantile(0.5)))",
        "| \(rounded(score.sampleResidence.quantile(0.99))) | \(score.concealed) |")
    }
    print("| all | \(rounded(all.quantile(0.5))) | \(rounded(all.quantile(0.99))) | |")
  }
}
