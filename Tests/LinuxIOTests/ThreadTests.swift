//  ThreadTests.swift: threads, wake-ups, waiting, memory and clocks.

import LinuxIO
import Primitives
import Synchronization
import Testing

private final class Seen: Sendable {
  let cpu = Atomic<Int>(-1)
  let count = Atomic<Int>(0)
}

@Suite("Threads and waiting")
struct ThreadTests {
  @Test("a pinned thread runs on its CPU")
  func pinned() throws {
    let cpu = try #require(ProcessorSet.available().last)
    let seen = Seen()

    let thread = try PinnedThread(name: "a-name-that-is-too-long", cpu: cpu) {
      seen.cpu.store(ProcessorSet.current, ordering: .relaxed)
    }
    thread.join()

    #expect(seen.cpu.load(ordering: .relaxed) == cpu)
  }

  @Test("a CPU that does not exist is refused")
  func badCPU() {
    #expect(throws: LinuxError.invalid(call: "pthread_create")) { try PinnedThread(name: "x", cpu: 100_000) {} }
  }

  @Test("workers get a CPU of every core but the first, and at least one")
  func workerCPUs() {
    #expect(ProcessorSet.forWorkers(of: [0, 1, 2, 5], core: { $0 }) == [1, 2, 5])
    #expect(ProcessorSet.forWorkers(of: [3], core: { $0 }) == [3])
    // Two hardware threads a core, numbered as Linux mostly does: 0 and 4 are siblings.
    #expect(ProcessorSet.forWorkers(of: Array(0..<8), core: { $0 % 4 }) == [1, 2, 3])
    #expect(ProcessorSet.forWorkers(of: [2, 3, 6, 7], core: { $0 % 4 }) == [3])
    #expect(ProcessorSet.forWorkers(of: [0, 4], core: { $0 % 4 }) == [4])
    #expect(ProcessorSet.core(of: 100_000) == 100_000)
    #expect(!ProcessorSet.available().isEmpty)
  }

  @Test("every push is seen, however the wake-ups fall")
  func wakeUps() throws {
    let wake = try WakeUp()
    let queue = SPSCQueue<Int>(capacity: 16)
    let seen = Seen()
    let consumer = try PinnedThread(name: "consumer", cpu: nil) {
      var next = 0
      while next < 20_000 {
        while let value = queue.pop() {
          guard value == next else { return }
          next += 1
        }
        wake.prepareToWait()
        if let value = queue.pop() {
          guard value == next else { return }
          next += 1
        } else if next < 20_000 {
          wake.wait(timeout: .seconds(5))
        }
        wake.finishWait()
      }
      seen.count.store(next, ordering: .relaxed)
    }

    for value in 0..<20_000 {
      while !queue.push(value) { wake.wake() }
      wake.wake()
    }
    consumer.join()

    #expect(seen.count.load(ordering: .relaxed) == 20_000)
  }

  @Test("a wait ends at its timeout, to well under a millisecond, or when a descriptor is ready")
  func eventPoll() throws {
    var poll = try EventPoll()
    let wake = try WakeUp()
    try poll.add(wake.descriptor, token: 7)
    var shortest = Interval.seconds(1)
    for _ in 0..<20 {
      let start = MonotonicClock.now()
      let ready = poll.wait(timeout: .microseconds(1_500))
      let took = MonotonicClock.now() - start
      #expect(ready.readable == 0)
      #expect(took >= .microseconds(1_500))
      shortest = min(shortest, took)
    }
    #expect(shortest < .microseconds(2_400), "epoll's own timeout would round up to whole milliseconds")

    wake.prepareToWait()
    wake.wake()
    let woken = poll.wait(timeout: .seconds(5))
    wake.finishWait()
    let afterwards = poll.wait(timeout: .zero)
    #expect(woken.isReadable(7))
    #expect(afterwards.readable == 0)
  }

  @Test("memory is zeroed, page-aligned and writable to its end")
  func memory() throws {
    let memory = try NUMAMemory(byteCount: 3_000_000)
    #expect(memory.byteCount == 4 << 20)
    let address = memory.address
    #expect(Int(bitPattern: address) % 4096 == 0)
    #expect(address.load(fromByteOffset: memory.byteCount - 1, as: UInt8.self) == 0)
    address.storeBytes(of: 1, toByteOffset: memory.byteCount - 1, as: UInt8.self)
    var pool = PacketPool(capacity: 1000, memory: address)
    let buffer = pool.take()
    #expect(buffer != nil)
  }

  @Test("clocks go forward, and the system's random sources differ")
  func clocks() throws {
    let first = MonotonicClock.now()
    let anchor = MonotonicClock.anchor()
    #expect(anchor.instant >= first)
    #expect(anchor.wall.microseconds > 1_600_000_000_000_000)
    var one = try RandomSource.system()
    var other = try RandomSource.system()
    let numbers = [one.next(), other.next()]
    #expect(numbers[0] != numbers[1])
  }
}
