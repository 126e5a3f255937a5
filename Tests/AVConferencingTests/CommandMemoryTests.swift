//  CommandMemoryTests.swift: repeated commands get the same answer for 32 s, within bounds.

import AVConferencing
import Primitives
import SIP
import Testing

@Suite("Memory of commands (control protocol P5)")
struct CommandMemoryTests {
  func key(_ dialog: UInt64, _ request: UInt64) -> CommandMemory.Key {
    CommandMemory.Key(dialog: CallHandle(number: dialog), requestID: request)
  }
  let answer = CommandMemory.Answer(status: 200, body: [1, 2, 3])

  @Test("an answer is remembered for 32 s and then forgotten")
  func lifetime() {
    var memory = CommandMemory()
    memory.remember(answer, to: key(1, 7), now: .zero)

    #expect(memory.answer(to: key(1, 7), now: .zero + .milliseconds(31_999)) == answer)
    #expect(memory.nextDeadline == .zero + .seconds(32))
    #expect(memory.answer(to: key(1, 7), now: .zero + .seconds(32)) == nil)
    #expect(memory.count == 0)
  }

  @Test("the same id in another dialog is another command")
  func perDialog() {
    var memory = CommandMemory()
    memory.remember(answer, to: key(1, 7), now: .zero)

    #expect(memory.answer(to: key(2, 7), now: .zero) == nil)
  }

  @Test("at the limit the oldest is lost, one past it")
  func bounded() {
    var memory = CommandMemory(capacity: 100)
    for id in 0..<101 { memory.remember(answer, to: key(1, UInt64(id)), now: .zero + .milliseconds(id)) }

    #expect(memory.count == 100)
    #expect(memory.answer(to: key(1, 0), now: .zero + .seconds(1)) == nil)
    #expect(memory.answer(to: key(1, 1), now: .zero + .seconds(1)) == answer)
  }

  @Test("bytes are bounded too")
  func boundedBytes() {
    var memory = CommandMemory(capacity: 100, byteCapacity: 1_000)
    let large = CommandMemory.Answer(status: 200, body: Array(repeating: 0, count: 400))
    for id in 0..<3 { memory.remember(large, to: key(1, UInt64(id)), now: .zero) }

    #expect(memory.count == 2)
  }

  @Test("a dialog that ends takes its answers with it")
  func forgetDialog() {
    var memory = CommandMemory()
    for id in 0..<10 { memory.remember(answer, to: key(UInt64(id % 2), UInt64(id)), now: .zero) }

    memory.forget(dialog: CallHandle(number: 0))

    #expect(memory.count == 5)
    #expect(memory.answer(to: key(0, 0), now: .zero) == nil)
    #expect(memory.answer(to: key(1, 1), now: .zero) == answer)
    #expect(memory.answer(to: key(1, 1), now: .zero + .seconds(40)) == nil)
    #expect(memory.nextDeadline == .never)
  }
}
