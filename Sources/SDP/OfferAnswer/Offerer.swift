//  Offerer.swift: our offer, and what the peer's answer makes of it (RFC 3264 §5, §7).

import Primitives

/// Makes offers and reads their answers as pure functions. `OfferAnswerSession` adds what a dialog remembers.
public enum Offerer {
  /// A first offer: one audio stream.
  ///
  /// Encrypted (`RTP/SAVP`) when there is a suite with a key, else plain if that is allowed.
  ///
  /// - Returns: `nil` when the capabilities leave nothing to offer.
  public static func offer(
    capabilities: AudioCapabilities, local: LocalAudio, origin: SessionOrigin
  ) -> SessionDescription? {
    var payloadTypes = PayloadTypes()
    return offer(
      capabilities: capabilities, local: local, origin: origin, payloadTypes: &payloadTypes, previous: nil, audio: nil)
  }

  /// A later offer: the `m=` lines of `previous` in their order, all but the audio refused.
  static func offer(
    capabilities: AudioCapabilities, local: LocalAudio, origin: SessionOrigin, payloadTypes: inout PayloadTypes,
    previous: SessionDescription?, audio: NegotiatedAudio?
  ) -> SessionDescription? {
    let index = audio?.mediaIndex ?? previous?.media.firstIndex { $0.kind == "audio" }
    let before = index.flatMap { index in previous.flatMap { $0.media.indices.contains(index) ? $0.media[index] : nil }
    }
    let lines = audio?.security == .plain ? [] : cryptoLines(capabilities, local)
    guard !lines.isEmpty || capabilities.allowsPlainRTP else { return nil }
    var formats: [NegotiatedAudio.Format] = []
    // What is in use comes first, so that a refresh does not switch the codec.
    var encodings = capabilities.encodings
    if let current = audio?.send.encoding, let at = encodings.firstIndex(of: current) {
      encodings.insert(encodings.remove(at: at), at: 0)
    }
    for encoding in encodings {
      guard let payloadType = payloadTypes.payloadType(encoding) else { continue }
      let opus = encoding == .opus ? capabilities.opus : OpusParameters()
      formats.append(.init(encoding: encoding, payloadType: payloadType, opus: opus))
    }
    guard !formats.isEmpty else { return nil }
    var events: [(clockRate: UInt32, payloadType: UInt8)] = []
    for clockRate: UInt32 in [8_000, 48_000] where capabilities.telephoneEvents {
      guard encodings.contains(where: { $0.clockRate == clockRate }),
        let payloadType = payloadTypes.payloadType(telephoneEvent: clockRate)
      else { continue }
      events.append((clockRate, payloadType))
    }
    let section = AudioSection(
      transport: before.map(\.transport).flatMap { fits($0, encrypted: !lines.isEmpty) ? $0 : nil }
        ?? (lines.isEmpty ? "RTP/AVP" : "RTP/SAVP"),
      formats: formats, events: events, crypto: lines,
      packetMilliseconds: audio?.packetMilliseconds ?? capabilities.packetMilliseconds, direction: local.direction,
      rtcpMux: capabilities.rtcpMux,
      audioLevelExtension: capabilities.audioLevelExtension ? audio?.audioLevelExtension ?? 1 : nil)
    var offer = SessionDescription(origin: origin, connection: ConnectionData(local.media))
    offer.media = previous?.media.map(\.refused) ?? []
    if let index, offer.media.indices.contains(index) {
      offer.media[index] = section.description(local)
    } else {
      offer.media.append(section.description(local))
    }
    return offer
  }

