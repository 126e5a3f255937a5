//  HostRegistrationTests.swift: registration and load lease on virtual time, with every way they fail.

import AVConferencing
import Primitives
import Testing

@Suite("Registration of a media host (control protocol P1, P2)")
struct HostRegistrationTests {
  struct Bench {
    var registration = HostRegistration(settings: HostRegistration.Settings())
    var random = RandomSource(seed: 1)
    var now = Instant.zero

    mutating func start() -> [HostRegistration.Output] {
      var outputs: [HostRegistration.Output] = []
      registration.start(now: now, into: &outputs)
      return outputs
    }
    mutating func registered(_ answer: HostRegistration.Answer) -> [HostRegistration.Output] {
      var outputs: [HostRegistration.Output] = []
      registration.registrationAnswered(answer, now: now, random: &random, into: &outputs)
      return outputs
    }
    mutating func published(_ answer: HostRegistration.Answer) -> [HostRegistration.Output] {
      var outputs: [HostRegistration.Output] = []
      registration.loadAnswered(answer, now: now, random: &random, into: &outputs)
      return outputs
    }
    mutating func advance(by interval: Interval) -> [HostRegistration.Output] {
      now += interval
      var outputs: [HostRegistration.Output] = []
      registration.advance(to: now, into: &outputs)
      return outputs
    }
    mutating func advanceToDeadline() -> [HostRegistration.Output] {
      advance(by: registration.nextDeadline - now)
    }
    mutating func comeUp() {
      _ = start()
      _ = registered(.success(expires: 60, entityTag: nil))
      _ = published(.success(expires: 15, entityTag: "e1"))
    }
  }

  static func failure(_ status: Int, retryAfter: Int? = nil, minimum: Int? = nil) -> HostRegistration.Answer {
    .failure(status: status, retryAfter: retryAfter, minimumExpires: minimum)
  }

