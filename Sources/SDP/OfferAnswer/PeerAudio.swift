//  PeerAudio.swift: what the peer's description says about one audio stream, before it is compared with ours.

import Primitives

/// One audio `m=` section of the peer, checked and understood, or refused with the reason.
struct PeerAudio {
  var profile: MediaProfile
  var media: SocketAddress
  /// Of RTCP when it is not multiplexed.
  var control: SocketAddress
  var rtcpMux: Bool
  var features: ControlFeatures
  /// The encodings Parley knows, in the peer's order, each once.
  var formats: [NegotiatedAudio.Format] = []
  /// Clock rate and payload type, each clock rate once.
  var events: [(clockRate: UInt32, payloadType: UInt8)] = []
  /// Seen from the peer; a peer that holds with 0.0.0.0 does not receive.
  var direction: MediaDirection
  var packetTime: Int?
  var maximumPacketTime: Int?
  var cryptoLines: [CryptoAttribute]
  var audioLevelExtension: UInt8?
  var label: String?

  /// - Parameters:
  ///   - local: our own address; the peer's must be of the same family.
  ///   - fallback: what payload types mean when the peer does not say; our offer, when this is the answer to it.
  init(
    _ media: MediaDescription, in session: SessionDescription, local: SocketAddress, fallback: MediaDescription? = nil
  ) throws(OfferRefusal) {
    profile = MediaProfile(media.transport)
    switch profile {
    case .plain, .secure: break
    case .dtls:
      throw OfferRefusal(.incompatibleTransportProtocol, "DTLS-SRTP is not available, offer RTP/SAVP with a=crypto")
    case .other:
      throw OfferRefusal(.incompatibleTransportProtocol, "audio needs RTP/AVP or RTP/SAVP")
    }
    guard let connection = session.connection(of: media) else {
      throw OfferRefusal(status: 400, .miscellaneous, "no c= line for audio")
    }
    let address = try Self.address(connection, port: media.port, local: local)
    self.media = address
    rtcpMux = media.hasRTCPMux
    features = ControlFeatures(media, in: session)
    control = Self.control(media, address)
    let direction = session.direction(of: media)
    self.direction = MediaDirection(
      sends: direction.sends, receives: direction.receives && !address.isUnspecified)
    packetTime = media.packetTime ?? session.attributes.value("ptime").flatMap { Int(digits: $0) }
    maximumPacketTime = media.maximumPacketTime
    cryptoLines = media.cryptoLines
    label = media.label
    readFormats(media, fallback)
    // Session-level mappings hold for every stream (RFC 8285 §5).
    let maps = media.extensionMaps + session.attributes.values("extmap").compactMap { ExtensionMap($0) }
    audioLevelExtension =
      maps.first { $0.uri == ExtensionMap.audioLevel && (1...14).contains($0.id) && $0.direction != .inactive }
      .map { UInt8(truncatingIfNeeded: $0.id) }
  }

  private mutating func readFormats(_ media: MediaDescription, _ fallback: MediaDescription?) {
    for payloadType in media.payloadTypes {
      guard let map = media.rtpMap(payloadType) ?? fallback?.rtpMap(payloadType) else { continue }
      let name = map.encoding.lowercased()
      if name == "telephone-event" {
        if map.clockRate == 8_000 || map.clockRate == 48_000, !events.contains(where: { $0.clockRate == map.clockRate })
        {
          events.append((map.clockRate, payloadType))
        }
        continue
      }
      guard let encoding = AudioEncoding(rawValue: name), map.clockRate == encoding.clockRate,
        encoding == .opus || (map.channels ?? 1) == 1, !formats.contains(where: { $0.encoding == encoding })
      else { continue }
      var format = NegotiatedAudio.Format(encoding: encoding, payloadType: payloadType)
      if encoding == .opus, let parameters = media.formatParameters(payloadType) {
        format.opus = OpusParameters(parameters)
      }
      formats.append(format)
    }
  }

  private static func address(
    _ connection: ConnectionData, port: UInt16, local: SocketAddress
  ) throws(OfferRefusal) -> SocketAddress {
    guard connection.networkType == "IN" else {
      throw OfferRefusal(.incompatibleNetworkProtocol, "only network type IN is supported")
    }
    guard let address = connection.socketAddress(port: port) else {
      throw OfferRefusal(.incompatibleNetworkAddressFormat, "c= needs a numeric address of its stated type")
    }
    if connection.isMulticast { throw OfferRefusal(.multicastNotAvailable, "multicast is not available") }
    guard address.isUnspecified || address.isIPv4 == local.isIPv4 else {
      throw OfferRefusal(
        .incompatibleNetworkAddressFormat, "only \(local.isIPv4 ? "IPv4" : "IPv6") is available for media")
    }
    return address
  }

  /// RFC 3605, else the next port up. An address there that cannot be used is as good as none.
  private static func control(_ media: MediaDescription, _ address: SocketAddress) -> SocketAddress {
    guard let rtcp = media.rtcp else {
      return address.with(port: address.port == .max ? 0 : address.port &+ 1)
    }
    guard let connection = rtcp.connection, !connection.isMulticast,
      let control = connection.socketAddress(port: rtcp.port), control.isIPv4 == address.isIPv4
    else { return address.with(port: rtcp.port) }
    return control
  }

  /// The strongest suite, in our order, that the peer keys usably and we have a key for.
  func crypto(_ suites: [CryptoSuite], keys: [CryptoSuite: [UInt8]]) -> (tag: UInt32, NegotiatedAudio.Security)? {
    let usable = cryptoLines.compactMap { line in line.usableKey.map { (line.tag, $0.suite, $0.key) } }
    for suite in suites {
      guard let own = keys[suite], own.count == suite.keyAndSaltCount,
        let (tag, _, key) = usable.first(where: { $0.1 == suite })
      else { continue }
      return (tag, .sdes(suite: suite, send: own, receive: key.keyAndSalt, receiveMKI: key.mki))
    }
    return nil
  }

  /// How long our packets are: what the peer likes, else what we like, as far as both can; 10, 20, 40 or 60.
  func packetMilliseconds(preferred: Int) -> Int {
    let wanted = min(packetTime ?? preferred, maximumPacketTime ?? 60)
    return [60, 40, 20].first { $0 <= wanted } ?? 10
  }
}
