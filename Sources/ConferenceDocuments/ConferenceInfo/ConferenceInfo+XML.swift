//  ConferenceInfo+XML.swift: conference-info, read and written.

extension ConferenceInfo {
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    throw .malformed
  }
  public func encoded() -> [UInt8] { [] }
}
