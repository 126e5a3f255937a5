//  CapacitySearchTests.swift: the search against hosts whose limit is known.

import LoadGenerator
import Primitives
import Testing

@Suite("Search for the highest load")
struct CapacitySearchTests {
  /// Runs a search against a host that carries `capacity`, and returns it with what was tried.
  private func find(
    _ capacity: Int, first: Int = 50, granularity: Int = 10, maximum: Int = 4_000, tool: Int = .max
  ) -> (search: CapacitySearch, tried: [CapacitySearch.Step]) {
    var search = CapacitySearch(first: first, granularity: granularity, maximum: maximum)
    var tried: [CapacitySearch.Step] = []
    while let step = search.next, tried.count < 100 {
      tried.append(step)
      let count =
        switch step {
        case .measure(let count), .confirm(let count): count
        }
      search.record(count > tool ? .invalid : count > capacity ? .failed : .passed)
    }
    return (search, tried)
  }

  @Test("finds any limit within its tolerance, in few steps", arguments: [10, 57, 100, 333, 640, 1_999, 3_990])
  func finds(capacity: Int) throws {
    let (search, tried) = find(capacity)

    let found = try #require(search.confirmed)
    #expect(found <= capacity)
    #expect(Double(capacity - found) <= max(10, 0.04 * Double(found) + 10))
    #expect(found % 10 == 0)
    #expect(search.limit == .gate)
    #expect(tried.count < 30)
  }

  @Test("a host that carries the maximum: the maximum itself, whatever its granularity")
  func maximum() {
    let (search, _) = find(10_000, maximum: 4_005)

    #expect(search.confirmed == 4_005)
    #expect(search.limit == .maximum)
  }

  @Test("a host that carries nothing")
  func nothing() {
    let (search, tried) = find(0)

    #expect(search.confirmed == nil)
    #expect(search.highest == 0)
    #expect(search.limit == .gate)
    #expect(tried.count < 20)
  }

  @Test("where the load tool ends before the host does, that is said")
  func tool() {
    let (search, _) = find(3_000, tool: 1_000)

    #expect((search.confirmed ?? 0) > 900)
    #expect((search.confirmed ?? 0) <= 1_000)
    #expect(search.limit == .loadTool)
  }

  @Test("a number that failed once by chance is tried again")
  func hiccup() {
    var search = CapacitySearch(first: 100, granularity: 10, maximum: 200)

    search.record(.failed)
    #expect(search.next == .measure(100))
    search.record(.passed)
    #expect(search.next == .measure(200))
    search.record(.passed)
    #expect(search.next == .confirm(200))
    search.record(.passed)
    #expect(search.confirmed == 200)
  }

  @Test("a confirmation that fails is not repeated: the search steps down by 5 %, six times at most")
  func confirmation() {
    var search = CapacitySearch(first: 1_000, granularity: 10, maximum: 1_000)
    search.record(.passed)
    #expect(search.next == .confirm(1_000))

    search.record(.failed)
    #expect(search.next == .confirm(950))
    search.record(.invalid)
    #expect(search.next == .confirm(950))
    search.record(.passed)

    #expect(search.confirmed == 950)
    #expect(search.next == nil)

    var hopeless = CapacitySearch(first: 1_000, granularity: 10, maximum: 1_000)
    hopeless.record(.passed)
    var confirmations = 0
    while hopeless.next != nil {
      hopeless.record(.failed)
      confirmations += 1
    }
    #expect(confirmations == CapacitySearch.confirmationsMaximum)
    #expect(hopeless.confirmed == nil)
  }

  @Test("when time is over, the highest that passed stands unconfirmed")
  func time() {
    var search = CapacitySearch(first: 50, granularity: 10, maximum: 4_000)
    search.record(.passed)

    search.giveUp()

    #expect(search.next == nil)
    #expect(search.highest == 50)
    #expect(search.confirmed == nil)
    #expect(search.limit == .time)
  }

  @Test("ends whatever a host answers", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
  func ends(seed: UInt64) {
    var random = RandomSource(seed: seed)
    for _ in 0..<500 {
      var search = CapacitySearch(
        first: Int(random.nextWord() % 300), granularity: Int(random.nextWord() % 40),
        maximum: Int(random.nextWord() % 5_000))
      var steps = 0
      while search.next != nil, steps < 200 {
        search.record([.passed, .passed, .failed, .invalid][Int(random.nextWord() % 4)])
        steps += 1
      }
      #expect(steps < 200, "seed \(seed)")
      #expect((search.confirmed ?? 0) <= search.maximum)
    }
  }
}
