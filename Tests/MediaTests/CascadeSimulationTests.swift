//  CascadeSimulationTests.swift: random meetings on two to four workers: who joins, leaves, talks, is muted; what is lost.

import Media
import MediaTransport
import Primitives
import Testing

@Suite("Random meetings on several workers")
struct CascadeSimulationTests {
  static let codecs: [AudioCodec] = [.opus, .pcma, .g722, .pcmu]

  /// One thing that happens to a leg, at a tick.
  struct Event {
    enum Kind { case join, leave, talk(Double), quiet, mute, unmute }
    var tick: Int
    var leg: Int
    var kind: Kind
  }

  /// A story of at most eight legs, from a seed.
  struct Story {
    var workers: Int
    var legs: Int
    /// Of each leg.
    var worker: [Int] = []
    var events: [Event] = []
    static let ticks = 100

    init(seed: UInt64) {
      var random = RandomSource(seed: seed)
      workers = 2 + Int(random.next() % 3)
      legs = workers + Int(random.next() % UInt64(9 - workers))
      for leg in 0..<legs { worker.append(leg < workers ? leg : Int(random.next() % UInt64(workers))) }
      for leg in 0..<legs {
        // Every part has somebody all the time, so that its encoders have the same past in one worker.
        var tick = leg < workers ? 0 : Int(random.next() % 30)
        events.append(Event(tick: tick, leg: leg, kind: .join))
        while true {
          tick += 1 + Int(random.next() % 40)
          guard tick < Self.ticks - 1 else { break }
          switch random.next() % 6 {
          case 0, 1, 2: events.append(Event(tick: tick, leg: leg, kind: .talk(600 + Double(random.next() % 2_400))))
          case 3: events.append(Event(tick: tick, leg: leg, kind: .quiet))
          case 4: events.append(Event(tick: tick, leg: leg, kind: random.next() % 2 == 0 ? .mute : .unmute))
          default:
            guard leg >= workers else { continue }
            events.append(Event(tick: tick, leg: leg, kind: .leave))
          }
        }
      }
    }
  }

  /// - Parameter listening: `nil`: the legs are on their workers. Else all are on one, and the legs of other parts than
  ///   this one live a tick later.
  /// - Returns: what each leg heard.
  private func run(_ story: Story, listening: Int?) -> [[Int16]] {
    var limits = MediaWorkerLimits()
    limits.packets = 512
    limits.legs = 16
    limits.talkers = 8
    limits.linkMessages = 256
    let bench = CascadeBench(workers: listening == nil ? story.workers : 1, limits: limits)
    let peers = (0..<story.legs).map { leg in
      let peer = WorkerPeer(leg + 1, codec: Self.codecs[story.worker[leg]], level: true)
      peer.beQuiet()
      return peer
    }
    var isIn = Array(repeating: false, count: story.legs)
    for tick in 0..<Story.ticks {
      for event in story.events {
        let peer = peers[event.leg]
        let worker = story.worker[event.leg]
        let late = listening.map { $0 != worker ? 1 : 0 } ?? 0
        let place = listening == nil ? worker : 0
        // What the peer does itself happens at once; its packets are on the way for longer.
        if event.tick == tick {
          switch event.kind {
          case .talk(let amplitude): peer.talk(300 + 170 * Double(event.leg), amplitude: amplitude)
          case .quiet: peer.beQuiet()
          case .join: bench.workers[place].peers.append(peer)
          case .leave: bench.workers[place].peers.removeAll { $0 === peer }
          case .mute, .unmute: break
          }
          bench.delays[peer.leg] = late
        }
        guard event.tick + late == tick else { continue }
        switch event.kind {
        case .join:
          bench.openLeg(peer, on: place)
          isIn[event.leg] = true
        case .leave where isIn[event.leg]:
          bench.closeLeg(peer, on: place)
          isIn[event.leg] = false
        case .mute: bench.workers[place].handle(.setIngress(peer.leg, blocked: true), now: bench.now)
        case .unmute: bench.workers[place].handle(.setIngress(peer.leg, blocked: false), now: bench.now)
        case .talk, .quiet, .leave: break
        }
      }
      bench.step()
    }
    for worker in bench.workers {
      worker.handle(.closeMeeting(CascadeBench.meeting), now: bench.now)
      #expect(worker.worker.pool.available == worker.worker.pool.capacity)
      #expect(worker.report?.linkFramesLost ?? 0 == 0)
      #expect(worker.report?.linkFramesLate ?? 0 == 0)
      #expect(worker.report?.linkOverflow ?? 0 == 0)
    }
    return peers.map(\.heard)
  }

