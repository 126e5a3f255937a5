//  MeetingPartsTests.swift: a meeting too large for one worker gets parts on others, and is still one meeting.

import AVConferencing
import ConferenceDocuments
import Media
import Primitives
import SIP
import Testing

@Suite("Meetings on several workers")
struct MeetingPartsTests {
  /// What one worker knows after the commands it got: open meetings, their phase, peers, and legs.
  struct WorkerView: Equatable {
    var phase: [MeetingID: Int?] = [:]
    var parts: [MeetingID: MeetingParts] = [:]
    var legs: [LegID: MeetingID] = [:]

    mutating func obey(_ command: MediaCommand) {
      switch command {
      case .openMeeting(let id, let phase):
        #expect(self.phase[id] == nil, "opened twice")
        self.phase[id] = phase
      case .linkMeeting(let id, let parts):
        #expect(phase[id] != nil, "linked before it is open")
        self.parts[id] = parts
      case .closeMeeting(let id):
        #expect(phase[id] != nil, "closed twice")
        phase[id] = nil
        parts[id] = nil
        legs = legs.filter { $0.value != id }
      case .openLeg(let leg):
        #expect(phase[leg.meeting] != nil, "a leg in no meeting")
        legs[leg.leg] = leg.meeting
      case .closeLeg(let leg): legs[leg] = nil
      default: break
      }
    }
  }

  final class Views {
    var views: [WorkerView]
    init(_ count: Int) { views = Array(repeating: WorkerView(), count: count) }

    func look(_ bench: inout HostBench) {
      for (worker, command) in bench.commands { views[worker].obey(command) }
      bench.commands = []
    }

    /// All parts of a meeting know of each other, tick together, and one reports.
    func check(_ id: MeetingID) {
      let workers = views.indices.filter { views[$0].phase[id] != nil }
      #expect(Set(workers.map { views[$0].phase[id] }).count <= 1)
      guard workers.count > 1 || workers.contains(where: { views[$0].parts[id] != nil }) else { return }
      for worker in workers {
        #expect(Set(views[worker].parts[id]?.peers ?? []) == Set(workers).subtracting([worker]))
      }
      #expect(workers.count { views[$0].parts[id]?.reportsTalkers == true } == 1)
    }
  }

  private func busy(_ worker: Int, _ share: Double) -> MediaEvent {
    var report = WorkerReport()
    report.worker = worker
    report.busy = share
    return .report(report)
  }

