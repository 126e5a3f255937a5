//  LegNegotiation.swift: one leg's offers and answers, turned into what its worker needs (RFC 3264, RFC 4568).

import Media
import MediaTransport
import Primitives
import SDP

/// One leg's side of offer/answer, with the identity and the keys that it keeps for life.
///
/// A key for each accepted suite is drawn when the leg is made; only the one that is agreed on is ever told or used.
/// SSRC, CNAME and first sequence number stay over re-negotiations, so that the peer sees one source.
public struct LegNegotiation: Sendable {
  public let leg: LegID
  public let meeting: MeetingID
  public let label: String
  private let mediaTimeout: Interval
  private let opus: OpusPreferences
  private let ssrc: UInt32
  private let initialSequence: UInt16
  private let initialTimestamp: UInt32
  private let cname: String
  private var session: OfferAnswerSession
  /// What was last agreed on; `nil` before.
  public private(set) var configuration: LegConfiguration?

  /// - Parameter label: `a=label` of our stream and `media/label` of the roster (RFC 4574).
  public init(
    leg: LegID, meeting: MeetingID, worker: WorkerEndpoint, label: String,
    configuration: AVConferencingConfiguration, capabilities: AudioCapabilities, random: inout RandomSource
  ) {
    self.leg = leg
    self.meeting = meeting
    self.label = label
    mediaTimeout = configuration.mediaTimeout
    opus = configuration.opus
    ssrc = random.nextWord()
    // The upper half is left free, so that the first wrap is not within a replay window of the start (RFC 3711 §3.3.1).
    initialSequence = UInt16(truncatingIfNeeded: random.nextWord()) & 0x7fff
    initialTimestamp = random.nextWord()
    cname = random.token(20)
    var keys: [CryptoSuite: [UInt8]] = [:]
    for suite in capabilities.suites { keys[suite] = random.bytes(suite.keyAndSaltCount) }
    var local = LocalAudio(media: worker.media, control: worker.control, keys: keys, label: label)
    local.source = (ssrc: ssrc, cname: cname)
    session = OfferAnswerSession(sessionID: random.next() >> 2, capabilities: capabilities, local: local)
  }

  /// What this host can do, for all legs alike.
  public static func capabilities(of configuration: AVConferencingConfiguration) -> AudioCapabilities {
    var capabilities = AudioCapabilities()
    capabilities.encodings = configuration.codecs.map(AudioEncoding.init)
    capabilities.suites = configuration.suites.sorted { $0.strength > $1.strength }.map(CryptoSuite.init)
    capabilities.allowsPlainRTP = configuration.allowPlainRTP
    return capabilities
  }

  /// Answers the peer's offer, the first or a later one. Nothing changes when it throws.
  ///
  /// - Returns: our answer; `configuration` is what it means.
  public mutating func answer(_ offer: ArraySlice<UInt8>) throws(AVConferencingError) -> [UInt8] {
    var next = session
    let agreement: OfferAnswerSession.Agreement
    do throws(OfferRefusal) { agreement = try next.answer(offer) } catch { throw Self.error(error) }
    try adopt(agreement.audio)
    session = next
    return agreement.description.encoded()
  }

  /// Our offer, first or later; it waits for `accept`.
  public mutating func offer() throws(AVConferencingError) -> [UInt8] {
    guard let offer = session.offer() else {
      throw .mediaNotSupported(warning: 305, text: "this host is configured to offer nothing")
    }
    return offer.encoded()
  }

  /// Takes the peer's answer to `offer()`.
  public mutating func accept(_ answer: ArraySlice<UInt8>) throws(AVConferencingError) {
    var next = session
    let audio: NegotiatedAudio?
    do throws(OfferRefusal) { audio = try next.accept(answer) } catch { throw Self.error(error) }
    try adopt(audio)
    session = next
  }

  public mutating func withdrawOffer() { session.withdrawOffer() }

