//  MeetingMovesTests.swift: meetings move between workers as the control core sees it: nothing is told to the wrong one.

import AVConferencing
import Media
import Primitives
import Testing

@Suite("Meetings move between workers (control)")
struct MeetingMovesTests {
  private func moves(_ bench: HostBench) -> [(MeetingID, from: Int, to: Int)] {
    bench.commands.compactMap { worker, command in
      if case .moveMeeting(let id, let to) = command { (id, worker, to) } else { nil }
    }
  }

  private func commands(_ bench: HostBench, to worker: Int) -> [MediaCommand] {
    bench.commands.filter { $0.worker == worker }.map(\.command)
  }

  private func drain(_ worker: Int, _ bench: inout HostBench) -> Int? {
    var outputs: [AVConferencingOutput] = []
    let count = bench.host.drainWorker(worker, now: bench.now, into: &outputs)
    bench.pump(outputs, [])
    return count
  }

  private func complete(_ move: (MeetingID, from: Int, to: Int), _ bench: inout HostBench, destinationFirst: Bool) {
    if destinationFirst {
      bench.report(.meetingArrived(move.0, legs: 2), worker: move.to)
      bench.report(.meetingLeft(move.0, to: move.to), worker: move.from)
    } else {
      bench.report(.meetingLeft(move.0, to: move.to), worker: move.from)
      bench.report(.meetingArrived(move.0, legs: 2), worker: move.to)
    }
  }

  @Test(
    "a drained worker gives its meetings away, gets no new ones, and takes them again when told",
    arguments: [false, true])
  func drainWorker(destinationFirst: Bool) throws {
    var bench = HostBench(workers: 2)
    let control = try bench.addConference()
    _ = bench.join(control, "ann")
    _ = bench.join(control, "bob")
    let meeting = try #require(bench.latestLeg?.meeting)
    bench.commands = []

    #expect(drain(0, &bench) == 1)
    let move = try #require(moves(bench).first)
    #expect(move.0 == meeting && move.from == 0 && move.to == 1)
    complete(move, &bench, destinationFirst: destinationFirst)

    #expect(bench.log.contains { if case .meetingMoved(meeting, 0, 1, 2) = $0 { true } else { false } })
    #expect(bench.log.contains { if case .workerDrained(0) = $0 { true } else { false } })
    // Whoever comes now is opened where the meeting is.
    bench.commands = []
    _ = bench.join(control, "cyd")
    #expect(commands(bench, to: 0).isEmpty)
    #expect(commands(bench, to: 1).contains { if case .openLeg = $0 { true } else { false } })
    #expect(bench.host.closedWorkers == [0])
    // The last worker that takes meetings cannot be drained.
    #expect(drain(1, &bench) == nil && drain(7, &bench) == nil)
    var outputs: [AVConferencingOutput] = []
    #expect(bench.host.undrainWorker(0, into: &outputs) && !bench.host.undrainWorker(0, into: &outputs))
    #expect(bench.host.closedWorkers.isEmpty)
  }

