//  ConferenceInfo+Difference.swift: partial documents, made and merged (RFC 4575 §4.4–4.6).

extension ConferenceInfo {
  public static func difference(from old: ConferenceInfo, to new: ConferenceInfo) -> ConferenceInfo? { nil }
  public mutating func merge(_ document: ConferenceInfo) -> MergeOutcome { .refresh }
  public enum MergeOutcome: Hashable, Sendable {
    case merged
    case stale
    case refresh
    case ended
  }
}
