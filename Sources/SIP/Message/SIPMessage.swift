//  SIPMessage.swift: one request or response (RFC 3261 §7).
public struct SIPMessage: Sendable {
  public init(parsing bytes: [UInt8]) throws(SIPParseError) { throw .empty }
}
