//  HostLoad.swift: the host's load out of its workers' reports: what is free, and whether it takes more (control protocol P2).

import Media
import Primitives

/// Sums up the last report of every worker, and decides on overload with hysteresis.
public struct HostLoad: Sendable {
  /// What a load document says and what a change is measured by.
  public struct Summary: Hashable, Sendable {
    /// Mean share of the workers' time, 0…1.
    public var busy: Double = 0
    /// Legs that the host would take now.
    public var legsAvailable = 0
    public var packetsInPerSecond: UInt64 = 0
    public var packetsOutPerSecond: UInt64 = 0
    /// Ticks that missed their deadline since the last document.
    public var lateTicks: UInt64 = 0
    public var overloaded = false
    public init() {}
  }

  private struct Worker: Sendable {
    var last = WorkerReport()
    var packetsInPerSecond: UInt64 = 0
    var packetsOutPerSecond: UInt64 = 0
    var strainedReports = 0
    var heard: Instant?
  }

  private let overloadBusy: Double
  private let recoveredBusy: Double
  private var workers: [Worker]
  private var lateTicksPublished: UInt64 = 0
  private var calmReports = 0
  public private(set) var isOverloaded = false

  /// A second with so many late ticks, and a tenth of all, is strained even when the worker claims to have time.
  static let lateTicksOfStrain: UInt64 = 5
  /// Strained seconds in a row that make an overload: one stall of the machine is none.
  static let strainedReportsOfOverload = 3
  /// Reports without late ticks that end an overload, per worker.
  static let calmReportsOfRecovery = 3

  public init(workers: Int, overloadBusy: Double, recoveredBusy: Double) {
    self.workers = Array(repeating: Worker(), count: max(1, workers))
    self.overloadBusy = overloadBusy
    self.recoveredBusy = min(recoveredBusy, overloadBusy)
  }

  public var busy: Double { workers.reduce(0) { $0 + $1.last.busy } / Double(workers.count) }
  public var busiest: Double { workers.reduce(0) { max($0, $1.last.busy) } }
  public var lateTicks: UInt64 { workers.reduce(0) { $0 &+ $1.last.lateTicks } }
  public func busy(ofWorker worker: Int) -> Double { workers.indices.contains(worker) ? workers[worker].last.busy : 0 }

  /// - Returns: `true` when `isOverloaded` has changed.
  public mutating func handle(_ report: WorkerReport, worker: Int, now: Instant) -> Bool {
    guard workers.indices.contains(worker) else { return false }
    var state = workers[worker]
    var late: UInt64 = 0
    if let heard = state.heard {
      let seconds = max(0.1, (now - heard).seconds)
      state.packetsInPerSecond = Self.rate(report.packetsIn, state.last.packetsIn, seconds)
      state.packetsOutPerSecond = Self.rate(report.packetsOut, state.last.packetsOut, seconds)
      late = report.lateTicks >= state.last.lateTicks ? report.lateTicks - state.last.lateTicks : 0
    }
    state.last = report
    state.last.busy = report.busy.isFinite ? min(max(0, report.busy), 1) : 1
    state.heard = now
    let isStrained = state.last.busy >= overloadBusy || late >= max(Self.lateTicksOfStrain, report.slack.count / 10)
    state.strainedReports = isStrained ? min(state.strainedReports + 1, Self.strainedReportsOfOverload) : 0
    workers[worker] = state

    let before = isOverloaded
    if isStrained {
      if state.strainedReports >= Self.strainedReportsOfOverload { isOverloaded = true }
      calmReports = 0
    } else if isOverloaded {
      calmReports = busiest < recoveredBusy ? calmReports + 1 : 0
      if calmReports >= Self.calmReportsOfRecovery * workers.count { isOverloaded = false }
    }
    return before != isOverloaded
  }

  /// - Parameters:
  ///   - legs: on the host now.
  ///   - available: what configuration leaves free.
  public func summary(legs: Int, available: Int) -> Summary {
    var summary = Summary()
    summary.busy = busy
    summary.overloaded = isOverloaded
    summary.legsAvailable = isOverloaded ? 0 : min(available, legsByTime(legs: legs))
    for worker in workers {
      summary.packetsInPerSecond &+= worker.packetsInPerSecond
      summary.packetsOutPerSecond &+= worker.packetsOutPerSecond
    }
    let late = lateTicks
    summary.lateTicks = late >= lateTicksPublished ? late - lateTicksPublished : 0
    return summary
  }

  /// Late ticks of the next document are counted from here.
  public mutating func markPublished() { lateTicksPublished = lateTicks }

  /// A step worth a document before its time: a tenth of the time or of the room, or overload come or gone.
  public static func isStep(from old: Summary, to new: Summary, maximumLegs: Int) -> Bool {
    if old.overloaded != new.overloaded || abs(old.busy - new.busy) >= 0.1 { return true }
    return abs(old.legsAvailable - new.legsAvailable) * 10 >= max(10, maximumLegs)
  }

  /// What the time that is left allows, by what the present legs cost; unknown under 20 legs or 5 % of the time.
  private func legsByTime(legs: Int) -> Int {
    let total = busy * Double(workers.count)
    guard legs >= 20, total >= 0.05 else { return .max }
    let room = max(0, overloadBusy * Double(workers.count) - total)
    return Int(min(room / (total / Double(legs)), Double(Limits.legs)))
  }

  private static func rate(_ new: UInt64, _ old: UInt64, _ seconds: Double) -> UInt64 {
    new >= old ? UInt64(min(Double(new - old) / seconds, 1e15)) : 0
  }
}
