//  LoadPlanTests.swift: what is due to whom, when phones send, who listens, and what becomes of packets.

import LoadGenerator
import Primitives
import Simulation
import Testing

@Suite("Load plan")
struct LoadPlanTests {
  @Test("listeners are due a packet a frame; a lone talker is due none")
  func always() {
    let plan = LoadPlan(participants: 10, meetingSize: 10, pattern: .always(count: 1), ears: 10)

    #expect(plan.packetsDue(to: 5, in: 0..<500) == 499)
    #expect(plan.packetsDue(to: 0, in: 0..<500) == nil)
    #expect(plan.packetsDue(to: 5, in: 0..<1) == nil)
  }

  @Test("who takes a turn alone is not due packets around it; changes of turns are allowed for")
  func turns() {
    let plan = LoadPlan(
      participants: 10, meetingSize: 10, pattern: .turns(count: 1, turnFrames: 250), ears: 10)

    // Frames 0–249: phone 0 talks; 250–499: phone 1.
    #expect(plan.packetsDue(to: 5, in: 0..<500) == 499 - LoadPlan.framesToChangeTurns)
    #expect(plan.packetsDue(to: 1, in: 0..<500) == nil)
    #expect(plan.packetsDue(to: 1, in: 500..<600) == nil)
    #expect(plan.packetsDue(to: 1, in: 750..<900) == 149)
  }

  @Test("nobody is due anything alone")
  func alone() {
    let plan = LoadPlan(participants: 11, meetingSize: 10, pattern: .always(count: 3), ears: 10)

    #expect(plan.packetsDue(to: 10, in: 0..<500) == nil)
  }

  @Test("whom a listener hears: all who talk but itself")
  func heard() {
    let plan = LoadPlan(participants: 20, meetingSize: 10, pattern: .always(count: 3), ears: 10)

    #expect(plan.talkers(heardBy: 5, frame: 0) == 0b111)
    #expect(plan.talkers(heardBy: 1, frame: 0) == 0b101)
    #expect(plan.talkers(heardBy: 11, frame: 0) == 0b101)
  }

  @Test("the places that talk are those of `talks`")
  func places() {
    for pattern in [
      TalkPattern.all, .always(count: 3), .turns(count: 2, turnFrames: 50), .turns(count: 1, turnFrames: 7),
    ] {
      for frame in stride(from: 0, to: 1_000, by: 37) {
        let expected = (0..<10).filter { pattern.talks($0, of: 10, frame: frame) }
        #expect(pattern.places(of: 10, frame: frame).sorted() == expected, "\(pattern), frame \(frame)")
      }
    }
  }
}

@Suite("Pace of sending")
struct FrameWheelTests {
  @Test("each phone sends once a frame, in its slot, in order")
  func pace() {
    var wheel = FrameWheel(epoch: .zero)
    for phone in 0..<100 { wheel.add(phone) }
    var sent = [Int](repeating: 0, count: 100)
    var last = -1

    while let turn = wheel.next(now: .zero + .milliseconds(200) - .nanoseconds(1)) {
      for phone in turn.phones {
        #expect(turn.due == Instant.zero + .milliseconds(20) * turn.frame + FrameWheel.offset(of: phone))
        sent[phone] += 1
      }
      #expect(turn.frame >= last)
      last = turn.frame
    }

    #expect(sent == [Int](repeating: 10, count: 100))
  }

  @Test("any first N phones are spread evenly", arguments: [50, 200, 1_000, 5_000])
  func spread(count: Int) {
    var slots = [Int](repeating: 0, count: FrameWheel.slots)
    for phone in 0..<count { slots[FrameWheel.slot(of: phone)] += 1 }

    #expect((slots.max() ?? 0) - (slots.min() ?? 0) <= 3)
  }
}

