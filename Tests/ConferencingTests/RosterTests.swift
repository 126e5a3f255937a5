//  RosterTests.swift: the order of changes, and what a watcher who knows so much is still owed.
import Conferencing
import Primitives
import Testing

/// What a watcher knows: kept up by changes only.
private struct Known: Equatable {
  var users: [String: RosterUser] = [:]
  var sequence: UInt64 = 0

  mutating func apply(_ roster: Roster) {
    guard let changes = roster.changes(since: sequence) else {
      users = Dictionary(uniqueKeysWithValues: roster.allUsers.map { ($0.entity, $0) })
      sequence = roster.sequence
      return
    }
    for user in changes.users { users[user.entity] = user }
    for entity in changes.deletedUsers { users[entity] = nil }
    sequence = roster.sequence
  }
}

@Suite("Roster")
struct RosterTests {
  @Test("changes applied in any rhythm make the whole roster", arguments: UInt64(1)...10)
  func changes(seed: UInt64) {
    var random = RandomSource(seed: seed)
    let name = conferenceName("room")
    var focus = Focus(name: name, entity: "sip:room@example.com", policy: FocusPolicy())
    let server = ConferencingServerID("mh1@factory")
    var watchers = [Known(), Known(), Known(), Known()]
    var outputs: [FocusOutput] = []
    var next: UInt64 = 1
    focus.handle(.join(ParticipantID(0), Joiner(userEntity: "sip:u0@example.com")), now: .zero, into: &outputs)
    focus.handle(.serverReady(server), now: .zero, into: &outputs)

    for _ in 0..<500 {
      switch Int.random(in: 0..<4, using: &random) {
      case 0, 1:
        let joiner = Joiner(userEntity: "sip:u\(Int.random(in: 1..<40, using: &random))@example.com")
        focus.handle(.join(ParticipantID(next), joiner), now: .zero, into: &outputs)
        focus.handle(.legAnswered(ParticipantID(next), media: []), now: .zero, into: &outputs)
        next += 1
      case 2:
        let gone = focus.participants.keys.sorted().filter { $0.number > 0 }.randomElement(using: &random)
        if let gone { focus.handle(.leave(gone, .departed), now: .zero, into: &outputs) }
      default:
        let changed = focus.participants.values.sorted { $0.id < $1.id }.randomElement(using: &random)
        if let changed {
          let statuses: [RosterEndpoint.Status] = [.connected, .onHold, .mutedViaFocus]
          let report = EndpointReport(
            endpointEntity: changed.endpointEntity, status: statuses.randomElement(using: &random))
          focus.handle(.reported(server, [report]), now: .zero, into: &outputs)
        }
      }
      outputs = []
      // The first watcher is told always, the last hardly ever.
      for index in watchers.indices where Int.random(in: 0..<(1 << (3 * index)), using: &random) == 0 {
        watchers[index].apply(focus.roster)
        let all = Dictionary(uniqueKeysWithValues: focus.roster.allUsers.map { ($0.entity, $0) })
        #expect(watchers[index].users == all, "seed \(seed)")
      }
    }
  }

  @Test("departures are kept up to their limit; one more and the oldest watcher needs everything")
  func tombstones() {
    let name = conferenceName("room")
    var focus = Focus(name: name, entity: "sip:room@example.com", policy: FocusPolicy())
    var outputs: [FocusOutput] = []
    focus.handle(.join(ParticipantID(0), Joiner(userEntity: "sip:u0@example.com")), now: .zero, into: &outputs)
    focus.handle(.serverReady(ConferencingServerID("mh1")), now: .zero, into: &outputs)
    func comeAndGo(_ number: UInt64) {
      let id = ParticipantID(number)
      focus.handle(.join(id, Joiner(userEntity: "sip:u\(number)@example.com")), now: .zero, into: &outputs)
      focus.handle(.legAnswered(id, media: []), now: .zero, into: &outputs)
      focus.handle(.leave(id, .departed), now: .zero, into: &outputs)
      outputs = []
    }

    for number in 1...UInt64(Limits.rosterTombstones) { comeAndGo(number) }
    #expect(focus.roster.changes(since: 0)?.deletedUsers.count == Limits.rosterTombstones)
    comeAndGo(UInt64(Limits.rosterTombstones) + 1)

    #expect(focus.roster.changes(since: 0) == nil)
    #expect(focus.roster.changes(since: focus.roster.sequence)?.isEmpty == true)
  }
}
