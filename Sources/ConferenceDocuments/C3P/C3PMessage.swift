//  C3PMessage.swift: a C3P body of either kind.

/// What an `application/cccp+xml` body holds.
public enum C3PMessage: Hashable, Sendable {
  case request(C3PRequest)
  case response(C3PResponse)

  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    throw .malformed
  }
}

extension C3PRequest {
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    throw .malformed
  }
  public func encoded() -> [UInt8] { [] }
}
extension C3PResponse {
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    throw .malformed
  }
  public func encoded() -> [UInt8] { [] }
}
