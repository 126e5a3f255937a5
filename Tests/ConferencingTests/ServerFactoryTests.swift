//  ServerFactoryTests.swift: choice of a media host by type, state, load and promises.
import Conferencing
import Primitives
import SIP
import Testing

private func id(_ number: Int) -> ConferencingServerID { ConferencingServerID("mh\(number)@factory") }

private func name(_ number: Int) -> ConferenceName { conferenceName("room\(number)") }

/// Hosts of equal size, active, without load.
private func factory(hosts: Int, room: Int = 100) throws -> ConferencingServerFactory {
  var factory = ConferencingServerFactory()
  var outputs: [ConferencingServerFactory.Output] = []
  for number in 1...hosts {
    try factory.register(
      id(number), contact: "sip:av@127.0.0.1:\(5070 + number);transport=tcp", flow: nil, types: [.audioVideo],
      expires: .zero + .seconds(3_600))
    factory.report(
      ServerLoad(activeLegs: 0, availableLegs: room), from: id(number), expires: .zero + .seconds(15), into: &outputs)
  }
  #expect(outputs == (1...hosts).map { .active(id($0)) })
  return factory
}

@Suite("Conferencing Server Factory (control protocol P1–P3)")
struct ServerFactoryTests {
  @Test("a burst of 100 joins over 3 hosts spreads within 10 % of even, before any of them reports")
  func burst() throws {
    var factory = try factory(hosts: 3)
    var counts: [ConferencingServerID: Int] = [:]

    for number in 0..<100 {
      counts[try factory.choose(.audioVideo, for: name(number), now: .zero).server, default: 0] += 1
    }

    for count in counts.values { #expect(abs(Double(count) - 100.0 / 3) <= 100.0 / 30) }
    #expect(counts.count == 3)
  }

  @Test("between equals the conference decides, always alike")
  func rendezvous() throws {
    var first = try factory(hosts: 5)
    var second = try factory(hosts: 5)

    let choice = try first.choose(.audioVideo, for: name(7), now: .zero)
    #expect(try second.choose(.audioVideo, for: name(7), now: .zero).server == choice.server)
    // Without the chosen host it is another one; each of the others would still choose the first.
    #expect(
      try second.choose(.audioVideo, for: name(7), excluding: [choice.server], now: .zero).server != choice.server)
  }

  @Test("the less loaded host is chosen, in proportion to its size")
  func proportion() throws {
    var factory = try factory(hosts: 2)
    var outputs: [ConferencingServerFactory.Output] = []
    factory.report(
      ServerLoad(activeLegs: 50, availableLegs: 950), from: id(1), expires: .zero + .seconds(15), into: &outputs)
    factory.report(
      ServerLoad(activeLegs: 40, availableLegs: 60), from: id(2), expires: .zero + .seconds(15), into: &outputs)

    #expect(try factory.choose(.audioVideo, for: name(1), now: .zero).server == id(1))
  }

  @Test("a draining host gets nothing new; drained back it does")
  func draining() throws {
    var factory = try factory(hosts: 2)
    var outputs: [ConferencingServerFactory.Output] = []
    let drained = ServerLoad(status: .draining, activeLegs: 0, availableLegs: 100)
    factory.report(drained, from: id(1), expires: .zero + .seconds(15), into: &outputs)

    for number in 0..<20 { #expect(try factory.choose(.audioVideo, for: name(number), now: .zero).server == id(2)) }
    #expect(outputs == [.draining(id(1))])
    factory.report(
      ServerLoad(activeLegs: 0, availableLegs: 100), from: id(1), expires: .zero + .seconds(15), into: &outputs)
    #expect(outputs.last == .active(id(1)))
    #expect(try factory.choose(.audioVideo, for: name(1), now: .zero).server == id(1))
  }

  @Test("room is what is available less what is promised: the last place, and one past it")
  func full() throws {
    var factory = try factory(hosts: 2, room: 3)

    for number in 0..<6 { _ = try factory.choose(.audioVideo, for: name(number), now: .zero) }

    #expect(throws: ConferencingError.noServerAvailable) {
      try factory.choose(.audioVideo, for: name(9), now: .zero)
    }
  }

