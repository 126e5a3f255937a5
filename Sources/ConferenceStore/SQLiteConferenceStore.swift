//  SQLiteConferenceStore.swift: the embedded store: one SQLite file in WAL mode, through GRDB.

import Conferencing
import GRDB

public final class SQLiteConferenceStore: ConferenceStore {
  private let database: any DatabaseWriter

  /// - Parameter path: of the file, created when absent; `nil` keeps everything in memory and nothing afterwards.
  /// - Throws: when the file cannot be opened, is no database, or is of a newer version of Parley.
  public init(path: String?) throws {
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    // What is acknowledged is durable: WAL with a sync at each commit.
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    if let path {
      database = try DatabasePool(path: path, configuration: configuration)
    } else {
      database = try DatabaseQueue(configuration: configuration)
    }
    try Self.migrator.migrate(database)
  }

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: conferences and participations") { database in
      try database.execute(
        sql: """
          CREATE TABLE conference (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            entity TEXT NOT NULL,
            started INTEGER NOT NULL,
            ended INTEGER,
            cause TEXT,
            server TEXT
          );
          CREATE INDEX conference_open ON conference (name) WHERE ended IS NULL;
          CREATE INDEX conference_started ON conference (started);
          CREATE TABLE participation (
            id INTEGER PRIMARY KEY,
            conference INTEGER NOT NULL REFERENCES conference (id) ON DELETE CASCADE,
            participant TEXT NOT NULL,
            user TEXT NOT NULL,
            admitted INTEGER NOT NULL,
            joined INTEGER NOT NULL,
            departed INTEGER,
            cause TEXT
          );
          CREATE INDEX participation_conference ON participation (conference, participant);
          """)
    }
    return migrator
  }

  public func write(_ records: [DatedRecord]) throws {
    precondition(records.count <= ConferenceStoreLimits.recordsPerWrite)
    try database.write { database in
      for dated in records { try Self.write(dated, to: database) }
    }
  }

  private static func write(_ dated: DatedRecord, to database: Database) throws {
    let at = dated.microseconds
    switch dated.record {
    case .conferenceStarted(let name, let entity, _):
      try database.execute(
        sql: "INSERT INTO conference (name, entity, started) VALUES (?, ?, ?)", arguments: [name.text, entity, at])
    case .conferencePlaced(let name, let server, _):
      try database.execute(
        sql: "UPDATE conference SET server = ? WHERE name = ? AND ended IS NULL", arguments: [server.text, name.text])
    case .conferenceEnded(let name, let cause, _):
      try database.execute(
        sql: "UPDATE conference SET ended = ?, cause = ? WHERE name = ? AND ended IS NULL",
        arguments: [at, cause.rawValue, name.text])
    case .participantJoined(let name, let participant, let user, _):
      try insert(participant, user, admitted: true, joined: at, left: nil, cause: nil, into: name, database)
    case .participantLeft(let name, let participant, _, let cause, _):
      try database.execute(
        sql: """
          UPDATE participation SET departed = ?, cause = ?
          WHERE participant = ? AND departed IS NULL
            AND conference = (SELECT max(id) FROM conference WHERE name = ?)
          """,
        arguments: [at, cause.name, participant.description, name.text])
    case .participantRefused(let name, let participant, let user, let cause, _):
      try insert(participant, user, admitted: false, joined: at, left: at, cause: cause.name, into: name, database)
    }
  }

  private static func insert(
    _ participant: ParticipantID, _ user: String, admitted: Bool, joined: Int64, left: Int64?, cause: String?,
    into name: ConferenceName, _ database: Database
  ) throws {
    // A caller who is refused before a conference exists leaves no row: there is nothing that it would belong to.
    try database.execute(
      sql: """
        INSERT INTO participation (conference, participant, user, admitted, joined, departed, cause)
        SELECT id, ?, ?, ?, ?, ?, ? FROM conference WHERE name = ? AND ended IS NULL
        """,
      arguments: [participant.description, user, admitted, joined, left, cause, name.text])
  }

  public func closeAbandoned(at microseconds: Int64) throws -> Int {
    try database.write { database in
      try database.execute(
        sql: "UPDATE participation SET departed = ?, cause = 'front-end-restarted' WHERE departed IS NULL",
        arguments: [microseconds])
      try database.execute(
        sql: "UPDATE conference SET ended = ?, cause = 'front-end-restarted' WHERE ended IS NULL",
        arguments: [microseconds])
      return database.changesCount
    }
  }

  public func conferences(limit: Int) throws -> [StoredConference] {
    try database.read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT id, name, entity, started, ended, cause, server,
            (SELECT count(*) FROM participation WHERE conference = conference.id AND admitted) AS participants
          FROM conference ORDER BY started DESC, id DESC LIMIT ?
          """, arguments: [limit]
      ).map { row in
        StoredConference(
          id: row["id"], name: row["name"], entity: row["entity"], startedMicroseconds: row["started"],
          endedMicroseconds: row["ended"], cause: row["cause"], server: row["server"],
          participants: row["participants"])
      }
    }
  }

  public func participations(in conference: Int64) throws -> [StoredParticipation] {
    try database.read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM participation WHERE conference = ? ORDER BY joined, id", arguments: [conference]
      ).map { row in
        StoredParticipation(
          participant: row["participant"], user: row["user"], joinedMicroseconds: row["joined"],
          leftMicroseconds: row["departed"], cause: row["cause"], admitted: row["admitted"])
      }
    }
  }
}
