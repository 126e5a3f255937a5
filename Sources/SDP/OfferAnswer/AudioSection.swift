//  AudioSection.swift: our own audio `m=` section, as it is written in offers and answers.

import Primitives

/// What goes into one audio section of ours; the order of its lines is always the same, so that an unchanged
/// session gives unchanged bytes.
struct AudioSection {
  var transport: String
  var formats: [NegotiatedAudio.Format]
  var events: [(clockRate: UInt32, payloadType: UInt8)]
  var crypto: [CryptoAttribute]
  var packetMilliseconds: Int
  var direction: MediaDirection
  var rtcpMux: Bool
  var features = ControlFeatures()
  var audioLevelExtension: UInt8?

  func description(_ local: LocalAudio) -> MediaDescription {
    var attributes: [SDPAttribute] = []
    for format in formats {
      let channels: UInt8? = format.encoding == .opus ? 2 : nil  // always 2, whatever is sent (RFC 7587 §7)
      let map = RTPMap(
        payloadType: format.payloadType, encoding: format.encoding.name, clockRate: format.encoding.clockRate,
        channels: channels)
      attributes.append(SDPAttribute("rtpmap", map.value))
      if format.encoding == .opus, let text = format.opus.formatText {
        attributes.append(SDPAttribute("fmtp", "\(format.payloadType) \(text)"))
      }
    }
    for event in events {
      attributes.append(SDPAttribute("rtpmap", "\(event.payloadType) telephone-event/\(event.clockRate)"))
      attributes.append(SDPAttribute("fmtp", "\(event.payloadType) 0-15"))
    }
    attributes += crypto.map { SDPAttribute("crypto", $0.value) }
    attributes.append(SDPAttribute("ptime", "\(packetMilliseconds)"))
    attributes.append(SDPAttribute(direction.rawValue))
    if rtcpMux { attributes.append(SDPAttribute("rtcp-mux")) }
    attributes += features.attributes
    // RTCP goes to the next port unless a line says otherwise (RFC 3605).
    if !rtcpMux, local.control != local.media.with(port: local.media.port &+ 1) {
      let connection = local.control.sameHost(as: local.media) ? nil : ConnectionData(local.control)
      attributes.append(SDPAttribute("rtcp", RTCPAttribute(port: local.control.port, connection: connection).value))
    }
    if let audioLevelExtension {
      attributes.append(
        SDPAttribute("extmap", ExtensionMap(id: UInt16(audioLevelExtension), uri: ExtensionMap.audioLevel).value))
    }
    if let label = local.label { attributes.append(SDPAttribute("label", label)) }
    if let source = local.source { attributes.append(SDPAttribute("ssrc", "\(source.ssrc) cname:\(source.cname)")) }
    let payloadTypes = formats.map(\.payloadType) + events.map(\.payloadType)
    return MediaDescription(
      kind: "audio", port: local.media.port, transport: transport, formats: payloadTypes.map { String($0) },
      attributes: attributes)
  }
}
