//  ConferenceStore.swift: what outlives the front end: which conferences ran, who was in them, and why they left.

import Conferencing
import Primitives

/// A durable store of conferences. One contract, whatever the database behind it.
public protocol ConferenceStore: Sendable {
  /// Writes all of `records` or none of them; durable when it returns.
  /// - Parameter records: in the order in which they happened; at most `ConferenceStoreLimits.recordsPerWrite`.
  func write(_ records: [DatedRecord]) throws

  /// Ends what a front end that is gone left open. Called once at start.
  /// - Returns: how many conferences were still open.
  func closeAbandoned(at microseconds: Int64) throws -> Int

  /// The most recent conferences, newest first.
  func conferences(limit: Int) throws -> [StoredConference]
  /// Everybody who called into one conference, in order of arrival.
  func participations(in conference: Int64) throws -> [StoredParticipation]
}

public enum ConferenceStoreLimits {
  public static let recordsPerWrite = 1_000
  /// Records that wait for the database; when it is gone for longer, the oldest are lost and counted.
  public static let recordsWaiting = 100_000
}

/// A record with the calendar time at which it happened.
public struct DatedRecord: Hashable, Sendable {
  public var record: ConferenceRecord
  /// Since 1970, UTC.
  public var microseconds: Int64

  public init(_ record: ConferenceRecord, microseconds: Int64) {
    self.record = record
    self.microseconds = microseconds
  }
}

/// One run of a conference, from its first caller to its end.
public struct StoredConference: Hashable, Sendable {
  public var id: Int64
  public var name: String
  public var entity: String
  public var startedMicroseconds: Int64
  public var endedMicroseconds: Int64?
  public var cause: String?
  public var server: String?
  /// Callers who got in.
  public var participants: Int
}

/// One stay of one caller in a conference; a refused call has `joinedMicroseconds == leftMicroseconds`.
public struct StoredParticipation: Hashable, Sendable {
  public var participant: String
  public var user: String
  public var joinedMicroseconds: Int64
  public var leftMicroseconds: Int64?
  public var cause: String?
  public var admitted: Bool
}

extension ConferenceRecord {
  /// When it happened, on the clock of the core that says so.
  public var at: Instant {
    switch self {
    case .conferenceStarted(_, _, let at), .conferencePlaced(_, _, let at), .conferenceEnded(_, _, let at),
      .participantJoined(_, _, _, let at), .participantLeft(_, _, _, _, let at),
      .participantRefused(_, _, _, _, let at):
      at
    }
  }
}