  private mutating func adopt(_ audio: NegotiatedAudio?) throws(AVConferencingError) {
    guard let audio else {
      // The peer took its audio away (port 0): the leg stays, silent both ways (RFC 3264 §8.2).
      guard var held = configuration else { throw .mediaNotSupported(warning: 304, text: "no audio stream") }
      held.sends = false
      held.receives = false
      configuration = held
      return
    }
    let security: LegSecurity
    switch audio.security {
    case .plain: security = .plain
    case .sdes(let suite, let send, let receive, let mki):
      let srtp = SRTPSuite(suite)
      guard let sendKey = SRTPMasterKey(suite: srtp, keyAndSalt: send),
        let receiveKey = SRTPMasterKey(suite: srtp, keyAndSalt: receive, mki: mki)
      else { throw .mediaNotSupported(warning: 306, text: "crypto key of the wrong length") }
      security = .srtp(send: sendKey, receive: receiveKey)
    }
    var agreed = LegConfiguration(
      leg: leg, meeting: meeting, remoteMedia: audio.remoteMedia, remoteControl: audio.remoteControl,
      rtcpMux: audio.rtcpMux, security: security, receive: audio.receive.prefix(8).map(format),
      send: format(audio.send), packetMilliseconds: audio.packetMilliseconds,
      telephoneEvents: audio.telephoneEvents.prefix(2).map {
        TelephoneEventFormat(payloadType: $0.receivePayloadType, clockRate: Int32($0.clockRate))
      },
      audioLevelExtension: audio.audioLevelExtension, sends: audio.direction.sends, receives: audio.direction.receives,
      ssrc: ssrc, initialSequence: initialSequence, initialTimestamp: initialTimestamp, cname: cname,
      mediaTimeout: mediaTimeout)
    agreed.rtcpFeedback = audio.controlFeatures.feedback
    agreed.rtcpReducedSize = audio.controlFeatures.reducedSize
    agreed.rtcpExtendedReports = audio.controlFeatures.receiverRoundTrip || audio.controlFeatures.voipMetrics
    configuration = agreed
  }

  private func format(_ negotiated: NegotiatedAudio.Format) -> AudioFormat {
    var format = AudioFormat(codec: AudioCodec(negotiated.encoding), payloadType: negotiated.payloadType)
    guard format.codec == .opus else { return format }
    let wish = negotiated.opus
    format.opus = opus
    if let rate = wish.maximumAverageBitRate {
      format.opus.bitRate = Int32(min(max(rate, 6_000), 510_000))
      format.opus.acceptedBitRate = format.opus.bitRate
    }
    format.opus.maximumPlaybackRate = Int32(min(max(wish.maximumPlaybackRate, 8_000), 48_000))
    format.opus.inBandFEC = wish.inBandFEC
    format.opus.dtx = wish.dtx
    format.opus.constantBitRate = wish.constantBitRate
    format.opus.stereo = wish.stereo
    return format
  }

  private static func error(_ refusal: OfferRefusal) -> AVConferencingError {
    refusal.status == 400
      ? .badBody(refusal.text) : .mediaNotSupported(warning: refusal.code.rawValue, text: refusal.text)
  }
}

extension LegConfiguration {
  /// `nil` for plain RTP.
  var suite: SRTPSuite? {
    switch security {
    case .plain: nil
    case .srtp(let send, _): send.suite
    }
  }
}

extension AudioEncoding {
  init(_ codec: AudioCodec) {
    switch codec {
    case .opus: self = .opus
    case .g722: self = .g722
    case .pcmu: self = .pcmu
    case .pcma: self = .pcma
    }
  }
}

extension AudioCodec {
  init(_ encoding: AudioEncoding) {
    switch encoding {
    case .opus: self = .opus
    case .g722: self = .g722
    case .pcmu: self = .pcmu
    case .pcma: self = .pcma
    }
  }
}

extension CryptoSuite {
  init(_ suite: SRTPSuite) {
    switch suite {
    case .aes128CMSHA1Tag80: self = .aes128CMSHA1Tag80
    case .aes128CMSHA1Tag32: self = .aes128CMSHA1Tag32
    case .aeadAES128GCM: self = .aeadAES128GCM
    case .aeadAES256GCM: self = .aeadAES256GCM
    }
  }
}

extension SRTPSuite {
  init(_ suite: CryptoSuite) {
    switch suite {
    case .aes128CMSHA1Tag80: self = .aes128CMSHA1Tag80
    case .aes128CMSHA1Tag32: self = .aes128CMSHA1Tag32
    case .aeadAES128GCM: self = .aeadAES128GCM
    case .aeadAES256GCM: self = .aeadAES256GCM
    }
  }
}
