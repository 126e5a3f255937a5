//  WorkerPlacementTests.swift: meetings spread over workers, legs counted, limits at and one past.

import AVConferencing
import Media
import Primitives
import Testing

@Suite("Placement of meetings on workers")
struct WorkerPlacementTests {
  func meeting(_ number: UInt32) -> MeetingID { MeetingID(rawValue: number) }

  @Test("a burst of meetings spreads before any leg has come")
  func burst() throws {
    var placement = WorkerPlacement(workers: 4, maximumLegs: 100, maximumMeetings: 100, maximumLegsPerMeeting: 100)

    var perWorker = [0, 0, 0, 0]
    for number in 1...20 { perWorker[try placement.open(meeting(UInt32(number)))] += 1 }

    #expect(perWorker == [5, 5, 5, 5])
  }

  @Test("the worker with the least legs, announced ones included, is chosen")
  func leastLoaded() throws {
    var placement = WorkerPlacement(workers: 3, maximumLegs: 100, maximumMeetings: 100, maximumLegsPerMeeting: 100)
    let large = try placement.open(meeting(1), announced: 30)
    let small = try placement.open(meeting(2), announced: 2)
    for _ in 0..<5 { _ = try placement.addLeg(to: meeting(2)) }

    let third = try placement.open(meeting(3))
    let fourth = try placement.open(meeting(4))

    #expect(Set([large, small, third]).count == 3)
    #expect(fourth == third)
  }

  @Test("the host's leg limit holds at the limit and one past it, and a leg that left makes room")
  func legLimit() throws {
    var placement = WorkerPlacement(workers: 2, maximumLegs: 3, maximumMeetings: 2, maximumLegsPerMeeting: 3)
    _ = try placement.open(meeting(1))
    _ = try placement.open(meeting(2))
    _ = try placement.addLeg(to: meeting(1))
    _ = try placement.addLeg(to: meeting(2))
    _ = try placement.addLeg(to: meeting(2))

    #expect(placement.legsAvailable == 0)
    #expect(throws: WorkerPlacement.Refusal.tooManyLegs) { try placement.addLeg(to: meeting(1)) }
    placement.removeLeg(from: meeting(2), worker: 1)
    #expect(throws: Never.self) { try placement.addLeg(to: meeting(1)) }
  }

  @Test("a meeting's own limit and the number of meetings hold")
  func meetingLimits() throws {
    var placement = WorkerPlacement(workers: 1, maximumLegs: 10, maximumMeetings: 2, maximumLegsPerMeeting: 5)
    _ = try placement.open(meeting(1), limit: 1)
    _ = try placement.open(meeting(2))
    _ = try placement.addLeg(to: meeting(1))

    #expect(throws: WorkerPlacement.Refusal.meetingFull) { try placement.addLeg(to: meeting(1)) }
    #expect(throws: WorkerPlacement.Refusal.tooManyMeetings) { try placement.open(meeting(3)) }
    #expect(throws: WorkerPlacement.Refusal.unknownMeeting) { try placement.addLeg(to: meeting(3)) }
  }

  @Test("a meeting that is too large for its home gets parts on the least loaded others, and gives them up again")
  func parts() throws {
    var placement = WorkerPlacement(
      workers: 3, maximumLegs: 100, maximumMeetings: 10, maximumLegsPerMeeting: 100, splitLegs: 4)
    let home = try placement.open(meeting(1), announced: 50)
    _ = try placement.open(meeting(2))
    for _ in 0..<3 { _ = try placement.addLeg(to: meeting(2)) }

    let workers = try (0..<10).map { _ in try placement.addLeg(to: meeting(1)) }

    // Four at home, four on the empty one, then on the other.
    #expect(home == 0)
    #expect(workers == [0, 0, 0, 0, 2, 2, 2, 2, 1, 1])
    #expect(placement.workers(of: meeting(1)) == [0, 2, 1])
    for _ in 0..<2 { placement.removeLeg(from: meeting(1), worker: 1) }
    #expect(placement.workers(of: meeting(1)) == [0, 2])
    for _ in 0..<2 { placement.removeLeg(from: meeting(1), worker: 0) }
    // The home has room again.
    #expect(try placement.addLeg(to: meeting(1)) == 0)
    for _ in 0..<4 { placement.removeLeg(from: meeting(1), worker: 2) }
    for _ in 0..<3 { placement.removeLeg(from: meeting(1), worker: 0) }
    #expect(placement.workers(of: meeting(1)) == [0])
    #expect(placement.legs == 3)
  }

