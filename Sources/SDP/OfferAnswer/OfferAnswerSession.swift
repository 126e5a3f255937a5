//  OfferAnswerSession.swift: the offers and answers of one dialog, in order (RFC 3264 §5–8).

import Primitives

/// One side's state over a dialog: the version of its `o=` line, payload types once given, the order of `m=`
/// lines, the last agreement. A value; the caller keeps it with the leg.
public struct OfferAnswerSession: Sendable {
  public var capabilities: AudioCapabilities
  /// Replace its keys or address before a re-offer to have them used; nothing else changes then.
  public var local: LocalAudio
  public let sessionID: UInt64
  /// What we last sent that counts: an answer, or an offer that was answered.
  public internal(set) var localDescription: SessionDescription?
  /// What the peer last sent that counts.
  public internal(set) var remoteDescription: SessionDescription?
  /// `nil` before the first agreement, and while the peer has removed its audio (port 0).
  public internal(set) var negotiated: NegotiatedAudio?
  /// Our offer that waits for its answer.
  public internal(set) var pendingOffer: SessionDescription?
  var version: UInt64 = 0

  public init(sessionID: UInt64, capabilities: AudioCapabilities, local: LocalAudio) {
    self.sessionID = sessionID
    self.capabilities = capabilities
    self.local = local
  }

  /// An answer of ours and what it means for media.
  public struct Agreement: Hashable, Sendable {
    public var description: SessionDescription
    /// `nil` when the peer's re-offer removes audio; an initial offer without usable audio is refused instead.
    public var audio: NegotiatedAudio?
  }

  /// Answers the peer's offer, first or later. The state changes only when it succeeds.
  public mutating func answer(_ offer: SessionDescription) throws(OfferRefusal) -> Agreement {
    throw OfferRefusal(.miscellaneous, "not yet")
  }

  /// Parses and answers.
  public mutating func answer(_ body: some Collection<UInt8>) throws(OfferRefusal) -> Agreement {
    let offer: SessionDescription
    do throws(SDPError) { offer = try SessionDescription(parsing: body) } catch { throw OfferRefusal(error) }
    return try answer(offer)
  }

  /// Our offer: the first one, or a later one that keeps payload types and the order of `m=` lines.
  public mutating func offer() -> SessionDescription {
    SessionDescription.withoutMedia(sessionID: sessionID, address: local.media)
  }

  /// Takes the peer's answer to `offer()`.
  public mutating func accept(_ answer: SessionDescription) throws(OfferRefusal) -> NegotiatedAudio? {
    throw OfferRefusal(.miscellaneous, "not yet")
  }

  /// Parses and takes the peer's answer.
  public mutating func accept(_ body: some Collection<UInt8>) throws(OfferRefusal) -> NegotiatedAudio? {
    let answer: SessionDescription
    do throws(SDPError) { answer = try SessionDescription(parsing: body) } catch { throw OfferRefusal(error) }
    return try accept(answer)
  }

  /// The peer refused our offer, or it was never answered: the last agreement stays (RFC 3264 §8).
  public mutating func withdrawOffer() { pendingOffer = nil }
}
