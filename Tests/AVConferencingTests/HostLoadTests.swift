//  HostLoadTests.swift: load out of workers' reports; overload with hysteresis; steps worth telling.

import AVConferencing
import Media
import Primitives
import Testing

@Suite("Load of the host (control protocol P2)")
struct HostLoadTests {
  func report(_ busy: Double, late: UInt64 = 0, packets: UInt64 = 0) -> WorkerReport {
    var report = WorkerReport()
    report.busy = busy
    report.lateTicks = late
    report.packetsIn = packets
    return report
  }

  @Test("what is free follows what the present legs cost")
  func room() {
    var load = HostLoad(workers: 2, overloadBusy: 0.9, recoveredBusy: 0.75)
    _ = load.handle(report(0.3), worker: 0, now: .zero)
    _ = load.handle(report(0.3), worker: 1, now: .zero)

    // 100 legs take 0.6 of 1.8: 200 more fit.
    #expect(load.summary(legs: 100, available: 10_000).legsAvailable == 200)
    #expect(load.summary(legs: 100, available: 50).legsAvailable == 50)
    // Too few to judge by: configuration alone counts.
    #expect(load.summary(legs: 10, available: 10_000).legsAvailable == 10_000)
  }

  @Test("a busy worker is overload, which ends only after a calm time")
  func hysteresis() {
    var load = HostLoad(workers: 1, overloadBusy: 0.9, recoveredBusy: 0.75)

    // One strained second, or two, are none.
    #expect(load.handle(report(0.91), worker: 0, now: .zero - .seconds(2)) == false)
    #expect(load.handle(report(0.91), worker: 0, now: .zero - .seconds(1)) == false)
    #expect(load.handle(report(0.91), worker: 0, now: .zero) == true)
    #expect(load.isOverloaded)
    #expect(load.summary(legs: 100, available: 50).legsAvailable == 0)
    #expect(load.handle(report(0.8), worker: 0, now: .zero + .seconds(1)) == false)
    #expect(load.handle(report(0.7), worker: 0, now: .zero + .seconds(2)) == false)
    #expect(load.handle(report(0.7), worker: 0, now: .zero + .seconds(3)) == false)
    #expect(load.handle(report(0.7), worker: 0, now: .zero + .seconds(4)) == true)
    #expect(!load.isOverloaded)
  }

  @Test("late ticks are overload whatever the worker says of its time")
  func lateTicks() {
    var load = HostLoad(workers: 1, overloadBusy: 0.9, recoveredBusy: 0.75)
    _ = load.handle(report(0.2, late: 100), worker: 0, now: .zero)

    #expect(!load.isOverloaded)
    for second in 1...3 {
      let changed = load.handle(
        report(0.2, late: 100 + 5 * UInt64(second)), worker: 0, now: .zero + .seconds(second))
      #expect(changed == (second == 3))
    }
    #expect(load.summary(legs: 1, available: 1).lateTicks == 115)
    load.markPublished()
    #expect(load.summary(legs: 1, available: 1).lateTicks == 0)
  }

  @Test("rates are per second, whatever the reports' spacing; nonsense from a worker does no harm")
  func rates() {
    var load = HostLoad(workers: 1, overloadBusy: 0.9, recoveredBusy: 0.75)
    _ = load.handle(report(0.1, packets: 1_000), worker: 0, now: .zero)
    _ = load.handle(report(0.1, packets: 3_000), worker: 0, now: .zero + .seconds(2))
    #expect(load.summary(legs: 0, available: 0).packetsInPerSecond == 1_000)

    for _ in 0..<3 { _ = load.handle(report(.nan, packets: 0), worker: 0, now: .zero + .seconds(2)) }
    _ = load.handle(report(0.1), worker: 7, now: .zero + .seconds(3))

    #expect(load.summary(legs: 0, available: 0).packetsInPerSecond == 0)
    #expect(load.isOverloaded)
  }

  @Test("a tenth is a step, less is not")
  func steps() {
    var old = HostLoad.Summary()
    old.busy = 0.40
    old.legsAvailable = 500
    var new = old
    new.busy = 0.45
    new.legsAvailable = 410
    #expect(!HostLoad.isStep(from: old, to: new, maximumLegs: 1_000))

    new.legsAvailable = 400
    #expect(HostLoad.isStep(from: old, to: new, maximumLegs: 1_000))
    new = old
    new.busy = 0.51
    #expect(HostLoad.isStep(from: old, to: new, maximumLegs: 1_000))
    new = old
    new.overloaded = true
    #expect(HostLoad.isStep(from: old, to: new, maximumLegs: 1_000))
  }
}