  @Test("a worker that is strained gets no more of a meeting that has another choice")
  func strained() throws {
    var placement = WorkerPlacement(
      workers: 2, maximumLegs: 100, maximumMeetings: 10, maximumLegsPerMeeting: 100, smallestSplit: 2)
    _ = try placement.open(meeting(1))

    // Too small to be split.
    #expect(try placement.addLeg(to: meeting(1), strained: [0]) == 0)
    #expect(try placement.addLeg(to: meeting(1)) == 0)
    #expect(try placement.addLeg(to: meeting(1), strained: [0]) == 1)
    #expect(try placement.addLeg(to: meeting(1)) == 0)
    // Both: to the one with less.
    #expect(try placement.addLeg(to: meeting(1), strained: [0, 1]) == 1)
  }

  @Test("a leg that moves takes its count with it, and its meeting gets a part where it goes")
  func move() throws {
    var placement = WorkerPlacement(workers: 2, maximumLegs: 100, maximumMeetings: 10, maximumLegsPerMeeting: 100)
    _ = try placement.open(meeting(1))
    _ = try placement.addLeg(to: meeting(1))

    placement.moveLeg(of: meeting(1), from: 0, to: 1)

    #expect(placement.workers(of: meeting(1)) == [0, 1])
    #expect(placement.legs(onWorker: 0) == 0 && placement.legs(onWorker: 1) == 1 && placement.legs == 1)
    placement.moveLeg(of: meeting(1), from: 1, to: 0)
    #expect(placement.workers(of: meeting(1)) == [0])
  }

  @Test("meetings tick in the emptiest phase of their home, the same on all workers that have parts")
  func phases() throws {
    var placement = WorkerPlacement(
      workers: 2, maximumLegs: 1_000, maximumMeetings: 100, maximumLegsPerMeeting: 100, splitLegs: 1)
    var phases: [Int: [Int]] = [:]
    for number in 1...64 {
      let home = try placement.open(meeting(UInt32(number)))
      phases[home, default: []].append(try #require(placement.phase(of: meeting(UInt32(number)))))
    }

    #expect(phases[0].map { Set($0).count } == 32 && phases[1].map { Set($0).count } == 32)
    #expect(phases[0]?.prefix(4) == [0, 16, 8, 24])
  }

  @Test("after any history of joins, leaves and ends nothing is left", arguments: [1, 2, 3] as [UInt64])
  func nothingLeft(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    var placement = WorkerPlacement(
      workers: 3, maximumLegs: 40, maximumMeetings: 8, maximumLegsPerMeeting: 20, splitLegs: 5,
      smallestSplit: 3)
    var open: [UInt32: [Int]] = [:]
    for step in 0..<2_000 {
      let number = UInt32.random(in: 1...12, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0 where open[number] == nil:
        if (try? placement.open(meeting(number), announced: Int.random(in: 0...9, using: &random))) != nil {
          open[number] = []
        }
      case 1, 2:
        let strained = Set((0..<3).filter { _ in Int.random(in: 0..<3, using: &random) == 0 })
        if let worker = try? placement.addLeg(to: meeting(number), strained: strained) {
          open[number, default: []].append(worker)
        }
      case 3 where step % 5 == 0:
        placement.close(meeting(number))
        open[number] = nil
      default:
        guard let worker = open[number]?.popLast() else { break }
        placement.removeLeg(from: meeting(number), worker: worker)
      }
      #expect(placement.legs == open.values.reduce(0) { $0 + $1.count })
      #expect(open.allSatisfy { Set($1).isSubset(of: placement.workers(of: meeting($0))) })
      #expect((0..<3).reduce(0) { $0 + placement.legs(onWorker: $1) } == placement.legs)
    }

    for number in open.keys { placement.close(meeting(number)) }

    #expect(placement.isEmpty)
    #expect((0..<3).allSatisfy { placement.legs(onWorker: $0) == 0 })
    // Equal weights again: the next meetings go to workers 0, 1, 2.
    let workers = try (100...102).map { number in try placement.open(meeting(number)) }
    #expect(workers == [0, 1, 2])
  }
}
