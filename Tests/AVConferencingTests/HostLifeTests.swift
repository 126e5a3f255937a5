//  HostLifeTests.swift: a host's registration, load and end, as the front end sees them (control protocol P1, P2).

import AVConferencing
import ConferenceDocuments
import Media
import Primitives
import SIP
import Testing

@Suite("Life of a media host (control protocol P1, P2)")
struct HostLifeTests {
  @Test("registers with instance, flow and type, then publishes its load every 5 s")
  func registers() throws {
    var bench = HostBench(frontEnd: true)

    bench.start()
    bench.run(.seconds(11))

    let register = try #require(bench.registers.first)
    let contact = try #require(register.first(.contact))
    #expect(contact.contains("sip:av@127.0.0.1:5070"))
    #expect(contact.contains("+sip.instance=\"<urn:uuid:4be0c0de-0000-4000-8000-000000000001>\""))
    #expect(contact.contains("reg-id=1") && contact.contains("+x.mcu=\"audio-video\""))
    #expect(register.expires == 60)
    #expect(bench.publishes.count == 3)
    #expect(bench.publishes.map { $0.first(.sipIfMatch) } == [nil, "e1", "e2"])
    #expect(bench.publishes.allSatisfy { $0.first(.event) == "mcu-status" && $0.expires == 15 })
    let load = try MediaServerLoad(parsing: bench.publishes[2].body)
    #expect(load.status == .active && load.serverID == "mh1" && load.sequence == 3)
    #expect(load.address == "sip:av@127.0.0.1:5070;transport=tcp")
    #expect(load.availableMixes.first?.available == 4_096)
    #expect(bench.host.isRegistered)
  }

  @Test("the load counts legs by codec, per meeting and in all")
  func loadDocument() throws {
    var bench = HostBench(frontEnd: true) { $0.maximumLegs = 100 }
    bench.start()
    let control = try bench.addConference()
    for name in ["a", "b", "c"] { _ = bench.join(control, name) }

    bench.run(.seconds(5))

    let load = try MediaServerLoad(parsing: try #require(bench.publishes.last).body)
    #expect(load.activeRTP == [MediaServerLoad.CodecSessions(name: "audio/opus", decoding: 3, encoding: 3)])
    #expect(load.activeMixes.first?.conferenceID == HostBench.entity)
    #expect(load.activeMixes.first?.codecs.first?.decoding == 3)
    #expect(load.availableMixes.first?.available == 97)
  }

  @Test("a tag that the front end forgot is published anew, whole")
  func lostTag() {
    var bench = HostBench(frontEnd: true)
    bench.start()
    bench.publishStatus = 412

    bench.run(.milliseconds(5_500))
    bench.publishStatus = 200
    bench.run(.seconds(5))

    #expect(bench.publishes[1].first(.sipIfMatch) == "e1")
    #expect(bench.publishes[2].first(.sipIfMatch) == nil)
    #expect(bench.host.isRegistered)
  }

  @Test("503 with Retry-After is waited for; a lost connection registers again")
  func retries() {
    var bench = HostBench(frontEnd: true)
    bench.registerStatus = 503
    bench.start()
    bench.run(.milliseconds(1_900))
    #expect(bench.registers.count == 1)
    bench.registerStatus = 200
    bench.run(.seconds(1))
    #expect(bench.registers.count == 2 && bench.host.isRegistered)

    var outputs: [AVConferencingOutput] = []
    bench.host.transportFailed(bench.hostFlow, now: bench.now, into: &outputs)
    bench.pump(outputs, [])
    #expect(!bench.host.isRegistered)
    bench.run(.seconds(1))

    #expect(bench.registers.count == 3 && bench.host.isRegistered)
    #expect(bench.publishes.last?.first(.sipIfMatch) == nil)
  }

  @Test("registrations of one process share a Call-ID with rising CSeq")
  func sameCallID() throws {
    var bench = HostBench(frontEnd: true)
    bench.start()

    bench.run(.seconds(100))

    #expect(bench.registers.count >= 3)
    #expect(Set(bench.registers.map(\.callID)).count == 1)
    let numbers = try bench.registers.map { try $0.cseq.number }
    #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test("draining and overload are told at once")
  func told() throws {
    var bench = HostBench(frontEnd: true, workers: 1)
    bench.start()
    bench.run(.seconds(1))
    var busy = WorkerReport()
    busy.busy = 0.97

    for _ in 0..<3 { bench.report(.report(busy)) }
    let overloaded = try MediaServerLoad(parsing: try #require(bench.publishes.last).body)
    var outputs: [AVConferencingOutput] = []
    bench.host.drain(now: bench.now, into: &outputs)
    bench.pump(outputs, [])
    let draining = try MediaServerLoad(parsing: try #require(bench.publishes.last).body)

    // The first, the step to busy, overload, draining.
    #expect(bench.publishes.count == 4)
    #expect(overloaded.status == .active && overloaded.availableMixes.first?.available == 0)
    #expect(overloaded.load.cpu > 0.9)
    #expect(draining.status == .deactivated && draining.load.draining)
  }

  @Test("shutting down ends legs and meetings, withdraws the load and unregisters")
  func shutDown() throws {
    var bench = HostBench(frontEnd: true)
    bench.start()
    let control = try bench.addConference()
    let phones = ["a", "b"].map { bench.join(control, $0) }
    _ = bench.subscribe(control.uri)

    var outputs: [AVConferencingOutput] = []
    bench.host.shutDown(now: bench.now, into: &outputs)
    bench.pump(outputs, [])

    #expect(phones.allSatisfy { bench.hasEnded($0.call) != nil })
    #expect(bench.hasEnded(control.call) != nil)
    #expect(bench.registers.last?.expires == 0)
    #expect(bench.publishes.last?.expires == 0)
    #expect(bench.host.isShutDown)
    #expect(bench.host.counts == AVConferencingServer.Counts())
  }

  @Test("shutting down ends in bounded time when nobody answers")
  func shutDownAlone() {
    var bench = HostBench(frontEnd: true)
    bench.frontEndAnswers = false
    bench.start()

    var outputs: [AVConferencingOutput] = []
    bench.host.shutDown(now: bench.now, into: &outputs)
    bench.pump(outputs, [])
    #expect(!bench.host.isShutDown)
    bench.run(.milliseconds(3_001))

    #expect(bench.host.isShutDown)
  }

  @Test("OPTIONS is answered, other methods 405, garbage does no harm")
  func others() {
    var bench = HostBench()
    func ask(_ method: SIPMethod) -> Int {
      let request = OutgoingRequest(
        method, target: HostBench.serviceURI, from: "<\(HostBench.entity)>", to: "<\(HostBench.serviceURI)>",
        flow: bench.flow)
      let handle = bench.focusDoes { $0.request(request, now: $1, into: &$2) }
      for case .responded(handle, _, let message) in bench.events { return message.status }
      return 0
    }

    #expect(ask(.options) == 200)
    #expect(ask(.publish) == 405)
    #expect(ask(.message) == 405)
    bench.inject(Array("NONSENSE".utf8))
    bench.inject([])
    bench.inject(Array(repeating: 0, count: 70_000))
    #expect(ask(.options) == 200)
  }
}