  @Test("registers, publishes whole, renews the load every 5 s with its tag and the registration before its end")
  func life() {
    var bench = Bench()

    #expect(bench.start() == [.register(expires: 60)])
    #expect(
      bench.registered(.success(expires: 60, entityTag: nil))
        == [.registered(expires: 60), .publish(ifMatch: nil, expires: 15)])
    #expect(bench.published(.success(expires: 15, entityTag: "e1")) == [.active])
    #expect(bench.advance(by: .seconds(5)) == [.publish(ifMatch: "e1", expires: 15)])
    #expect(bench.published(.success(expires: 15, entityTag: "e2")).isEmpty)
    #expect(bench.advance(by: .seconds(5)) == [.publish(ifMatch: "e2", expires: 15)])
    _ = bench.published(.success(expires: 15, entityTag: "e3"))
    var registers = 0
    for _ in 0..<12 {
      for output in bench.advance(by: .seconds(3)) {
        if case .register = output {
          registers += 1
          #expect(bench.now - .zero == .seconds(46))
        }
        if case .publish = output { _ = bench.published(.success(expires: 15, entityTag: "e")) }
      }
    }
    #expect(registers == 1)
    #expect(bench.registered(.success(expires: 60, entityTag: nil)) == [.registered(expires: 60)])
  }

  @Test("a refresh that succeeds does not publish anew, for the tag still stands")
  func refresh() {
    var bench = Bench()
    bench.comeUp()
    bench.now += .seconds(44)
    _ = bench.advance(by: .seconds(2))

    #expect(bench.registered(.success(expires: 60, entityTag: nil)) == [.registered(expires: 60)])
  }

  @Test("412 forgets the tag and sends the whole document at once")
  func lostTag() {
    var bench = Bench()
    bench.comeUp()
    _ = bench.advance(by: .seconds(5))

    #expect(bench.published(Self.failure(412)) == [.publish(ifMatch: nil, expires: 15)])
  }

  @Test("a front end that says 412 to everything is not raced with")
  func always412() {
    var bench = Bench()
    bench.comeUp()
    _ = bench.advance(by: .seconds(5))
    _ = bench.published(Self.failure(412))

    #expect(bench.published(Self.failure(412)) == [.loadRefused(status: 412)])
    #expect(bench.advance(by: .seconds(4)).isEmpty)
    #expect(bench.advance(by: .seconds(1)) == [.publish(ifMatch: nil, expires: 15)])
  }

  @Test("failures back off, doubling to a maximum, each at least half of it")
  func backOff() {
    var bench = Bench()
    _ = bench.start()
    var pauses: [Double] = []
    for _ in 0..<8 {
      for output in bench.registered(Self.failure(0)) {
        if case .registrationFailed(0, let pause) = output { pauses.append(pause.milliseconds) }
      }
      #expect(bench.advanceToDeadline() == [.register(expires: 60)])
    }

    for (pause, full) in zip(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000] as [Double]) {
      #expect(pause >= full / 2 && pause <= full)
    }
    #expect(pauses.count == 8)
  }

  @Test("Retry-After of a 503 is honoured, up to 5 minutes", arguments: [(7, 7.0), (100_000, 300.0), (-5, 0.0)])
  func retryAfter(given: Int, least: Double) {
    var bench = Bench()
    _ = bench.start()

    _ = bench.registered(Self.failure(503, retryAfter: given))

    let pause = (bench.registration.nextDeadline - bench.now).seconds
    #expect(pause >= least && pause <= max(least, 0.25))
  }

  @Test("423 repeats with the interval that the registrar wants")
  func intervalTooBrief() {
    var bench = Bench()
    _ = bench.start()

    #expect(bench.registered(Self.failure(423, minimum: 120)) == [.register(expires: 120)])
    #expect(bench.registered(Self.failure(423, minimum: 100)).count == 1)
    #expect(bench.registration.state == .waiting)
  }

  @Test("a lost connection registers again and publishes whole")
  func connectionLost() {
    var bench = Bench()
    bench.comeUp()
    var outputs: [HostRegistration.Output] = []

    bench.registration.connectionLost(now: bench.now, random: &bench.random, into: &outputs)

    #expect(bench.registration.state == .waiting)
    #expect(bench.advanceToDeadline() == [.register(expires: 60)])
    #expect(
      bench.registered(.success(expires: 60, entityTag: nil))
        == [.registered(expires: 60), .publish(ifMatch: nil, expires: 15)])
  }

  @Test(
    "a front end that knows nothing of us (481 or no answer to PUBLISH) is registered with again",
    arguments: [0, 404, 481])
  func unknownToFactory(status: Int) {
    var bench = Bench()
    bench.comeUp()
    _ = bench.advance(by: .seconds(5))

    let outputs = bench.published(Self.failure(status))

    #expect(outputs.first == .loadRefused(status: status))
    #expect(bench.advanceToDeadline() == [.register(expires: 60)])
  }

  @Test("any other refusal of the load is tried again, not at once")
  func loadRefused() {
    var bench = Bench()
    bench.comeUp()
    _ = bench.advance(by: .seconds(5))

    #expect(bench.published(Self.failure(503, retryAfter: 20)) == [.loadRefused(status: 503)])
    #expect(bench.advance(by: .seconds(19)).isEmpty)
    #expect(bench.advance(by: .seconds(1)) == [.publish(ifMatch: nil, expires: 15)])
  }

  @Test("a change while a PUBLISH is under way follows its answer, with the new tag")
  func changeWhilePublishing() {
    var bench = Bench()
    bench.comeUp()
    var outputs: [HostRegistration.Output] = []
    bench.registration.loadChanged(now: bench.now, into: &outputs)
    bench.registration.loadChanged(now: bench.now, into: &outputs)

    #expect(outputs == [.publish(ifMatch: "e1", expires: 15)])
    #expect(bench.published(.success(expires: 15, entityTag: "e2")) == [.publish(ifMatch: "e2", expires: 15)])
    #expect(bench.published(.success(expires: 15, entityTag: "e3")).isEmpty)
  }

  @Test("stopping removes document and binding; nothing is due afterwards")
  func stop() {
    var bench = Bench()
    bench.comeUp()
    var outputs: [HostRegistration.Output] = []

    bench.registration.stop(now: bench.now, into: &outputs)

    #expect(outputs == [.publish(ifMatch: "e1", expires: 0), .register(expires: 0)])
    #expect(bench.registration.nextDeadline == .never)
    #expect(bench.published(.success(expires: 0, entityTag: nil)).isEmpty)
    #expect(bench.registered(.success(expires: 0, entityTag: nil)) == [.unregistered])
    #expect(bench.registration.state == .stopped)
    #expect(bench.advance(by: .seconds(100)).isEmpty)
  }

  @Test("answers that come in no state where they mean anything are ignored")
  func strayAnswers() {
    var bench = Bench()

    #expect(bench.registered(.success(expires: 60, entityTag: nil)).isEmpty)
    #expect(bench.published(.success(expires: 60, entityTag: "x")).isEmpty)
    #expect(bench.registration.state == .idle)
  }

  @Test("a grant of nonsense is kept within reason", arguments: [(0, 10), (-1, 10), (Int.max, 3_600)])
  func nonsense(granted: Int, taken: Int) {
    var bench = Bench()
    _ = bench.start()

    #expect(bench.registered(.success(expires: granted, entityTag: nil)).first == .registered(expires: taken))
  }
}
