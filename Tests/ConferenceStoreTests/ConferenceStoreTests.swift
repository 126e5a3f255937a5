//  ConferenceStoreTests.swift: the contract of a store, held against each implementation.

import ConferenceStore
import Conferencing
import Foundation
import Primitives
import Synchronization
import Testing

@Suite("Conference store")
struct ConferenceStoreTests {
  /// A store on a file that can be opened again.
  private func withStore(_ body: (_ reopen: () throws -> any ConferenceStore) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("store-\(UUID().uuidString).sqlite").path
    defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
    try body { try SQLiteConferenceStore(path: path) }
  }

  private let name = ConferenceName(user: "demo")

  private func records(_ list: [ConferenceRecord]) -> [DatedRecord] {
    list.enumerated().map { DatedRecord($1, microseconds: Int64($0 + 1)) }
  }

  @Test("a meeting's life is read back as it was written, after reopening")
  func life() throws {
    let name = try #require(name)
    try withStore { open in
      var store = try open()
      try store.write(
        records([
          .conferenceStarted(name, entity: "sip:demo@example.com", at: .zero),
          .conferencePlaced(name, server: ConferencingServerID("mh1"), at: .zero),
          .participantJoined(name, ParticipantID(1), user: "sip:bo@example.com", at: .zero),
          .participantRefused(name, ParticipantID(2), user: "sip:eve@example.com", cause: .cancelled, at: .zero),
          .participantLeft(name, ParticipantID(1), user: "sip:bo@example.com", cause: .departed, at: .zero),
          .conferenceEnded(name, cause: .deserted, at: .zero),
        ]))
      store = try open()

      let conference = try #require(try store.conferences(limit: 10).first)
      let participations = try store.participations(in: conference.id)

      #expect(conference.name == "demo")
      #expect(conference.server == "mh1")
      #expect(conference.startedMicroseconds == 1)
      #expect(conference.endedMicroseconds == 6)
      #expect(conference.cause == "deserted")
      #expect(conference.participants == 1)
      #expect(participations.map(\.user) == ["sip:bo@example.com", "sip:eve@example.com"])
      #expect(participations.map(\.admitted) == [true, false])
      #expect(participations.map(\.cause) == ["departed", "cancelled"])
      #expect(participations.map(\.leftMicroseconds) == [5, 4])
    }
  }

  @Test("a name used twice is two conferences")
  func twice() throws {
    let name = try #require(name)
    try withStore { open in
      let store = try open()
      for _ in 1...2 {
        try store.write(
          records([
            .conferenceStarted(name, entity: "sip:demo@example.com", at: .zero),
            .participantJoined(name, ParticipantID(1), user: "sip:bo@example.com", at: .zero),
            .conferenceEnded(name, cause: .deserted, at: .zero),
          ]))
      }

      #expect(try store.conferences(limit: 10).map(\.participants) == [1, 1])
      #expect(try store.conferences(limit: 1).count == 1)
    }
  }

  @Test("what a dead front end left open is closed at the next start, once")
  func abandoned() throws {
    let name = try #require(name)
    try withStore { open in
      try open().write(
        records([
          .conferenceStarted(name, entity: "sip:demo@example.com", at: .zero),
          .participantJoined(name, ParticipantID(1), user: "sip:bo@example.com", at: .zero),
        ]))
      let store = try open()

      #expect(try store.closeAbandoned(at: 99) == 1)
      #expect(try store.closeAbandoned(at: 100) == 0)

      let conference = try #require(try store.conferences(limit: 1).first)
      #expect(conference.cause == "front-end-restarted")
      #expect(try store.participations(in: conference.id).map(\.leftMicroseconds) == [99])
    }
  }

  @Test("a file that is no database is refused")
  func garbage() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("garbage-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(repeating: 7, count: 8_192).write(to: URL(fileURLWithPath: path))

    #expect(throws: (any Error).self) { try SQLiteConferenceStore(path: path) }
  }
}

@Suite("Conference recorder")
struct ConferenceRecorderTests {
  /// Fails as often as it is told to, then keeps what it is given.
  private final class FlakyStore: ConferenceStore {
    let state: Mutex<(failures: Int, kept: [DatedRecord])>
    init(failures: Int) { state = Mutex((failures, [])) }
    struct Full: Error {}

    func write(_ records: [DatedRecord]) throws {
      try state.withLock { state in
        if state.failures > 0 {
          state.failures -= 1
          throw Full()
        }
        state.kept += records
      }
    }
    func closeAbandoned(at microseconds: Int64) throws -> Int { 0 }
    func conferences(limit: Int) throws -> [StoredConference] { [] }
    func participations(in conference: Int64) throws -> [StoredParticipation] { [] }
  }

  private func record(_ number: Int) throws -> DatedRecord {
    let name = try #require(ConferenceName(user: "demo"))
    return DatedRecord(
      .participantJoined(name, ParticipantID(UInt64(number)), user: "sip:a@b", at: .zero), microseconds: Int64(number))
  }

  @Test("everything arrives once, in order, also after failures of the store")
  func order() throws {
    let store = FlakyStore(failures: 3)
    let failures = Mutex(0)
    let recorder = ConferenceRecorder(store: store) { _ in failures.withLock { $0 += 1 } }
    let sent = try (1...2_500).map(record)

    for record in sent { recorder.record(record) }
    for _ in 1...4 { recorder.flush() }

    #expect(store.state.withLock { $0.kept } == sent)
    #expect(failures.withLock { $0 } == 3)
    #expect(recorder.lost == 0)
  }

  @Test("when the store stays away the oldest are lost, and counted")
  func bounded() throws {
    let store = FlakyStore(failures: .max)
    let recorder = ConferenceRecorder(store: store) { _ in }
    let one = try record(1)

    for _ in 0...ConferenceStoreLimits.recordsWaiting { recorder.record(one) }

    #expect(recorder.lost == UInt64(ConferenceStoreLimits.recordsPerWrite))
  }
}
