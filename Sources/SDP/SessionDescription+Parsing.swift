//  SessionDescription+Parsing.swift: bytes to a session description (RFC 8866 §9).

extension SessionDescription {
  public init(parsing bytes: some Collection<UInt8>) throws(SDPError) {
    throw .badVersion
  }
  public func encoded() -> [UInt8] { [] }
}
extension MediaDescription {
  public var direction: MediaDirection? { MediaDirection.first(in: attributes) }
}
