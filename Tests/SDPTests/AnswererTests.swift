//  AnswererTests.swift: answers to offers, and refusals with their warnings (RFC 3264 §6, RFC 3261 §20.43).

import Primitives
import SDP
import Testing

private func answer(
  _ text: String, _ capabilities: AudioCapabilities = AudioCapabilities(), local: LocalAudio = Offers.local
) throws -> (SessionDescription, NegotiatedAudio) {
  let offer = try Offers.parse(text)
  let origin = SessionOrigin(sessionID: 1, version: 1, address: local.media)
  let agreement = try Answerer.answer(offer, capabilities: capabilities, local: local, origin: origin)
  #expect(matches(agreement.description, offer))
  #expect(try SessionDescription(parsing: agreement.description.encoded()) == agreement.description)
  return (agreement.description, try #require(agreement.audio))
}

@Suite("Answering offers (RFC 3264 §6)")
struct AnswererTests {
  @Test("baresip: SAVP, one suite, multiplexed RTCP")
  func baresip() throws {
    let (description, audio) = try answer(Offers.baresip)

    #expect(audio.remoteMedia.description == "10.77.0.2:31028")
    #expect(audio.remoteControl == audio.remoteMedia)
    #expect(audio.rtcpMux)
    #expect(audio.send.encoding == .opus)
    #expect(audio.send.payloadType == 96)
    #expect(audio.send.opus.maximumAverageBitRate == 28_000)
    #expect(audio.send.opus.stereo)
    #expect(audio.receive.map(\.encoding) == [.opus, .g722, .pcmu, .pcma])
    #expect(audio.receive.map(\.payloadType) == [96, 9, 0, 8])
    #expect(audio.telephoneEvents == [.init(clockRate: 8_000, receivePayloadType: 101, sendPayloadType: 101)])
    #expect(
      audio.security
        == .sdes(
          suite: .aes128CMSHA1Tag80, send: Array(repeating: 80, count: 30), receive: (0..<30).map { UInt8($0) },
          receiveMKI: []))
    #expect(audio.direction == .sendrecv)
    #expect(audio.packetMilliseconds == 20)
    #expect(audio.remoteLabel == "1")
    #expect(description.media[0].cryptoLines.map(\.tag) == [1])
    #expect(description.media[0].formatParameters(96)?.text == "useinbandfec=1")
    #expect(description.media[1].port == 0)
    #expect(description.origin.address == "192.0.2.1")
  }

  @Test("what the offer wants of RTCP: session-level rtcp-xr, AVPF, rtcp-rsize; answered as far as we do it")
  func controlFeatures() throws {
    let (description, audio) = try answer(Offers.linphone)
    #expect(audio.controlFeatures.feedback && !audio.controlFeatures.reducedSize)
    #expect(audio.controlFeatures.receiverRoundTrip && audio.controlFeatures.voipMetrics)
    #expect(description.media[0].attributes.values("rtcp-xr") == ["rcvr-rtt=all voip-metrics"])
    #expect(!description.media[0].attributes.has("rtcp-rsize"))

    let (plain, none) = try answer(Offers.baresip)
    #expect(none.controlFeatures == ControlFeatures())
    #expect(plain.media[0].attributes.values("rtcp-xr").isEmpty)

    let (reduced, agreed) = try answer(
      Offers.baresip.replacing("a=rtcp-mux", with: "a=rtcp-mux\na=rtcp-rsize\na=rtcp-xr:pkt-loss-rle=9"))
    #expect(agreed.controlFeatures.reducedSize && !agreed.controlFeatures.voipMetrics)
    #expect(reduced.media[0].attributes.has("rtcp-rsize"))
    #expect(reduced.media[0].attributes.values("rtcp-xr").isEmpty)
  }

  @Test("Linphone: SAVPF, the strongest common suite by its tag, RTCP elsewhere, events of both clocks, audio level")
  func linphone() throws {
    let (description, audio) = try answer(Offers.linphone)

    #expect(audio.remoteMedia.description == "198.51.100.10:7078")
    #expect(audio.remoteControl.description == "198.51.100.11:7080")
    #expect(!audio.rtcpMux)
    #expect(audio.receive.map(\.encoding) == [.opus, .pcmu, .pcma])
    #expect(audio.telephoneEvents.map(\.clockRate) == [48_000, 8_000])
    #expect(audio.audioLevelExtension == 2)
    guard case .sdes(let suite, let send, _, let mki) = audio.security else {
      Issue.record("not encrypted")
      return
    }
    #expect(suite == .aeadAES128GCM)
    #expect(send == Array(repeating: 128, count: 28))
    #expect(mki == [0, 0, 0, 1])
    #expect(description.media[0].cryptoLines.first?.tag == 4)
    #expect(description.media[0].transport == "RTP/SAVPF")
    #expect(!description.media[0].hasRTCPMux)
    #expect(description.media[0].rtcp == nil)  // the next port, which needs no line
    #expect(description.media[1].port == 0)
    #expect(!description.attributes.has("group"))
  }

  @Test("RTP/AVP with a crypto line is taken as SRTP and keeps its name")
  func optionalSRTP() throws {
    let text = Offers.audio("crypto:7 AES_CM_128_HMAC_SHA1_32 inline:\(Offers.key30)", transport: "RTP/AVP")

    for capabilities in [AudioCapabilities(), Offers.plain] {
      let (description, audio) = try answer(text, capabilities)
      #expect(audio.security != .plain)
      #expect(description.media[0].transport == "RTP/AVP")
      #expect(description.media[0].cryptoLines.map(\.tag) == [7])
    }
  }

  @Test("plain RTP only where policy allows it; static payload types need no rtpmap")
  func plain() throws {
    let (description, audio) = try answer(Offers.audio(transport: "RTP/AVP", formats: "9 8 0 18"), Offers.plain)

    #expect(audio.security == .plain)
    #expect(audio.receive.map(\.encoding) == [.g722, .pcma, .pcmu])
    #expect(description.media[0].cryptoLines.isEmpty)
    #expect(description.media[0].formats == ["9", "8", "0"])
  }

  @Test("of several audio streams the encrypted one is taken, the others are refused")
  func several() throws {
    let text =
      Offers.audio(transport: "RTP/AVP") + "m=image 5 udptl t38\r\nm=audio 6000 RTP/SAVP 8\r\n"
      + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)\r\nm=audio 0 RTP/SAVP 0\r\n"

    let (description, audio) = try answer(text, Offers.plain)

    #expect(audio.mediaIndex == 2)
    #expect(description.media.map { $0.port != 0 } == [false, false, true, false])
    #expect(description.media[1].formats == ["t38"])
    let (_, first) = try answer(Offers.audio() + "m=audio 6000 RTP/AVP 8\r\n", Offers.plain)
    #expect(first.mediaIndex == 0)
  }

  @Test(
    "directions mirror, and hold of both kinds is answered",
    arguments: [
      ("sendrecv", "192.0.2.7", MediaDirection.sendrecv), ("sendonly", "192.0.2.7", .recvonly),
      ("recvonly", "192.0.2.7", .sendonly), ("inactive", "192.0.2.7", .inactive), ("sendrecv", "0.0.0.0", .recvonly),
      ("sendonly", "0.0.0.0", .recvonly), ("recvonly", "0.0.0.0", .inactive), ("inactive", "0.0.0.0", .inactive),
    ])
  func directions(_ offered: String, _ address: String, _ expected: MediaDirection) throws {
    let (description, audio) = try answer(Offers.audio(offered, connection: "IN IP4 \(address)"))

    #expect(audio.direction == expected)
    #expect(description.media[0].direction == expected)
    var local = Offers.local
    local.direction = .sendonly
    #expect(
      try answer(Offers.audio(offered, connection: "IN IP4 \(address)"), local: local).1.direction
        == expected.intersection(.sendonly))
  }

  @Test("the session's direction counts when the stream has none")
  func sessionDirection() throws {
    let text = Offers.audio().replacing("t=0 0\r\n", with: "t=0 0\r\na=sendonly\r\n")

    #expect(try answer(text).1.direction == .recvonly)
  }

  @Test("packet length: the peer's wish within both sides' means")
  func packetLength() throws {
    for (lines, expected) in [
      ([], 20), (["ptime:20"], 20), (["ptime:10"], 10), (["ptime:30"], 20), (["ptime:40"], 40), (["ptime:60"], 60),
      (["ptime:100"], 60), (["ptime:5"], 10), (["ptime:60", "maxptime:40"], 40), (["maxptime:10"], 10),
      (["maxptime:200"], 20),
      (["ptime:0"], 20), (["ptime:99999999999999999999"], 20), (["ptime:-20"], 20), (["ptime:x"], 20),
    ] {
      let text = Offers.audio() + lines.map { "a=\($0)\r\n" }.joined()
      let (description, audio) = try answer(text)
      #expect(audio.packetMilliseconds == expected, "\(lines)")
      #expect(description.media[0].packetTime == expected)
    }
  }

  @Test("Opus parameters are clamped, garbage is skipped")
  func opus() throws {
    func opus(_ parameters: String) throws -> OpusParameters {
      try answer(Offers.audio("rtpmap:111 OPUS/48000/2", "fmtp:111 \(parameters)", formats: "111")).1.send.opus
    }
    let all = try opus(
      "maxplaybackrate=16000; MaxAverageBitrate=20000;stereo=1;useinbandfec=1;usedtx=1;cbr=1;sprop-stereo=1")
    #expect(all.maximumPlaybackRate == 16_000)
    #expect(all.maximumAverageBitRate == 20_000)
    #expect(all.stereo && all.inBandFEC && all.dtx && all.constantBitRate && all.sendsStereo)
    #expect(try opus("maxaveragebitrate=1").maximumAverageBitRate == 6_000)
    #expect(try opus("maxaveragebitrate=18446744073709551615;maxplaybackrate=0").maximumAverageBitRate == 510_000)
    #expect(try opus("maxaveragebitrate=99999999999999999999999").maximumAverageBitRate == nil)
    #expect(try opus(";;;=;==;a;=1;stereo;useinbandfec = 1 ; stereo=2;maxplaybackrate=-1").inBandFEC)
    #expect(try opus(String(repeating: ";", count: 3_000)) == OpusParameters())
    let (description, _) = try answer(Offers.audio("rtpmap:111 opus/48000", formats: "111"))
    #expect(description.media[0].rtpMap(111)?.channels == 2)
  }

  @Test("duplicate codecs and payload types are answered once")
  func duplicates() throws {
    let (description, audio) = try answer(
      Offers.audio(
        "rtpmap:96 PCMU/8000", "rtpmap:97 opus/48000/2", "rtpmap:98 opus/48000/2", "rtpmap:97 G722/8000",
        "rtpmap:99 telephone-event/8000", "rtpmap:100 telephone-event/8000", formats: "0 0 96 97 97 98 99 100"))

    #expect(description.media[0].formats == ["0", "97", "99"])
    #expect(audio.receive.map(\.encoding) == [.pcmu, .opus])
  }

  @Test("payload types that are no numbers below 128 are never used nor answered (CVE-2018-1000098)")
  func hostilePayloadTypes() throws {
    let lines = ["4294967296", "256", "128", "-1", "0x0", "00000000000000000000000008", "18446744073709551616"]
    for line in lines {
      let text = Offers.audio("rtpmap:\(line) opus/48000/2", "fmtp:\(line) \u{7f}====", formats: "\(line) 8")
      #expect(try answer(text).0.media[0].formats == ["8"])
      let offer = try Offers.parse(Offers.audio(formats: line))
      #expect(throws: OfferRefusal.self) {
        try Answerer.answer(offer, capabilities: .init(), local: Offers.local, origin: offer.origin)
      }
    }
  }

  @Test("IPv6 answers IPv6")
  func ipv6() throws {
    let local = LocalAudio(media: try #require(SocketAddress("[2001:db8::2]:4000")), keys: Offers.keys)

    let (description, audio) = try answer(Offers.audio(connection: "IN IP6 2001:db8::1"), local: local)

    #expect(audio.remoteControl.description == "[2001:db8::1]:4001")
    #expect(description.connection?.value == "IN IP6 2001:db8::2")
  }

  @Test("label, source and other RTCP address of ours are written")
  func ours() throws {
    var local = Offers.local
    local.label = "a-bo"
    local.source = (77, "x@y")
    local.control = SocketAddress(ipv4: 0xc000_0202, port: 9)

    let (description, _) = try answer(Offers.audio(), local: local)

    #expect(description.media[0].label == "a-bo")
    #expect(description.media[0].attributes.value("ssrc") == "77 cname:x@y")
    #expect(description.media[0].rtcp?.connection?.address == "192.0.2.2")
  }
}

