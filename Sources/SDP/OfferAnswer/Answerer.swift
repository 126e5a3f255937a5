//  Answerer.swift: their offer, our answer (RFC 3264 §6).

import Primitives

/// Answers offers as a pure function. `OfferAnswerSession` adds what a dialog remembers.
public enum Answerer {
  /// The answer and what it means for media.
  public struct Agreement: Hashable, Sendable {
    public var description: SessionDescription
    /// `nil` only when the offer's audio is all switched off (port 0) and that was allowed.
    public var audio: NegotiatedAudio?
  }

  /// Accepts one audio stream and refuses all other streams of the offer with port 0.
  ///
  /// Of several usable audio streams the one in use is kept, else the first encrypted one is taken, else the
  /// first. Formats keep the offerer's order and payload types.
  ///
  /// - Parameters:
  ///   - current: the `m=` line that carries audio now, in a re-offer.
  ///   - mayLackAudio: whether an offer without audio is answered (a re-offer that ends audio) or refused.
  /// - Throws: the reason of the first audio stream, or that there is none.
  public static func answer(
    _ offer: SessionDescription, capabilities: AudioCapabilities, local: LocalAudio, origin: SessionOrigin,
    current: Int? = nil, mayLackAudio: Bool = false
  ) throws(OfferRefusal) -> Agreement {
    let candidates = offer.media.indices.filter { offer.media[$0].kind == "audio" && offer.media[$0].port != 0 }
    var refusal: OfferRefusal?
    var chosen: (section: AudioSection, audio: NegotiatedAudio)?
    for index in candidates {
      do throws(OfferRefusal) {
        let accepted = try accept(index, of: offer, capabilities: capabilities, local: local)
        if index == current {
          chosen = accepted
          break
        }
        if chosen == nil || (chosen?.audio.security == .plain && accepted.audio.security != .plain) {
          chosen = accepted
        }
      } catch {
        refusal = refusal ?? error
      }
    }
    if chosen == nil, let refusal { throw refusal }
    if chosen == nil, !mayLackAudio {
      throw OfferRefusal(.mediaTypeNotAvailable, "this conference needs an audio stream")
    }
    var answer = SessionDescription(origin: origin, connection: ConnectionData(local.media))
    if let times = offer.timeLines.first(where: { $0.letter == "t" }) { answer.timeLines = [times] }
    answer.media = offer.media.map(\.refused)
    if let chosen { answer.media[chosen.audio.mediaIndex] = chosen.section.description(local) }
    return Agreement(description: answer, audio: chosen?.audio)
  }

  private static func accept(
    _ index: Int, of offer: SessionDescription, capabilities: AudioCapabilities, local: LocalAudio
  ) throws(OfferRefusal) -> (section: AudioSection, audio: NegotiatedAudio) {
    let peer = try PeerAudio(offer.media[index], in: offer, local: local.media)
    let common = peer.formats.filter { capabilities.encodings.contains($0.encoding) }
    guard let first = common.first else {
      let names = capabilities.encodings.map(\.name).joined(separator: ", ")
      throw OfferRefusal(.incompatibleMediaFormat, "no common audio codec, supported: \(names)")
    }
    let (crypto, security) = try secure(peer, capabilities, local)
    let direction = peer.direction.mirrored.intersection(local.direction)
    let packetMilliseconds = peer.packetMilliseconds(preferred: capabilities.packetMilliseconds)
    let events = capabilities.telephoneEvents ? peer.events : []
    let mux = peer.rtcpMux && capabilities.rtcpMux
    let level = capabilities.audioLevelExtension ? peer.audioLevelExtension : nil
    let ours = common.map { format in
      NegotiatedAudio.Format(
        encoding: format.encoding, payloadType: format.payloadType,
        opus: format.encoding == .opus ? capabilities.opus : OpusParameters())
    }
    let section = AudioSection(
      transport: offer.media[index].transport, formats: ours, events: events, crypto: crypto,
      packetMilliseconds: packetMilliseconds, direction: direction, rtcpMux: mux, features: peer.features,
      audioLevelExtension: level)
    let audio = NegotiatedAudio(
      mediaIndex: index, remoteMedia: peer.media, remoteControl: mux ? peer.media : peer.control, rtcpMux: mux,
      controlFeatures: peer.features, security: security, receive: ours, send: first, sendable: common,
      packetMilliseconds: packetMilliseconds,
      telephoneEvents: events.map {
        .init(clockRate: $0.clockRate, receivePayloadType: $0.payloadType, sendPayloadType: $0.payloadType)
      }, audioLevelExtension: level, direction: direction, remoteLabel: peer.label)
    return (section, audio)
  }

  private static func secure(
    _ peer: PeerAudio, _ capabilities: AudioCapabilities, _ local: LocalAudio
  ) throws(OfferRefusal) -> ([CryptoAttribute], NegotiatedAudio.Security) {
    if let (tag, security) = peer.crypto(capabilities.suites, keys: local.keys),
      case .sdes(let suite, let send, _, _) = security
    {
      return ([CryptoAttribute(tag: tag, suite: suite, keyAndSalt: send)], security)
    }
    if peer.profile == .secure {
      let names = capabilities.suites.map(\.name).joined(separator: ", ")
      throw OfferRefusal(.attributeNotUnderstood, "no usable a=crypto, supported: \(names)")
    }
    guard capabilities.allowsPlainRTP else {
      throw OfferRefusal(.incompatibleTransportProtocol, "media must be encrypted, offer RTP/SAVP with a=crypto")
    }
    return ([], .plain)
  }
}