  @Test("a lease runs out after 30 s, or with the report after it was fulfilled, or when it is released")
  func leases() throws {
    var factory = try factory(hosts: 1, room: 10)
    var outputs: [ConferencingServerFactory.Output] = []
    let first = try factory.choose(.audioVideo, for: name(1), now: .zero)
    let second = try factory.choose(.audioVideo, for: name(2), now: .zero)
    let third = try factory.choose(.audioVideo, for: name(3), now: .zero + .seconds(1))
    #expect(factory.servers[id(1)]?.promisedLegs == 3)

    factory.fulfil(first.lease, on: id(1))
    #expect(factory.servers[id(1)]?.promisedLegs == 3)
    factory.report(
      ServerLoad(activeLegs: 1, availableLegs: 9), from: id(1), expires: .zero + .seconds(60), into: &outputs)
    #expect(factory.servers[id(1)]?.promisedLegs == 2)
    factory.release(second.lease, on: id(1))
    #expect(factory.servers[id(1)]?.promisedLegs == 1)
    factory.advance(to: .zero + .seconds(30), into: &outputs)
    #expect(factory.servers[id(1)]?.promisedLegs == 1)
    factory.advance(to: .zero + .seconds(31), into: &outputs)
    #expect(factory.servers[id(1)]?.promisedLegs == 0)
    factory.release(third.lease, on: id(1))
  }

  @Test("three missing reports are a host that is down; a report brings it back")
  func missingReports() throws {
    var factory = try factory(hosts: 1)
    var outputs: [ConferencingServerFactory.Output] = []

    #expect(factory.nextDeadline == .zero + .seconds(15))
    factory.advance(to: .zero + .seconds(15), into: &outputs)
    #expect(outputs == [.down(id(1), .reportsMissing)])
    #expect(throws: ConferencingError.noServerAvailable) { try factory.choose(.audioVideo, for: name(1), now: .zero) }
    factory.report(
      ServerLoad(activeLegs: 0, availableLegs: 1), from: id(1), expires: .zero + .seconds(40), into: &outputs)
    #expect(outputs.last == .active(id(1)))
  }

  @Test("a registration that runs out takes the host away")
  func registrationExpiry() throws {
    var factory = try factory(hosts: 1)
    var outputs: [ConferencingServerFactory.Output] = []
    factory.prolongReport(from: id(1), expires: .zero + .seconds(9_999))

    factory.advance(to: .zero + .seconds(3_600), into: &outputs)

    #expect(outputs == [.down(id(1), .registrationExpired)])
    #expect(throws: ConferencingError.noServerRegistered) { try factory.choose(.audioVideo, for: name(1), now: .zero) }
    #expect(factory.nextDeadline == .never)
  }

  @Test("a host without a load report, or of another type, is not chosen")
  func registeredOnly() throws {
    var factory = ConferencingServerFactory()
    try factory.register(id(1), contact: "sip:a@127.0.0.1", flow: nil, types: [.audioVideo], expires: .never)

    #expect(throws: ConferencingError.noServerAvailable) { try factory.choose(.audioVideo, for: name(1), now: .zero) }
    #expect(throws: ConferencingError.noServerRegistered) { try factory.choose(.chat, for: name(1), now: .zero) }
  }

  @Test("the table of hosts, at its limit and one past it")
  func tableLimit() throws {
    var factory = try factory(hosts: Limits.servers)

    #expect(throws: ConferencingError.overloaded) {
      try factory.register(id(999), contact: "sip:a@127.0.0.1", flow: nil, types: [.audioVideo], expires: .never)
    }
    try factory.register(id(1), contact: "sip:b@127.0.0.1", flow: nil, types: [.audioVideo], expires: .never)
  }

  @Test("promises on one host, at their limit and one past it")
  func leaseLimit() throws {
    var factory = try factory(hosts: 1, room: 1_000_000)

    for _ in 0..<Limits.leasesPerServer { #expect(factory.promise(on: id(1), now: .zero) != nil) }

    #expect(factory.promise(on: id(1), now: .zero) == nil)
    #expect(throws: ConferencingError.noServerAvailable) { try factory.choose(.audioVideo, for: name(1), now: .zero) }
  }
}
