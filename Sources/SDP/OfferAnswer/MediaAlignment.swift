//  MediaAlignment.swift: a stranger's offer fitted into a session that already has `m=` lines (RFC 3264 §8).

/// For a back-to-back user agent whose far side was replaced: the new media host offers afresh, but the phone's
/// session has its own list of streams, which may never shrink or change places. `outward` fits the offer into
/// that list, `inward` picks the answer back apart.
public struct MediaAlignment: Hashable, Sendable {
  /// For each `m=` line towards the peer: which stream of the new offer it carries; `nil`: none, refused.
  public let slots: [Int?]
  private let previous: SessionDescription

  /// - Parameters:
  ///   - offer: the new side's offer.
  ///   - previous: what was last sent to the peer in this session, as offer or answer.
  public init(offer: SessionDescription, previous: SessionDescription) {
    var slots = [Int?](repeating: nil, count: previous.media.count)
    for (index, media) in offer.media.enumerated() {
      let free = slots.indices.filter { slots[$0] == nil && previous.media[$0].kind == media.kind }
      // A stream in use first, then one that had been refused, then a new line at the end.
      if let slot = free.first(where: { previous.media[$0].port != 0 }) ?? free.first {
        slots[slot] = index
      } else {
        slots.append(index)
      }
    }
    self.slots = slots
    self.previous = previous
  }

  /// The offer as the peer gets it: the session's own `o=` with the next version.
  public func outward(_ offer: SessionDescription) -> SessionDescription {
    var result = offer
    result.origin = previous.origin
    result.origin.version = String((UInt64(previous.origin.version) ?? 0) &+ 1)
    result.media = slots.enumerated().compactMap { position, index in
      if let index { return offer.media.indices.contains(index) ? offer.media[index] : nil }
      return previous.media[position].refused
    }
    return result
  }

  /// The peer's answer as the new side expects it.
  ///
  /// - Returns: `nil` when the answer has another number of streams than the offer it got.
  public func inward(_ answer: SessionDescription) -> SessionDescription? {
    guard answer.media.count == slots.count else { return nil }
    var result = answer
    let positions = slots.enumerated().compactMap { position, index in index.map { ($0, position) } }
    result.media = positions.sorted { $0.0 < $1.0 }.map { answer.media[$0.1] }
    return result
  }
}