  @Test("what a meeting is to be told while it is on its way waits for it, in order")
  func commandsWait() throws {
    var bench = HostBench(workers: 2)
    let control = try bench.addConference()
    let ann = bench.join(control, "ann")
    _ = bench.join(control, "bob")
    #expect(ann.answer != nil)
    _ = drain(0, &bench)
    let move = try #require(moves(bench).first)
    bench.commands = []

    bench.workerObeys = false
    _ = bench.join(control, "cyd")
    #expect(bench.commands.isEmpty)
    bench.workerObeys = true
    complete(move, &bench, destinationFirst: false)

    let told = commands(bench, to: 1)
    guard case .openLeg(let leg)? = told.first else { return #expect(Bool(false), "\(told)") }
    // It was told the address of the worker where the meeting then already was to be.
    #expect(leg.home == nil)
    #expect(commands(bench, to: 0).isEmpty)
  }

  @Test("both workers may speak of a leg on its way; of others' legs neither")
  func events() throws {
    var bench = HostBench(workers: 3)
    let control = try bench.addConference()
    _ = bench.join(control, "ann")
    let leg = try #require(bench.latestLeg)
    let source = SocketAddress(ipv4: 0x0a00_0001, port: 4_000)
    _ = drain(0, &bench)
    bench.log = []

    bench.report(.legConnected(leg.leg, source: source, remoteSSRC: 5), worker: 2)
    #expect(bench.log.isEmpty)
    bench.report(.legConnected(leg.leg, source: source, remoteSSRC: 5), worker: 0)
    #expect(bench.log.contains { if case .legConnected = $0 { true } else { false } })
    bench.report(.legSilent(leg.leg), worker: 1)
    #expect(bench.log.contains { if case .legSilent = $0 { true } else { false } })
  }

  @Test("a meeting that stays, or comes back, is where it was for everybody")
  func stays() throws {
    var bench = HostBench(workers: 2)
    let control = try bench.addConference()
    _ = bench.join(control, "ann")
    let meeting = try #require(bench.latestLeg?.meeting)
    _ = drain(0, &bench)
    bench.report(.meetingStayed(meeting), worker: 0)
    #expect(bench.log.contains { if case .meetingNotMoved(meeting, 0, 1, _) = $0 { true } else { false } })
    bench.commands = []
    _ = bench.join(control, "bob")

    #expect(commands(bench, to: 0).contains { if case .openLeg = $0 { true } else { false } })
    #expect(commands(bench, to: 1).isEmpty)
  }

  @Test("a meeting that ends on its way is closed where it arrives; nothing is left")
  func endsMeanwhile() throws {
    var bench = HostBench(workers: 2)
    let control = try bench.addConference()
    _ = bench.join(control, "ann")
    _ = drain(0, &bench)
    let move = try #require(moves(bench).first)
    bench.commands = []
    bench.focusDoes { focus, now, outputs in focus.hangUp(control.call, now: now, into: &outputs) }
    complete(move, &bench, destinationFirst: false)
    bench.run(.seconds(6))

    #expect(commands(bench, to: 1).contains { if case .closeMeeting = $0 { true } else { false } })
    #expect(commands(bench, to: 0).isEmpty)
    #expect(bench.host.counts.meetings == 0 && bench.host.counts.legs == 0)
  }

  @Test("not more meetings than allowed are on their way at once, and all of them get away")
  func many() throws {
    var bench = HostBench(workers: 2) { $0.standalone = true }
    for index in 0..<20 { _ = try bench.addConference(entity: "sip:conf\(index)@example.com") }
    bench.commands = []
    let count = try #require(drain(0, &bench))
    #expect(count == 10)

    var done = 0
    while let move = moves(bench).first {
      #expect(moves(bench).count <= Limits.moves)
      bench.commands.removeAll { if case .moveMeeting(move.0, _) = $0.command { true } else { false } }
      complete(move, &bench, destinationFirst: done % 2 == 0)
      done += 1
    }

    #expect(done == 10)
    #expect(bench.log.count { if case .workerDrained(0) = $0 { true } else { false } } == 1)
  }
}

@Suite("Placement of moved parts")
struct MovedPartsTests {
  @Test("parts move and merge; the counts are those of counting anew", arguments: 1...50)
  func random(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    var placement = WorkerPlacement(
      workers: 4, maximumLegs: 1_000, maximumMeetings: 50, maximumLegsPerMeeting: 500, splitLegs: 8)
    var legs: [(meeting: MeetingID, worker: Int)] = []
    for number in 1...6 { _ = try placement.open(MeetingID(rawValue: UInt32(number))) }
    for _ in 0..<400 {
      let meeting = MeetingID(rawValue: UInt32(1 + random.next() % 6))
      switch random.next() % 4 {
      case 0, 1: legs.append((meeting, try placement.addLeg(to: meeting)))
      case 2:
        guard !legs.isEmpty else { continue }
        let leg = legs.remove(at: Int(random.next() % UInt64(legs.count)))
        placement.removeLeg(from: leg.meeting, worker: leg.worker)
      default:
        let (from, to) = (Int(random.next() % 4), Int(random.next() % 4))
        guard placement.workers(of: meeting).contains(from) else { continue }
        placement.movePart(of: meeting, from: from, to: to)
        for index in legs.indices where legs[index].meeting == meeting && legs[index].worker == from {
          legs[index].worker = to
        }
      }
      for worker in 0..<4 { #expect(placement.legs(onWorker: worker) == legs.count { $0.worker == worker }) }
      #expect(placement.legs == legs.count)
    }
    for number in 1...6 { placement.close(MeetingID(rawValue: UInt32(number))) }
    #expect(placement.isEmpty)
    for worker in 0..<4 { #expect(placement.weight(onWorker: worker) == 0) }
  }
}
