//  OverloadControllerTests.swift: steps under load: quick up, slow down, never flapping, more load never less of them.

import Media
import Primitives
import Testing

@Suite("Overload steps of a worker")
struct OverloadControllerTests {
  private static let perSecond = 4

  private func window(
    ticks: Int = 100, late: Int = 0, tight: Int = 0, busy: Double = 0.3, free: Double = 1
  ) -> OverloadController.Window {
    var window = OverloadController.Window()
    window.ticks = ticks
    window.late = late
    window.tight = max(late, tight)
    window.busy = busy
    window.free = free
    return window
  }

  private static func end(_ index: Int) -> Instant { Instant(nanoseconds: Int64(index + 1) * 250_000_000) }

  /// - Returns: the windows after which the step changed.
  private func run(_ windows: [OverloadController.Window], _ controller: inout OverloadController) -> [Int] {
    windows.indices.filter { controller.observe(windows[$0], now: Self.end($0)) }
  }

  @Test("one stall of the machine, however bad, changes nothing; neither does a quiet worker without meetings")
  func oneStall() {
    var controller = OverloadController()
    let stall = window(late: 100, busy: 1, free: 0.01)

    let changes = run([window(), stall, window(), window(ticks: 0), stall, window(late: 1)], &controller)

    #expect(changes.isEmpty && controller.step == .normal)
  }

  @Test("late ticks go through all steps in order, and refuse newcomers within three seconds")
  func allSteps() {
    var controller = OverloadController()
    var steps: [OverloadStep] = []
    for index in 0..<40 where controller.observe(window(late: 60, busy: 1), now: Self.end(index)) {
      steps.append(controller.step)
      if controller.step == .refusing { #expect(Double(index + 1) / 4 <= 3) }
    }

    #expect(steps == Array(OverloadStep.allCases.dropFirst()))
    #expect(controller.raised == 6 && controller.lowered == 0)
  }

  @Test("each way to be strained counts: no slack, no time, no packet buffers, nonsense")
  func reasons() {
    for bad in [
      window(tight: 30), window(busy: 0.95), window(free: 0.02), window(busy: .nan), window(free: .nan),
      window(ticks: 10, late: 2),
    ] {
      var controller = OverloadController()
      _ = run(Array(repeating: bad, count: 8), &controller)
      #expect(controller.step > .normal)
    }
    for good in [window(busy: 0.85), window(late: 1, tight: 3), window(free: 0.05)] {
      var controller = OverloadController()
      _ = run(Array(repeating: good, count: 400), &controller)
      #expect(controller.step == .normal)
    }
  }

  @Test("calm takes back step after step, without restart, and every step is counted")
  func recovery() {
    var controller = OverloadController()
    _ = run(Array(repeating: window(late: 90, busy: 1), count: 20), &controller)
    #expect(controller.step == .refusing)

    var steps: [OverloadStep] = []
    for index in 20..<200 where controller.observe(window(), now: Self.end(index)) { steps.append(controller.step) }

    #expect(steps == OverloadStep.allCases.dropLast().reversed())
    #expect(controller.raised == 6 && controller.lowered == 6)
  }

  @Test("a load that only the relieved worker can bear is tried less and less often")
  func border() {
    var controller = OverloadController()
    var changes: [Int] = []
    // Strained at full effort, calm with cheaper encoders.
    for index in 0..<(600 * Self.perSecond) {
      let bad = controller.step == .normal
      if controller.observe(window(busy: bad ? 0.95 : 0.7), now: Self.end(index)) { changes.append(index) }
    }

    let first = changes.count { $0 < 60 * Self.perSecond }
    let last = changes.count { $0 >= 540 * Self.perSecond }
    #expect(first <= 12 && last <= 2)
    #expect(controller.hold == OverloadController.longestHold)
  }

  @Test("random traces: one step at a time, few changes in any minute", arguments: 1...100)
  func bounded(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var controller = OverloadController()
    var changes: [Int] = []
    var level = 0.5
    var remaining = 0
    for index in 0..<(300 * Self.perSecond) {
      if remaining == 0 {
        level = Double(random.next() % 1_000) / 800
        remaining = 1 + Int(random.next() % 80)
      }
      remaining -= 1
      let noisy = max(0, level + Double(random.next() % 200) / 1_000 - 0.1)
      let late = noisy > 1 ? Int(min(1, noisy - 1) * 200) : 0
      let before = controller.step.rawValue
      let changed = controller.observe(
        window(late: late, tight: noisy > 0.92 ? 10 + late : 0, busy: min(1, noisy)), now: Self.end(index))
      #expect(changed == (before != controller.step.rawValue))
      #expect(abs(Int(before) - Int(controller.step.rawValue)) <= 1)
      if changed { changes.append(index) }
    }
    // In any minute no more than six up and six down for every pause that is long enough to get down at all.
    for start in changes {
      #expect(changes.count { $0 >= start && $0 < start + 60 * Self.perSecond } <= 36, "seed \(seed)")
    }
    // Down steps are at least the shortest hold apart.
    #expect(controller.lowered <= 300 / 2 && controller.raised <= controller.lowered + 6)
  }

  @Test("more load never means less relief: constant loads in order", arguments: 1...50)
  func monotone(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var pairs: [(OverloadController.Window, OverloadController.Window)] = []
    for _ in 0..<20 {
      let late = Int(random.next() % 50)
      let tight = late + Int(random.next() % 40)
      let busy = Double(random.next() % 1_001) / 1_000
      let free = Double(random.next() % 1_001) / 1_000
      let lighter = window(late: late, tight: tight, busy: busy, free: free)
      let heavier = window(
        late: late + Int(random.next() % 20), tight: tight + 20, busy: min(1, busy + 0.1), free: free * 0.8)
      pairs.append((lighter, heavier))
    }
    for (lighter, heavier) in pairs {
      var a = OverloadController()
      var b = OverloadController()
      for index in 0..<40 {
        _ = a.observe(lighter, now: Self.end(index))
        _ = b.observe(heavier, now: Self.end(index))
        #expect(b.step >= a.step, "seed \(seed)")
      }
    }
  }

  @Test("what each step means")
  func meaning() {
    #expect(OverloadStep.allCases.map { $0.complexity(of: 5) } == [5, 2, 0, 0, 0, 0, 0])
    #expect(OverloadStep.allCases.map { $0.talkers(of: 4) } == [4, 4, 4, 3, 2, 1, 1])
    #expect(OverloadStep.allCases.map { $0.talkers(of: 1) } == [1, 1, 1, 1, 1, 1, 1])
    #expect(OverloadStep.count == OverloadStep.allCases.count)
  }
}
