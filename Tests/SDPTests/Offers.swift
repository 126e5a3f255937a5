//  Offers.swift: offers as phones write them, and our side of the calls.

import Primitives
import SDP

enum Offers {
  static let key30 = Base64.encode((0..<30).map { UInt8($0) })
  static let key28 = Base64.encode((0..<28).map { UInt8($0 + 100) })
  static let key44 = Base64.encode((0..<44).map { UInt8($0 + 50) })

  /// In the manner of baresip 1.0: one crypto line, every codec, RTCP on the next port but multiplexing offered.
  static let baresip = """
    v=0
    o=- 3218005377 3218005378 IN IP4 10.77.0.2
    s=-
    c=IN IP4 10.77.0.2
    t=0 0
    a=tool:baresip 1.0.0
    m=audio 31028 RTP/SAVP 96 9 0 8 101
    b=AS:128
    a=rtpmap:96 opus/48000/2
    a=fmtp:96 stereo=1;sprop-stereo=1;maxaveragebitrate=28000
    a=rtpmap:9 G722/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=rtcp:31029
    a=rtcp-mux
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key30)
    a=ssrc:3456 cname:sip:bo@10.77.0.2
    a=label:1
    a=sendrecv
    a=ptime:20
    m=video 0 RTP/SAVP 97
    a=rtpmap:97 VP8/90000

    """

  /// In the manner of Linphone: several suites, AVPF, feedback lines, video, both event clocks, lines end in LF.
  static let linphone = """
    v=0
    o=cy 2310 1844 IN IP4 198.51.100.9
    s=Talk
    c=IN IP4 198.51.100.9
    b=AS:380
    t=0 0
    a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
    a=group:BUNDLE as vs
    m=audio 7078 RTP/SAVPF 96 97 98 0 8 101 99 100
    c=IN IP4 198.51.100.10
    a=rtpmap:96 opus/48000/2
    a=fmtp:96 useinbandfec=1
    a=rtpmap:97 speex/16000
    a=fmtp:97 vbr=on
    a=rtpmap:98 speex/8000
    a=rtpmap:101 telephone-event/48000
    a=rtpmap:99 telephone-event/16000
    a=rtpmap:100 telephone-event/8000
    a=mid:as
    a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
    a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key30)
    a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:\(key30)
    a=crypto:3 AES_CM_256_HMAC_SHA1_80 inline:\(Base64.encode(Array(repeating: 1, count: 46)))
    a=crypto:4 AEAD_AES_128_GCM inline:\(key28)|2^31|1:4
    a=rtcp:7080 IN IP4 198.51.100.11
    a=rtcp-fb:* trr-int 5000
    a=rtcp-fb:* ccm tmmbr
    m=video 9078 RTP/SAVPF 96
    a=mid:vs
    a=rtpmap:96 VP8/90000

    """

  /// One audio stream with the given `m=` protocol, formats and attribute lines.
  static func audio(
    _ lines: String..., transport: String = "RTP/SAVP", formats: String = "0", connection: String = "IN IP4 192.0.2.7",
    port: Int = 4000
  ) -> String {
    var text =
      "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=\(connection)\r\nt=0 0\r\nm=audio \(port) \(transport) \(formats)\r\n"
    if transport.contains("SAVP") && !lines.contains(where: { $0.hasPrefix("crypto") || $0 == "no crypto" }) {
      text += "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(key30)\r\n"
    }
    for line in lines where line != "no crypto" { text += "a=\(line)\r\n" }
    return text
  }

  static func parse(_ text: String) throws(SDPError) -> SessionDescription {
    try SessionDescription(parsing: text.utf8)
  }

  /// Our keys: recognisable by suite.
  static let keys: [CryptoSuite: [UInt8]] = [
    .aes128CMSHA1Tag32: Array(repeating: 32, count: 30), .aes128CMSHA1Tag80: Array(repeating: 80, count: 30),
    .aeadAES128GCM: Array(repeating: 128, count: 28), .aeadAES256GCM: Array(repeating: 255, count: 44),
  ]

  static let local = LocalAudio(media: SocketAddress(ipv4: 0xc000_0201, port: 40_000), keys: keys)
  static let plain: AudioCapabilities = {
    var capabilities = AudioCapabilities()
    capabilities.allowsPlainRTP = true
    return capabilities
  }()

  static func session(_ capabilities: AudioCapabilities = AudioCapabilities()) -> OfferAnswerSession {
    OfferAnswerSession(sessionID: 77, capabilities: capabilities, local: local)
  }
}

/// Whether an answer is one to the offer at all (RFC 3264 §6): same streams, same order, formats out of the offered.
func matches(_ answer: SessionDescription, _ offer: SessionDescription) -> Bool {
  answer.media.count == offer.media.count
    && zip(answer.media, offer.media).allSatisfy { ours, theirs in
      ours.kind == theirs.kind && ours.transport == theirs.transport && !ours.formats.isEmpty
        && Set(ours.formats).isSubset(of: theirs.formats)
        && Set(ours.formats).count == (ours.port == 0 ? Set(theirs.formats).count : ours.formats.count)
        && (theirs.port != 0 || ours.port == 0)
    }
}
