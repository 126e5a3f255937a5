//  HostLoad.swift: the host's load out of its workers' reports: what is free, and whether it takes more (control protocol P2).

import Media
import Primitives

/// Sums up the last report of every worker, and decides with hysteresis which of them take legs.
///
/// A worker is overloaded when it says so itself, at the last of its own steps (`OverloadStep.refusing`), or when it has
/// been strained for seconds; the host is when all its workers are. Between two reports a worker takes no more legs than
/// the time that it had left allows: a storm of calls does not wait for the next report.
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
    var calmReports = 0
    var isOverloaded = false
    var isFailed = false
    /// Legs that joined since the last report.
    var joined = 0
    var heard: Instant?
  }

  private let overloadBusy: Double
  private let recoveredBusy: Double
  private var workers: [Worker]
  private var lateTicksPublished: UInt64 = 0

  /// A second with so many late ticks, and a tenth of all, is strained even when the worker claims to have time.
  static let lateTicksOfStrain: UInt64 = 5
  /// Strained seconds in a row that make an overload: one stall of the machine is none.
  static let strainedReportsOfOverload = 3
  /// Reports without late ticks that end an overload.
  static let calmReportsOfRecovery = 3
  /// Legs that a worker takes between two reports whatever they say, unless it is overloaded; and at most while it is not
  /// known what a leg costs.
  static let joinsBetweenReports = 16
  static let joinsWhenBusy = 4
  static let joinsOfUnknownCost = 512
  /// Legs, and share of the time, from which on the cost of one is known.
  static let legsOfKnownCost = 20
  static let busyOfKnownCost = 0.05

  public init(workers: Int, overloadBusy: Double, recoveredBusy: Double) {
    self.workers = Array(repeating: Worker(), count: max(1, workers))
    self.overloadBusy = overloadBusy
    self.recoveredBusy = min(recoveredBusy, overloadBusy)
  }

  public var busy: Double { workers.reduce(0) { $0 + $1.last.busy } / Double(workers.count) }
  public var busiest: Double { workers.reduce(0) { max($0, $1.last.busy) } }
  public var lateTicks: UInt64 { workers.reduce(0) { $0 &+ $1.last.lateTicks } }
  /// No worker takes legs.
  public var isOverloaded: Bool { workers.allSatisfy(\.isOverloaded) }
  public func isOverloaded(worker: Int) -> Bool { workers.indices.contains(worker) && workers[worker].isOverloaded }
  public func step(ofWorker worker: Int) -> OverloadStep {
    workers.indices.contains(worker) ? workers[worker].last.overload : .normal
  }

  /// Whether a leg may join on that worker now.
  public func takesLeg(worker: Int) -> Bool {
    guard workers.indices.contains(worker) else { return false }
    let state = workers[worker]
    // From the first step on that can be heard, those who are here come first.
    guard !state.isOverloaded, state.last.overload <= .cheapestOpus, !Self.lacksMemory(state.last) else { return false }
    let free = state.last.busy < overloadBusy ? Self.joinsBetweenReports : Self.joinsWhenBusy
    guard state.joined >= free else { return true }
    guard let cost = Self.cost(of: state.last) else { return state.joined < Self.joinsOfUnknownCost }
    return state.last.busy + Double(state.joined + 1) * cost <= overloadBusy
  }

  /// A worker that stands still takes nobody, for ever.
  public mutating func fail(worker: Int) {
    guard workers.indices.contains(worker) else { return }
    workers[worker].isFailed = true
    workers[worker].isOverloaded = true
    workers[worker].last.busy = 1
  }

  public mutating func legJoined(worker: Int) {
    if workers.indices.contains(worker) { workers[worker].joined += 1 }
  }

  /// Share of a worker's time that one of its legs takes; `nil` while it has too few to tell.
  private static func cost(of report: WorkerReport) -> Double? {
    guard report.legs >= legsOfKnownCost, report.busy >= busyOfKnownCost else { return nil }
    return report.busy / Double(report.legs)
  }

  /// Less than a sixteenth of its packet buffers is free.
  private static func lacksMemory(_ report: WorkerReport) -> Bool {
    report.poolCapacity > 0 && report.poolAvailable * 16 < report.poolCapacity
  }

  public func busy(ofWorker worker: Int) -> Double { workers.indices.contains(worker) ? workers[worker].last.busy : 0 }

  /// - Returns: `true` when that worker's overload has come or gone.
  public mutating func handle(_ report: WorkerReport, worker: Int, now: Instant) -> Bool {
    guard workers.indices.contains(worker), !workers[worker].isFailed else { return false }
    var state = workers[worker]
    state.joined = 0
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
    let isCalm = !isStrained && state.last.busy < recoveredBusy && report.overload < .refusing
    state.calmReports = isCalm ? min(state.calmReports + 1, Self.calmReportsOfRecovery) : 0
    let before = state.isOverloaded
    if state.strainedReports >= Self.strainedReportsOfOverload || report.overload == .refusing {
      state.isOverloaded = true
    } else if state.calmReports >= Self.calmReportsOfRecovery {
      state.isOverloaded = false
    }
    workers[worker] = state
    return before != state.isOverloaded
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

  /// What the time that is left on workers that take legs allows, by what the present legs cost.
  private func legsByTime(legs: Int) -> Int {
    let total = busy * Double(workers.count)
    guard legs >= Self.legsOfKnownCost, total >= Self.busyOfKnownCost else { return .max }
    let room = workers.reduce(0) { $0 + ($1.isOverloaded ? 0 : max(0, overloadBusy - $1.last.busy)) }
    return Int(min(room / (total / Double(legs)), Double(Limits.legs)))
  }

  private static func rate(_ new: UInt64, _ old: UInt64, _ seconds: Double) -> UInt64 {
    new >= old ? UInt64(min(Double(new - old) / seconds, 1e15)) : 0
  }
}
