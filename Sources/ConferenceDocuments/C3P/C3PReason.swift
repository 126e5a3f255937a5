//  C3PReason.swift: why a command failed.

/// The `reason` of a failure: one of the known words, or any other text.
public struct C3PReason: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
  public var rawValue: String

  public init(rawValue: String) { self.rawValue = rawValue }
  public init(stringLiteral value: String) { rawValue = value }

  public static let conferenceDoesNotExist: C3PReason = "conferenceDoesNotExist"
  public static let conferenceExists: C3PReason = "conferenceExists"
  public static let conferenceLocked: C3PReason = "conferenceLocked"
  public static let endpointDoesNotExist: C3PReason = "endpointDoesNotExist"
  public static let forbidden: C3PReason = "forbidden"
  public static let invalidRole: C3PReason = "invalidRole"
  public static let invalidUserEntity: C3PReason = "invalidUserEntity"
  public static let invalidVersion: C3PReason = "invalidVersion"
  public static let maximumMeetingSizeExceeded: C3PReason = "maximumMeetingSizeExceeded"
  public static let mcuTypeNotAvailable: C3PReason = "mcuTypeNotAvailable"
  public static let mediaDoesNotExist: C3PReason = "mediaDoesNotExist"
  public static let mediaNotSupported: C3PReason = "mediaNotSupported"
  public static let notSupported: C3PReason = "notSupported"
  public static let unauthorized: C3PReason = "unauthorized"
  public static let userDoesNotExist: C3PReason = "userDoesNotExist"
  public static let otherFailure: C3PReason = "otherFailure"
}
