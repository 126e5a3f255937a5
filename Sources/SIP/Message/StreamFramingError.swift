//  StreamFramingError.swift: why a stream cannot be read on (RFC 3261 §18.3).

/// Why a connection cannot be read on. The place of the next message is lost, so every case is final.
public enum StreamFramingError: Error, Hashable, Sendable {
  /// No empty line within `SIPLimits.messageBytes`.
  case headTooLarge
  /// More bytes given than `SIPLimits.streamBufferBytes` before `next` took them.
  case overflow
  case missingContentLength(head: [UInt8])
  /// Malformed, or several that differ.
  case badContentLength(head: [UInt8])
  /// Content-Length makes the message larger than `SIPLimits.messageBytes`.
  case messageTooLarge(head: [UInt8])

  /// The start line and header fields of the offender. Given to `UserAgent.receive` they make it answer 400 or 413
  /// before the connection is closed.
  public var head: [UInt8]? {
    switch self {
    case .headTooLarge, .overflow: nil
    case .missingContentLength(let head), .badContentLength(let head), .messageTooLarge(let head): head
    }
  }
}
