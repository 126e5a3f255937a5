//  ReceivePacingTests.swift: when a worker sleeps by the clock, and that it hears of commands and packets meanwhile.

import MediaHost
import Primitives
import Testing

@Suite("Receive pacing")
struct ReceivePacingTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  /// Windows of `count` datagrams, one at a look, evenly spread.
  private func feed(_ pacing: inout ReceivePacing, _ count: Int, windows: Int, from now: inout Instant) {
    for _ in 0..<windows * count {
      now = now + .nanoseconds(ReceivePacing.window.nanoseconds / Int64(count) + 1)
      pacing.received(1, now: now)
    }
  }

  @Test("40 datagrams in 10 ms are dense, 39 are not")
  func dense() {
    var now = start
    var below = ReceivePacing(now: now)
    feed(&below, ReceivePacing.denseCount - 1, windows: 20, from: &now)
    #expect(!below.gathers)

    now = start
    var at = ReceivePacing(now: now)
    feed(&at, ReceivePacing.denseCount, windows: 3, from: &now)
    #expect(at.gathers)
  }

  @Test("once dense it stays so down to 30 in 10 ms, and no longer")
  func hysteresis() {
    var now = start
    var pacing = ReceivePacing(now: now)
    feed(&pacing, 100, windows: 3, from: &now)
    #expect(pacing.gathers)

    feed(&pacing, ReceivePacing.sparseCount, windows: 10, from: &now)
    #expect(pacing.gathers)

    feed(&pacing, ReceivePacing.sparseCount - 1, windows: 3, from: &now)
    #expect(!pacing.gathers)
  }

  @Test("a burst after a long sleep does not make it sleep by the clock")
  func longSleep() {
    var now = start
    var pacing = ReceivePacing(now: now)
    pacing.received(1_000, now: now)
    now = now + .seconds(1)

    pacing.received(1, now: now)

    #expect(!pacing.gathers)
  }

  @Test("without datagrams it ends after a window")
  func ends() {
    var now = start
    var pacing = ReceivePacing(now: now)
    feed(&pacing, 100, windows: 3, from: &now)
    #expect(pacing.gathers)

    for _ in 0..<25 {
      now = now + ReceivePacing.gathering
      pacing.received(0, now: now)
    }

    #expect(!pacing.gathers)
  }
}