  @Test(
    "beyond the number of legs that one worker should have, a part is opened on the next; it closes with its last leg")
  func byCount() throws {
    var bench = HostBench(workers: 3) { $0.splitLegs = 3 }
    let views = Views(3)
    let control = try bench.addConference()
    let phones = (0..<8).map { bench.join(control, "p\($0)") }
    let meeting = try #require(bench.latestLeg?.meeting)
    views.look(&bench)
    views.check(meeting)

    #expect(views.views.map(\.legs.count) == [3, 3, 2])
    #expect(phones.allSatisfy { $0.answer != nil })
    // Each is told the port of the worker that it is on.
    for (index, phone) in phones.enumerated() {
      let answer = try #require(phone.answer)
      let type = try #require(answer.first(.contentType))
      let sdp = try #require(try Multipart.body(ofType: "application/sdp", in: answer.body, contentType: type))
      #expect(String(decoding: sdp, as: UTF8.self).contains("m=audio \(20_000 + 2 * (index / 3)) "))
    }
    for phone in phones[6...] { bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) } }
    views.look(&bench)
    views.check(meeting)
    #expect(views.views[2].phase[meeting] == nil)
    for phone in phones[3..<6] { bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) } }
    views.look(&bench)
    views.check(meeting)
    #expect(views.views[0].parts[meeting] == MeetingParts(peers: [], reportsTalkers: true))
    for phone in phones[..<3] { bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) } }
    views.look(&bench)
    #expect(views.views[0].phase[meeting] != nil)
    #expect(bench.host.counts.legs == 0)
  }

  @Test("when the home measures a load above the limit, new legs go elsewhere until it has recovered")
  func byLoad() throws {
    var bench = HostBench(workers: 2) { $0.smallestSplit = 1 }
    let views = Views(2)
    let control = try bench.addConference()
    _ = bench.join(control, "a")
    bench.report(busy(0, 0.7), worker: 0)
    _ = bench.join(control, "b")
    bench.report(busy(0, 0.3), worker: 0)
    _ = bench.join(control, "c")
    views.look(&bench)
    views.check(try #require(bench.latestLeg?.meeting ?? views.views[0].legs.values.first))

    #expect(views.views.map(\.legs.count) == [2, 1])
  }

  @Test("who is heard is told by the home alone; legs of all parts are muted and ended on their own workers")
  func events() throws {
    var bench = HostBench(workers: 2) { $0.splitLegs = 1 }
    let control = try bench.addConference()
    _ = bench.join(control, "a")
    let first = try #require(bench.latestLeg)
    let second = bench.join(control, "b")
    let leg = try #require(bench.latestLeg)
    _ = bench.subscribe(control.uri)
    bench.run(.seconds(2))
    _ = try bench.documents()
    bench.commands = []

    bench.report(.activeTalkers(first.meeting, [first.leg]), worker: 1)
    bench.run(.seconds(2))
    #expect(try bench.documents().isEmpty)
    bench.report(.activeTalkers(first.meeting, [leg.leg, first.leg]), worker: 0)
    bench.run(.seconds(2))
    #expect(try bench.documents().last?.views.first?.entityState?.activeSpeaker == "b-1")
    bench.report(.legSilent(leg.leg), worker: 0)
    bench.run(.seconds(1))
    #expect(try bench.documents().isEmpty, "the leg is on the other worker")
    bench.report(.legSilent(leg.leg), worker: 1)
    bench.run(.seconds(1))
    #expect(try !bench.documents().isEmpty)
    bench.focusDoes { $0.hangUp(second.call, now: $1, into: &$2) }
    let ended = bench.commands.map { ($0.worker, $0.command.legID, $0.command.isCloseMeeting) }
    #expect(ended.contains { $0 == (1, leg.leg, false) })
    #expect(ended.last?.0 == 1 && ended.last?.2 == true)
  }

  @Test("deleting the conference ends all of its parts")
  func deleted() throws {
    var bench = HostBench(workers: 3) { $0.splitLegs = 1 }
    let views = Views(3)
    let control = try bench.addConference()
    for name in ["a", "b", "c", "d"] { _ = bench.join(control, name) }
    views.look(&bench)
    #expect(views.views.allSatisfy { !$0.phase.isEmpty })

    bench.focusDoes { $0.hangUp(control.call, now: $1, into: &$2) }
    views.look(&bench)

    #expect(views.views.allSatisfy { $0 == WorkerView() })
    #expect(bench.host.counts.legs == 0 && bench.host.counts.meetings == 0)
  }

  @Test("a worker that refuses the first leg of a part: the part closes, the caller is refused")
  func refused() throws {
    var bench = HostBench(workers: 2) { $0.splitLegs = 1 }
    let views = Views(2)
    let control = try bench.addConference()
    _ = bench.join(control, "a")
    bench.workerObeys = false
    let phone = bench.join(control, "b")
    let leg = try #require(bench.latestLeg)
    bench.report(.legRefused(leg.leg, reason: .tooManyLegs), worker: 1)
    views.look(&bench)
    views.check(leg.meeting)

    #expect(bench.takeRefusal(of: phone.call)?.status == 503)
    #expect(views.views[1].phase.isEmpty)
    #expect(bench.host.counts.legs == 1)
  }

  @Test(
    "any history of joins, leaves and loads: parts know each other, tick together, and nothing is left",
    arguments: 1...5)
  func histories(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed))
    var bench = HostBench(workers: 4, seed: UInt64(seed)) {
      $0.splitLegs = 3
      $0.smallestSplit = 2
    }
    let views = Views(4)
    let entities = ["sip:one@example.com", "sip:two@example.com"]
    let controls = try entities.map { entity in try bench.addConference(entity: entity) }
    var phones: [HostBench.Phone] = []
    for step in 0..<150 {
      switch Int.random(in: 0..<5, using: &random) {
      case 0, 1:
        let which = Int.random(in: 0..<2, using: &random)
        let phone = bench.join(controls[which], "u\(step)", entity: entities[which])
        if phone.answer != nil { phones.append(phone) }
      case 2, 3:
        guard !phones.isEmpty else { continue }
        let phone = phones.remove(at: Int.random(in: 0..<phones.count, using: &random))
        bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) }
      default:
        let worker = Int.random(in: 0..<4, using: &random)
        bench.report(busy(worker, Bool.random(using: &random) ? 0.1 : 0.8), worker: worker)
      }
      bench.run(.milliseconds(200))
      views.look(&bench)
      for meeting in Set(views.views.flatMap(\.phase.keys)) { views.check(meeting) }
      #expect(views.views.reduce(0) { $0 + $1.legs.count } == phones.count)
    }

    for control in controls { bench.focusDoes { $0.hangUp(control.call, now: $1, into: &$2) } }
    views.look(&bench)
    #expect(views.views.allSatisfy { $0 == WorkerView() })
    #expect(bench.host.counts.legs == 0)
  }
}