  @Test(
    "everybody gets, sample for sample, the mix of one worker to which other parts' talkers come a tick later",
    arguments: [1...3, 4...6])
  func exact(seeds: ClosedRange<Int>) {
    for seed in seeds {
      let story = Story(seed: UInt64(seed))
      let split = run(story, listening: nil)
      for part in 0..<story.workers {
        let whole = run(story, listening: part)
        for leg in 0..<story.legs where story.worker[leg] == part {
          let first = zip(split[leg], whole[leg]).enumerated().first { $1.0 != $1.1 }?.offset
          #expect(first == nil, "seed \(seed), leg \(leg) of part \(part)")
          #expect(split[leg].count == whole[leg].count)
        }
      }
    }
  }

  /// Who is louder than all but one other: the two that a limit of two lets through.
  private func loudest(_ peers: [WorkerPeer]) -> [WorkerPeer] {
    Array(peers.filter { $0.amplitude > 0 }.sorted { $0.amplitude > $1.amplitude }.prefix(2))
  }

  @Test(
    "messages lost, workers that stand still, parts that open and close: nothing leaks, and soon all is heard again",
    arguments: 1...6)
  func faults(seed: Int) {
    var random = RandomSource(seed: UInt64(seed) &+ 1_000)
    var limits = MediaWorkerLimits()
    limits.packets = 512
    limits.legs = 16
    limits.talkers = 2
    limits.linkMessages = 64
    let count = 2 + Int(random.next() % 3)
    let bench = CascadeBench(workers: count, limits: limits, opensAll: false)
    var peers: [(peer: WorkerPeer, worker: Int)] = []
    var next = 1
    var isCalm = true
    bench.loses = { _, _, _ in !isCalm && random.next() % 10 == 0 }
    for _ in 0..<6 {
      isCalm = false
      for _ in 0..<40 {
        switch random.next() % 12 {
        case 0 where peers.count < 8:
          let peer = WorkerPeer(next, codec: .pcma, level: true)
          peer.beQuiet()
          let worker = peers.isEmpty ? 0 : Int(random.next() % UInt64(count))
          bench.add(peer, to: worker)
          peers.append((peer, worker))
          next += 1
        case 1 where peers.count > 1:
          let gone = peers.remove(at: Int(random.next() % UInt64(peers.count)))
          bench.remove(gone.peer, from: gone.worker)
          bench.closeEmptyParts()
        case 2, 3:
          guard !peers.isEmpty else { break }
          let peer = peers[Int(random.next() % UInt64(peers.count))].peer
          // Each a step of 9 dB, so that it is clear who is loudest.
          let used = Set(peers.map(\.peer.amplitude))
          let free = [12_000.0, 4_250, 1_500, 530].filter { !used.contains($0) }
          if let amplitude = free.first { peer.talk(300 + 170 * Double(peer.leg.rawValue % 17), amplitude: amplitude) }
        case 4: peers.randomElement(using: &random)?.peer.beQuiet()
        case 5: bench.workers[Int(random.next() % UInt64(count))].isStopped.toggle()
        default: break
        }
        bench.step()
      }
      isCalm = true
      for worker in bench.workers { worker.isStopped = false }
      bench.run(seconds: 2.4)
      let heard = loudest(peers.map(\.peer))
      for (peer, _) in peers {
        for (talker, _) in peers where talker.amplitude > 0 {
          let start = Double(peer.heard.count) / 48_000 - 0.3
          let level = peer.power(at: talker.frequency, skipping: start, seconds: 0.2)
          let isHeard = heard.contains { $0 === talker } && talker !== peer
          #expect((level > -45) == isHeard, "seed \(seed): \(peer.leg) hears \(talker.leg) at \(level)")
        }
      }
    }
    for (peer, worker) in peers { bench.remove(peer, from: worker) }
    bench.closeEmptyParts()
    bench.step()

    #expect(bench.parts == [0])
    for worker in bench.workers {
      #expect(worker.worker.pool.available == worker.worker.pool.capacity)
      #expect(worker.worker.meetingCount == (worker === bench.workers[0] ? 1 : 0))
    }
  }

  #if canImport(AllocationCounter)
    @Test("links and ticks of parts ask for no memory")
    func noAllocation() {
      let bench = CascadeBench(workers: 2)
      let peers = (1...6).map { WorkerPeer($0, level: true) }
      for (index, peer) in peers.enumerated() {
        peer.beQuiet()
        bench.add(peer, to: index % 2)
      }
      var count = 0
      for tick in 0..<200 {
        if tick % 40 == 0 { peers[tick / 40].talk(400 + Double(tick) * 5) }
        if tick % 40 == 30, tick > 40 { peers[tick / 40 - 1].beQuiet() }
        bench.loses = { _, _, message in tick > 100 && message.leg == 1 && tick % 7 == 0 }
        bench.countsAllocations = tick > 60
        bench.step()
        count = bench.allocations
      }
      #expect(count == 0)
    }
  #endif
}
