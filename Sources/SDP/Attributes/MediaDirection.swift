//  MediaDirection.swift: sendrecv, sendonly, recvonly, inactive (RFC 8866 §6.7, RFC 3264 §5.1).

/// Which way media flows, seen from whoever wrote the description.
public enum MediaDirection: String, CaseIterable, Hashable, Sendable {
  case sendrecv, sendonly, recvonly, inactive

  public init(sends: Bool, receives: Bool) {
    self = sends ? (receives ? .sendrecv : .sendonly) : (receives ? .recvonly : .inactive)
  }

  public var sends: Bool { self == .sendrecv || self == .sendonly }
  public var receives: Bool { self == .sendrecv || self == .recvonly }

  /// The same flow seen from the other side.
  public var mirrored: MediaDirection { MediaDirection(sends: receives, receives: sends) }

  /// What both allow.
  public func intersection(_ other: MediaDirection) -> MediaDirection {
    MediaDirection(sends: sends && other.sends, receives: receives && other.receives)
  }

  static func first(in attributes: [SDPAttribute]) -> MediaDirection? {
    for attribute in attributes {
      if let direction = MediaDirection(rawValue: attribute.name) { return direction }
    }
    return nil
  }
}
