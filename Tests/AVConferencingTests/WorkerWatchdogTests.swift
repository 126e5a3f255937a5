//  WorkerWatchdogTests.swift: a worker that stands still is found within a second; a process that stood still is no worker's fault.

import AVConferencing
import Primitives
import Testing

@Suite("Watchdog of the workers")
struct WorkerWatchdogTests {
  private var now = Instant(nanoseconds: 5_000_000_000)

  /// Looks every 100 ms; the workers of `turning` make turns.
  private mutating func run(
    _ watchdog: inout WorkerWatchdog, _ turns: inout [UInt64], turning: Set<Int>, milliseconds: Int
  ) -> [WorkerWatchdog.Finding] {
    var findings: [WorkerWatchdog.Finding] = []
    for _ in 0..<(milliseconds / 100) {
      now = now + .milliseconds(100)
      for worker in turning { turns[worker] &+= 3 }
      findings += watchdog.look(at: turns, now: now)
    }
    return findings
  }

  @Test("one that stands still is found after a second, once; and again when it turns")
  mutating func oneStalls() {
    var watchdog = WorkerWatchdog(workers: 3)
    var turns: [UInt64] = [0, 0, 0]
    #expect(run(&watchdog, &turns, turning: [0, 1, 2], milliseconds: 5_000).isEmpty)
    #expect(run(&watchdog, &turns, turning: [0, 2], milliseconds: 900).isEmpty)
    #expect(run(&watchdog, &turns, turning: [0, 2], milliseconds: 200) == [.stalled(1)])
    #expect(watchdog.isStalled(1) && watchdog.stalled == 1)
    #expect(run(&watchdog, &turns, turning: [0, 2], milliseconds: 60_000).isEmpty)
    #expect(run(&watchdog, &turns, turning: [0, 1, 2], milliseconds: 200) == [.resumed(1)])
    #expect(watchdog.stalled == 0)
  }

  @Test("the process stood still for ten seconds: one finding, and no worker is blamed")
  mutating func processStops() {
    var watchdog = WorkerWatchdog(workers: 2)
    var turns: [UInt64] = [0, 0]
    _ = run(&watchdog, &turns, turning: [0, 1], milliseconds: 2_000)

    now = now + .seconds(10)
    let findings = watchdog.look(at: turns, now: now)
    // The workers wake some hundred milliseconds after the control thread.
    let later = run(&watchdog, &turns, turning: [], milliseconds: 800)

    #expect(findings == [.stoodStill(.seconds(10))])
    #expect(later.isEmpty)
    #expect(run(&watchdog, &turns, turning: [0, 1], milliseconds: 5_000).isEmpty)
  }

  @Test("a control thread that gets little time blames nobody, however long it lasts")
  mutating func starved() {
    var watchdog = WorkerWatchdog(workers: 2)
    var turns: [UInt64] = [1, 1]
    for _ in 0..<50 {
      now = now + .milliseconds(400)
      #expect(watchdog.look(at: turns, now: now).isEmpty)
    }
    // Timely again, and nothing turns.
    #expect(run(&watchdog, &turns, turning: [0], milliseconds: 1_100) == [.stalled(1)])
  }

  @Test("counts that wrap are turns")
  mutating func wraps() {
    var watchdog = WorkerWatchdog(workers: 1)
    var turns: [UInt64] = [.max - 1]
    #expect(run(&watchdog, &turns, turning: [0], milliseconds: 3_000).isEmpty)
    #expect(watchdog.look(at: [], now: now + .milliseconds(100)).isEmpty)
  }
}
