//  AVConferencingServer+Inspection.swift: what an operator may look up: which leg is whose call, in which meeting, on which worker.

import Media
import MediaTransport
import Primitives

/// One participant's call as the operator's tools show it. Contains names: not for logs.
public struct LegDescription: Hashable, Sendable {
  public var leg: LegID
  public var meeting: MeetingID
  /// The conference's URI.
  public var conference: String
  public var worker: Int
  public var callID: String
  /// URI of the participant, and which of his endpoints it is.
  public var user: String
  public var endpoint: String
  public var codec: AudioCodec?
  /// `nil` for plain RTP and before negotiation.
  public var suite: SRTPSuite?
  /// Its dialog is up and its worker has it.
  public var isOpen: Bool
}

public struct MeetingDescription: Hashable, Sendable {
  public var meeting: MeetingID
  public var conference: String
  /// Those that have parts of it, its home first.
  public var workers: [Int]
  public var legs: [LegID]
}

extension AVConferencingServer {
  /// - Returns: `nil` when there is no such leg any more.
  public func description(of id: LegID) -> LegDescription? {
    guard let leg = legs[id] else { return nil }
    let configuration = leg.negotiation.configuration
    return LegDescription(
      leg: id, meeting: leg.meeting, conference: meetings[leg.meeting]?.entity ?? "", worker: leg.worker,
      callID: leg.callID, user: leg.key.user, endpoint: leg.key.endpoint, codec: configuration?.send.codec,
      suite: configuration?.suite, isOpen: leg.state == .open)
  }

  /// All legs, by number.
  public var legDescriptions: [LegDescription] {
    legs.keys.sorted { $0.rawValue < $1.rawValue }.compactMap { description(of: $0) }
  }

  /// All meetings, by number.
  public var meetingDescriptions: [MeetingDescription] {
    meetings.values.sorted { $0.id.rawValue < $1.id.rawValue }.map { meeting in
      MeetingDescription(
        meeting: meeting.id, conference: meeting.entity, workers: meeting.workers,
        legs: meeting.legs.sorted { $0.rawValue < $1.rawValue })
    }
  }
}
