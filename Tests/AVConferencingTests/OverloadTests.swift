//  OverloadTests.swift: twenty times the load that a host can bear: calls in progress stay good, newcomers get 503, and it passes.

import AVConferencing
import Media
import Primitives
import SIP
import Testing

/// A worker as far as load goes: its ticks cost time, which its effort changes, and what does not fit is late.
///
/// The costs are those of a leg in `LIMITS.md`'s scale: what a talking leg costs at full effort, with cheap encoders, and
/// with fewer talkers.
private struct ModelWorker {
  /// Microseconds of a period of 20 ms for each leg, at full effort.
  static let costPerLeg = 100.0
  var legs = 0
  var controller = OverloadController()
  /// Work that was not done in its period, microseconds.
  var backlog = 0.0
  var lateTicks: UInt64 = 0
  var ticks = 0
  /// Legs' ticks that were late, after a call had been in progress for a second.
  var spoiled = 0
  var total = 0
  private var window = OverloadController.Window()
  private var used = 0.0

  var relief: Double {
    switch controller.step {
    case .normal: 1
    case .cheaperOpus: 0.8
    case .cheapestOpus: 0.65
    case .lessOneTalker: 0.55
    case .lessTwoTalkers: 0.45
    case .lessThreeTalkers, .refusing: 0.4
    }
  }

  mutating func tick(now: Instant) {
    let work = backlog + Double(legs) * Self.costPerLeg * relief
    let isLate = work > 20_000
    window.ticks += 1
    if isLate { window.late += 1 }
    if work > 16_000 { window.tight += 1 }
    ticks += 1
    total += legs
    if isLate {
      lateTicks += 1
      spoiled += legs
    }
    used += min(work, 20_000)
    // What is more than five periods behind is skipped, as by the schedule.
    backlog = min(max(0, work - 20_000), 100_000)
    guard ticks % 12 == 0 else { return }
    window.busy = used / (12 * 20_000)
    used = 0
    _ = controller.observe(window, now: now)
    window = OverloadController.Window()
  }

  func report(busy: Double) -> WorkerReport {
    var report = WorkerReport()
    report.legs = legs
    report.busy = busy
    report.lateTicks = lateTicks
    report.overload = controller.step
    return report
  }

  var busy: Double { min(1, (backlog + Double(legs) * Self.costPerLeg * relief) / 20_000) }
}

@Suite("Overload of a host")
struct OverloadTests {
  @Test("twenty times as many callers as it can serve: 503 with Retry-After, calls in progress hold, and it recovers")
  func twentyTimes() throws {
    // 200 legs fill the worker; 4,000 callers come in 60 s, and each refused one tries again.
    var bench = HostBench(workers: 1) { $0.maximumLegs = 10_000 }
    let control = try bench.addConference()
    var worker = ModelWorker()
    var refused = 0
    var withoutRetry = 0
    var joined = 0
    for _ in 0..<60 {
      for _ in 0..<67 {
        let phone = bench.join(control, "p\(joined + refused)")
        if phone.answer != nil {
          joined += 1
        } else {
          refused += 1
          let answer = bench.takeRefusal(of: phone.call)
          if answer?.status != 503 || answer?.first(.retryAfter) == nil { withoutRetry += 1 }
        }
        worker.legs = joined
      }
      for _ in 0..<50 {
        bench.now = bench.now + .milliseconds(20)
        worker.tick(now: bench.now)
      }
      bench.report(.report(worker.report(busy: worker.busy)))
      bench.events = []
      bench.commands = []
    }

    #expect(refused > 3_500 && withoutRetry == 0)
    #expect(joined >= 150 && joined <= 320, "\(joined)")
    // At least 99.5 % of the ticks of calls in progress are on time.
    #expect(Double(worker.spoiled) <= 0.005 * Double(worker.total), "\(worker.spoiled) of \(worker.total)")
    let changes = bench.log.count { if case .effortChanged = $0 { true } else { false } }
    #expect(changes <= 20)

    // Half of them leave: without a restart everything is as before.
    worker.legs = joined / 2
    for _ in 0..<40 {
      for _ in 0..<50 {
        bench.now = bench.now + .milliseconds(20)
        worker.tick(now: bench.now)
      }
      bench.report(.report(worker.report(busy: worker.busy)))
    }
    #expect(worker.controller.step == .normal)
    #expect(bench.join(control, "late").answer != nil)
  }
}
