//  Identifiers.swift: the names by which the cores of this module speak of participants and media hosts.

/// One participant's stay in one conference: a phone's call from its INVITE to its end. Unique within a front end's
/// life and never used again, so that a late event cannot reach a later caller.
public struct ParticipantID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let number: UInt64

  public init(_ number: UInt64) { self.number = number }

  public var description: String { "p\(number)" }
  public static func < (left: ParticipantID, right: ParticipantID) -> Bool { left.number < right.number }
}

/// A registered conferencing server (a media host): its `+sip.instance`, or its address of record without one.
public struct ConferencingServerID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }

  public var description: String { text }
  public static func < (left: ConferencingServerID, right: ConferencingServerID) -> Bool { left.text < right.text }
}

/// A kind of conferencing server.
public enum ConferencingServerType: String, Hashable, Sendable, CaseIterable {
  case audioVideo = "audio-video"
  case chat
  case meeting
  case telephony = "phone-conf"
  case applicationSharing = "applicationsharing"
}
