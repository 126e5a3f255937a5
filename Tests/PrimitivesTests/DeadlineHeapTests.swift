//  DeadlineHeapTests.swift: movable deadlines against a plain dictionary.
import Primitives
import Testing

@Suite("Heap of deadlines")
struct DeadlineHeapTests {
  @Test("set, move, remove and take in any order, as a dictionary would", arguments: UInt64(1)...5)
  func random(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var heap = DeadlineHeap<Int>()
    var model: [Int: Instant] = [:]

    for _ in 0..<2_000 {
      let key = Int.random(in: 0..<40, using: &random)
      let at = Instant(nanoseconds: Int64.random(in: 0..<1_000, using: &random))
      switch Int.random(in: 0..<4, using: &random) {
      case 0, 1:
        heap.set(key, at: at)
        model[key] = at
      case 2:
        heap.remove(key)
        model[key] = nil
      default:
        let taken = heap.takeDue(at: at)
        if let taken {
          #expect(model[taken] == model.values.min() && model[taken] ?? .never <= at)
          model[taken] = nil
        } else {
          #expect(model.values.allSatisfy { $0 > at })
        }
      }
      #expect(heap.count == model.count && heap.nextDeadline == model.values.min() ?? .never)
      #expect(heap.deadline(of: key) == model[key])
    }
  }
}