@Suite("Refusing offers (RFC 3261 §20.43)")
struct RefusalTests {
  static let cases: [(String, Int, OfferRefusal.WarningCode)] = [
    ("garbage", 400, .miscellaneous),
    (Offers.audio(connection: "X").replacing("c=X\r\n", with: ""), 400, .miscellaneous),
    (Offers.audio(connection: "ATM NSAP 47.0005"), 488, .incompatibleNetworkProtocol),
    (Offers.audio(connection: "IN IP4 phone.example.com"), 488, .incompatibleNetworkAddressFormat),
    (Offers.audio(connection: "IN IP6 2001:db8::1"), 488, .incompatibleNetworkAddressFormat),
    (Offers.audio(transport: "UDP/TLS/RTP/SAVPF"), 488, .incompatibleTransportProtocol),
    (Offers.audio(transport: "UDP/TLS/RTP/SAVP"), 488, .incompatibleTransportProtocol),
    (Offers.audio(transport: "TCP/RTP/AVP"), 488, .incompatibleTransportProtocol),
    (Offers.audio(transport: "RTP/AVP"), 488, .incompatibleTransportProtocol),
    (Offers.audio(port: 0), 488, .mediaTypeNotAvailable),
    (Offers.audio().replacing("m=audio", with: "m=video"), 488, .mediaTypeNotAvailable),
    ("v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nt=0 0\n", 488, .mediaTypeNotAvailable),
    (Offers.audio(formats: "18 3 100"), 488, .incompatibleMediaFormat),
    (Offers.audio("rtpmap:100 telephone-event/8000", formats: "100"), 488, .incompatibleMediaFormat),
    (Offers.audio("no crypto"), 488, .attributeNotUnderstood),
    (Offers.audio("crypto:1 AES_CM_256_HMAC_SHA1_80 inline:\(Offers.key30)"), 488, .attributeNotUnderstood),
    (
      Offers.audio("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30) UNENCRYPTED_SRTP"), 488,
      .attributeNotUnderstood
    ),
    (Offers.audio(connection: "IN IP4 224.2.1.1/127"), 488, .multicastNotAvailable),
  ]

  @Test("each reason with its status and warning", arguments: cases.indices)
  func reasons(_ index: Int) {
    let (text, status, code) = Self.cases[index]
    var session = Offers.session()
    do throws(OfferRefusal) {
      _ = try session.answer(text.utf8)
      Issue.record("accepted \(text)")
    } catch {
      #expect(error.status == status)
      #expect(error.code == code, "\(error.text)")
      let warning = error.warning(agent: "conf.example.com")
      #expect(warning.hasPrefix("\(code.rawValue) conf.example.com \""))
      #expect(
        error.text.utf8.allSatisfy { $0 >= 32 && $0 < 127 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
    }
    #expect(session.localDescription == nil)
  }
}