@Suite("Who listens when")
struct EarRotaTests {
  @Test("enough ears: everybody always listens")
  func still() {
    var rota = EarRota(ears: 4)
    for phone in [3, 5] { rota.add(phone) }

    #expect(rota.advance(to: .zero).coming == [3, 5])
    rota.add(7)
    #expect(rota.advance(to: .zero).coming == [7])
    rota.remove(5)
    #expect(rota.advance(to: .zero).leaving == [5])
    #expect(rota.listening == [3, 7])
    #expect(!rota.rotates)
  }

  @Test("few ears: everybody's turn comes, none is left out")
  func turns() {
    var rota = EarRota(ears: 4)
    for phone in 0..<10 { rota.add(phone) }
    var listened = Set<Int>()
    var now = Instant.zero

    for _ in 0..<3 {
      _ = rota.advance(to: now)
      #expect(rota.listening.count == 4)
      listened.formUnion(rota.listening)
      now += EarRota.dwell
    }

    #expect(listened == Set(0..<10))
  }

  @Test("one listener of each meeting comes before the second of any")
  func meetings() {
    let plan = LoadPlan(participants: 100, meetingSize: 10, pattern: .always(count: 3), ears: 10)
    var rota = EarRota(ears: 10)
    for phone in 0..<100 { rota.add(phone, order: plan.listeningOrder(of: phone)) }

    _ = rota.advance(to: .zero)

    #expect(Set(rota.listening.map { plan.meeting(of: $0) }).count == 10)
    #expect(Set(rota.listening.map { plan.place(of: $0) }).count == 10)
  }

  @Test("no ears")
  func none() {
    var rota = EarRota(ears: 0)
    rota.add(1)

    #expect(rota.advance(to: .zero + .seconds(5)).coming == [])
  }
}

@Suite("Impairment")
struct ImpairmentTests {
  @Test("the same seed, the same fates; as many losses as asked for")
  func loss() {
    var first = Impairment(loss: 100, jitterMilliseconds: 30, seed: 7)
    var second = Impairment(loss: 100, jitterMilliseconds: 30, seed: 7)

    let fates = (0..<10_000).map { _ in first.fate() }

    #expect(fates == (0..<10_000).map { _ in second.fate() })
    #expect((800...1_200).contains(fates.count { $0 == nil }))
    #expect(fates.compactMap { $0 }.allSatisfy { $0 >= .zero && $0 < .milliseconds(30) })
  }

  @Test("packets held back come out when it is time, in order of time")
  func held() {
    var line = DelayLine()
    let peer = SocketAddress(ipv4: 0x7f00_0001, port: 4)
    for (number, delay) in [9, 3, 6].enumerated() {
      line.hold(
        DelayLine.Packet(local: UInt32(number), peer: peer, bytes: []), until: .zero + .milliseconds(delay))
    }

    #expect(line.release(now: .zero + .milliseconds(2)).isEmpty)
    #expect(line.release(now: .zero + .milliseconds(6)).map(\.local) == [1, 2])
    #expect(line.count == 1)
    #expect(line.release(now: .zero + .milliseconds(20)).map(\.local) == [0])
    #expect(line.count == 0)
  }
}

@Suite("Density of arrivals")
struct ArrivalDensityTests {
  @Test("dense from 10,000 a second on, until it falls under 7,000, or nothing comes")
  func dense() {
    var density = ArrivalDensity()
    var now = Instant.zero
    func pass(_ milliseconds: Int, perSecond: Int) {
      for _ in 0..<milliseconds {
        now += .milliseconds(1)
        density.note(perSecond / 1_000, now: now)
      }
    }

    pass(300, perSecond: 9_000)
    #expect(!density.isDense)
    pass(300, perSecond: 11_000)
    #expect(density.isDense)
    pass(300, perSecond: 8_000)
    #expect(density.isDense)
    pass(300, perSecond: 6_000)
    #expect(!density.isDense)
    pass(300, perSecond: 50_000)
    now += .seconds(5)
    density.note(1, now: now)
    #expect(!density.isDense)
  }
}
