//  OfferAnswerSession.swift: the offers and answers of one dialog, in order (RFC 3264 §5–8).

import Primitives

/// One side's state over a dialog: the version of its `o=` line, payload types once given, the order of `m=`
/// lines, the last agreement. A value; the caller keeps it with the leg.
public struct OfferAnswerSession: Sendable {
  public var capabilities: AudioCapabilities
  /// Replace its keys, address or direction before a re-offer to have them used.
  public var local: LocalAudio
  public let sessionID: UInt64
  /// What we last sent that counts: an answer, or an offer that was answered.
  public private(set) var localDescription: SessionDescription?
  /// What the peer last sent that counts.
  public private(set) var remoteDescription: SessionDescription?
  /// `nil` before the first agreement, and while the peer has removed its audio (port 0).
  public private(set) var negotiated: NegotiatedAudio?
  /// Our offer that waits for its answer.
  public private(set) var pendingOffer: SessionDescription?
  /// What we last sent, whether it came to count or not: `version` tells its editions apart.
  private var lastSent: SessionDescription?
  private var version: UInt64 = 0
  private var payloadTypes = PayloadTypes()

  public typealias Agreement = Answerer.Agreement

  public init(sessionID: UInt64, capabilities: AudioCapabilities, local: LocalAudio) {
    self.sessionID = sessionID
    self.capabilities = capabilities
    self.local = local
  }

  /// Answers the peer's offer, first or later. The state changes only when it succeeds.
  ///
  /// - Throws: 488 with a warning. An offer that crosses ours is glare, which SIP settles (491), not SDP.
  public mutating func answer(_ offer: SessionDescription) throws(OfferRefusal) -> Agreement {
    var agreement = try Answerer.answer(
      offer, capabilities: capabilities, local: local, origin: origin, current: negotiated?.mediaIndex,
      mayLackAudio: localDescription != nil)
    stamp(&agreement.description)
    localDescription = agreement.description
    remoteDescription = offer
    negotiated = agreement.audio
    payloadTypes.note(offer)
    if let audio = agreement.audio { payloadTypes.note(audio) }
    return agreement
  }

  /// Parses and answers.
  ///
  /// - Throws: 400 for a body that is not a session description; else as above.
  public mutating func answer(_ body: some Collection<UInt8>) throws(OfferRefusal) -> Agreement {
    try answer(try Self.parse(body))
  }

  /// Our offer: the first one, or a later one that keeps payload types and the order of `m=` lines. It waits as
  /// `pendingOffer` until `accept` or `withdrawOffer`.
  ///
  /// - Returns: `nil` when the capabilities leave nothing to offer: no encoding, or neither keys nor leave to do
  ///   without.
  public mutating func offer() -> SessionDescription? {
    guard
      var offer = Offerer.offer(
        capabilities: capabilities, local: local, origin: origin, payloadTypes: &payloadTypes,
        previous: localDescription, audio: negotiated)
    else { return nil }
    stamp(&offer)
    payloadTypes.note(offer)
    pendingOffer = offer
    return offer
  }

  /// Takes the peer's answer to `offer()`. The state changes only when it succeeds.
  ///
  /// - Returns: `nil` when the peer refuses audio.
  /// - Throws: when it does not fit, or no offer is waiting.
  public mutating func accept(_ answer: SessionDescription) throws(OfferRefusal) -> NegotiatedAudio? {
    guard let offer = pendingOffer else { throw OfferRefusal(.miscellaneous, "an answer without an offer") }
    let audio = try Offerer.accept(answer, to: offer, capabilities: capabilities, local: local)
    pendingOffer = nil
    localDescription = offer
    remoteDescription = answer
    negotiated = audio
    payloadTypes.note(answer)
    if let audio { payloadTypes.note(audio) }
    return audio
  }

  /// Parses and takes the peer's answer.
  public mutating func accept(_ body: some Collection<UInt8>) throws(OfferRefusal) -> NegotiatedAudio? {
    try accept(try Self.parse(body))
  }

  /// The peer refused our offer, or never answered it: the last agreement stays (RFC 3264 §8).
  public mutating func withdrawOffer() { pendingOffer = nil }

  private var origin: SessionOrigin {
    SessionOrigin(sessionID: sessionID, version: version, address: local.media)
  }

  /// Gives the description the version of the last one sent when they are equal, else the next (RFC 3264 §8).
  private mutating func stamp(_ description: inout SessionDescription) {
    description.origin.version = String(version)
    if description != lastSent {
      version &+= 1
      description.origin.version = String(version)
    }
    lastSent = description
  }

  private static func parse(_ body: some Collection<UInt8>) throws(OfferRefusal) -> SessionDescription {
    do throws(SDPError) { return try SessionDescription(parsing: body) } catch { throw OfferRefusal(error) }
  }
}