  /// Reads the answer to an offer of ours.
  ///
  /// - Returns: `nil` when the peer refuses audio (port 0).
  /// - Throws: when the answer does not fit the offer; the call cannot go on then (RFC 3264 gives no second try).
  public static func accept(
    _ answer: SessionDescription, to offer: SessionDescription, capabilities: AudioCapabilities, local: LocalAudio
  ) throws(OfferRefusal) -> NegotiatedAudio? {
    guard answer.media.count == offer.media.count else {
      throw OfferRefusal(.miscellaneous, "the answer has another number of streams than the offer")
    }
    guard let index = offer.media.firstIndex(where: { $0.kind == "audio" && $0.port != 0 }) else { return nil }
    let ours = offer.media[index]
    let theirs = answer.media[index]
    guard theirs.kind == "audio" else {
      throw OfferRefusal(.miscellaneous, "the answer has its streams in another order than the offer")
    }
    if theirs.port == 0 { return nil }
    let peer = try PeerAudio(theirs, in: answer, local: local.media, fallback: ours)
    // Our own offer, read as if it were a peer's: what we can receive, under which numbers.
    let own = try PeerAudio(ours, in: offer, local: local.media)
    let common = peer.formats.filter { format in own.formats.contains { $0.encoding == format.encoding } }
    guard let first = common.first else {
      throw OfferRefusal(.incompatibleMediaFormat, "the answer has none of the offered codecs")
    }
    let receive = common.compactMap { format in own.formats.first { $0.encoding == format.encoding } }
    let events = peer.events.compactMap { event in
      own.events.first { $0.clockRate == event.clockRate }
        .map {
          NegotiatedAudio.TelephoneEvent(
            clockRate: event.clockRate, receivePayloadType: $0.payloadType, sendPayloadType: event.payloadType)
        }
    }
    let mux = own.rtcpMux && peer.rtcpMux
    let level = own.audioLevelExtension.flatMap { $0 == peer.audioLevelExtension ? $0 : nil }
    return NegotiatedAudio(
      mediaIndex: index, remoteMedia: peer.media, remoteControl: mux ? peer.media : peer.control, rtcpMux: mux,
      controlFeatures: own.features.intersection(peer.features), security: try security(peer, own, local),
      receive: receive, send: first, sendable: common,
      packetMilliseconds: peer.packetMilliseconds(preferred: capabilities.packetMilliseconds),
      telephoneEvents: events, audioLevelExtension: level,
      direction: peer.direction.mirrored.intersection(session(own.direction, local)), remoteLabel: peer.label)
  }

  /// Our side of the direction: as offered, though an address of 0.0.0.0 in our offer says nothing about us.
  private static func session(_ offered: MediaDirection, _ local: LocalAudio) -> MediaDirection {
    local.media.isUnspecified ? MediaDirection(sends: offered.sends, receives: true) : offered
  }

  private static func security(
    _ peer: PeerAudio, _ own: PeerAudio, _ local: LocalAudio
  ) throws(OfferRefusal) -> NegotiatedAudio.Security {
    guard !own.cryptoLines.isEmpty else { return .plain }
    // The answer names the accepted line by tag, and its suite (RFC 4568 §5.1.2).
    for line in peer.cryptoLines {
      guard let (suite, key) = line.usableKey,
        let offered = own.cryptoLines.first(where: { $0.tag == line.tag && $0.suite == suite }),
        let send = offered.keys.first?.keyAndSalt
      else { continue }
      return .sdes(suite: suite, send: send, receive: key.keyAndSalt, receiveMKI: key.mki)
    }
    throw OfferRefusal(.attributeNotUnderstood, "the answer has no a=crypto that fits the offer")
  }

  private static func cryptoLines(_ capabilities: AudioCapabilities, _ local: LocalAudio) -> [CryptoAttribute] {
    var lines: [CryptoAttribute] = []
    for suite in capabilities.suites {
      guard let key = local.keys[suite], key.count == suite.keyAndSaltCount else { continue }
      lines.append(CryptoAttribute(tag: UInt32(lines.count + 1), suite: suite, keyAndSalt: key))
    }
    return lines
  }

  private static func fits(_ transport: String, encrypted: Bool) -> Bool {
    switch MediaProfile(transport) {
    case .plain: true
    case .secure: encrypted
    case .dtls, .other: false
    }
  }
}
