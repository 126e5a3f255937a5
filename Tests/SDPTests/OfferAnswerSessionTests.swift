//  OfferAnswerSessionTests.swift: offers and answers over the life of a dialog (RFC 3264 §5–8).

import Primitives
import SDP
import Testing

/// `#require` cannot call what mutates.
private func makeOffer(_ session: inout OfferAnswerSession) throws -> SessionDescription {
  let offer = session.offer()
  return try #require(offer)
}

private func present(_ audio: NegotiatedAudio?) throws -> NegotiatedAudio { try #require(audio) }

@Suite("Offer/answer sessions (RFC 3264)")
struct OfferAnswerSessionTests {
  @Test("the version rises when, and only when, what we say changes")
  func versions() throws {
    var session = Offers.session()

    let first = try session.answer(Offers.baresip.utf8)
    let refresh = try session.answer(Offers.baresip.utf8)
    let held = try session.answer(Offers.baresip.replacing("a=sendrecv", with: "a=sendonly").utf8)
    let resumed = try session.answer(Offers.baresip.utf8)

    #expect(first.description.origin.value == "- 77 1 IN IP4 192.0.2.1")
    #expect(refresh.description == first.description)
    #expect(held.description.origin.version == "2")
    #expect(held.audio?.direction == .recvonly)
    #expect(resumed.description.origin.version == "3")
    #expect(resumed.audio == first.audio)
  }

  @Test("a re-offer keeps streams, order, payload types and the codec in use")
  func reoffer() throws {
    var session = Offers.session()
    let text =
      "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=video 9 RTP/AVP 101 96\r\n"
      + "m=audio 4000 RTP/SAVPF 8 120\r\na=rtpmap:120 opus/48000/2\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)\r\n"
    let first = try session.answer(text.utf8)
    session.local.direction = .sendonly

    let offer = try makeOffer(&session)

    #expect(offer.media.count == 2)
    #expect(offer.media[0].port == 0)
    let audio = offer.media[1]
    #expect(audio.transport == "RTP/SAVPF")
    #expect(audio.direction == .sendonly)
    #expect(audio.formats.first == "8")
    #expect(audio.formats.contains("120"))
    #expect(audio.rtpMap(120)?.encoding == "opus")
    // 101 stood for something else in this session.
    #expect(!audio.formats.contains("101"))
    #expect(offer.origin.version == "2")
    #expect(session.negotiated == first.audio)
    session.withdrawOffer()
    #expect(session.localDescription == first.description)
    #expect(session.offer()?.origin.version == "2")
  }

  @Test("two sessions agree with each other: keys, codecs, events, level, both ways", arguments: [true, false])
  func eachOther(_ encrypted: Bool) throws {
    var capabilities = Offers.plain
    if !encrypted { capabilities.suites = [] }
    var ann = Offers.session(capabilities)
    var bob = OfferAnswerSession(
      sessionID: 2, capabilities: Offers.plain,
      local: LocalAudio(
        media: SocketAddress(ipv4: 0xc000_0209, port: 50_000), keys: Offers.keys.mapValues { $0.map { $0 / 2 } }))

    let offer = try makeOffer(&ann)
    let answer = try bob.answer(offer.encoded())
    let ours = try present(ann.accept(answer.description.encoded()))
    let theirs = try #require(answer.audio)

    #expect(offer.media[0].transport == (encrypted ? "RTP/SAVP" : "RTP/AVP"))
    #expect(ours.remoteMedia == bob.local.media)
    #expect(theirs.remoteMedia == ann.local.media)
    #expect(ours.rtcpMux && theirs.rtcpMux)
    #expect(ours.send.encoding == .opus && theirs.send.encoding == .opus)
    #expect(ours.send.opus.inBandFEC)
    #expect(ours.telephoneEvents == theirs.telephoneEvents)
    #expect(ours.telephoneEvents.map(\.receivePayloadType) == [101, 102])
    #expect(ours.audioLevelExtension == 1 && theirs.audioLevelExtension == 1)
    switch (ours.security, theirs.security) {
    case (.plain, .plain): #expect(!encrypted)
    case (.sdes(let a, let send, let receive, _), .sdes(let b, let peerSend, let peerReceive, _)):
      #expect(encrypted && a == .aeadAES256GCM && a == b && send == peerReceive && receive == peerSend)
    default: Issue.record("one side only")
    }
    // Then the other one offers: nothing moves.
    let back = try makeOffer(&bob)
    let again = try ann.answer(back)
    let fromAnn = try #require(again.audio)
    let fromBob = try present(bob.accept(again.description))
    #expect(Set(fromBob.receive) == Set(theirs.receive))
    #expect(Set(fromAnn.receive) == Set(ours.receive))
    #expect(fromAnn.security == ours.security && fromBob.security == theirs.security)
  }

  @Test("an answer with its own payload types, without rtpmap, with other clocks")
  func asymmetricAnswer() throws {
    var session = Offers.session()
    let offer = try makeOffer(&session)
    #expect(offer.media[0].cryptoLines.map(\.suiteName).first == "AEAD_AES_256_GCM")
    let tag = try #require(offer.media[0].cryptoLines.first { $0.suite == .aes128CMSHA1Tag80 }?.tag)

    let agreed = try present(
      session.accept(
        Offers.audio(
          "rtpmap:111 opus/48000/2", "rtpmap:110 telephone-event/48000", "sendonly", "ptime:40",
          "crypto:\(tag) AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)", formats: "111 0 110 101"
        ).utf8))

    #expect(agreed.send.payloadType == 111)
    #expect(agreed.receive.map(\.payloadType) == [96, 0])
    #expect(agreed.telephoneEvents.map(\.sendPayloadType) == [110, 101])
    #expect(agreed.telephoneEvents.map(\.receivePayloadType) == [102, 101])
    #expect(agreed.direction == .recvonly)
    #expect(agreed.packetMilliseconds == 40)
    #expect(agreed.remoteControl.port == 4_001)
    #expect(!agreed.rtcpMux)
    #expect(agreed.audioLevelExtension == nil)
    #expect(session.pendingOffer == nil)
  }

  @Test("answers that do not fit are refused and leave the offer pending; port 0 is no audio")
  func badAnswers() throws {
    for (text, code) in [
      (Offers.audio() + "m=audio 1 RTP/AVP 0\r\n", OfferRefusal.WarningCode.miscellaneous),
      (Offers.audio().replacing("m=audio", with: "m=video"), .miscellaneous),
      (Offers.audio("no crypto"), .attributeNotUnderstood),
      (Offers.audio("crypto:99 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)"), .attributeNotUnderstood),
      (Offers.audio("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)"), .attributeNotUnderstood),
      (Offers.audio(transport: "UDP/TLS/RTP/SAVP"), .incompatibleTransportProtocol),
      (Offers.audio("crypto:3 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)", formats: "3"), .incompatibleMediaFormat),
    ] {
      var session = Offers.session()
      _ = session.offer()
      do throws(OfferRefusal) {
        _ = try session.accept(text.utf8)
        Issue.record("accepted \(text)")
      } catch { #expect(error.code == code, "\(error.text)") }
      #expect(session.pendingOffer != nil)
    }
    var session = Offers.session()
    #expect(throws: OfferRefusal.self) { try session.accept(Offers.audio().utf8) }
    _ = session.offer()
    #expect(try session.accept(Offers.audio(port: 0).utf8) == nil)
    #expect(session.negotiated == nil)
  }

  @Test("a re-offer may end audio and bring it back; a bad one changes nothing")
  func removal() throws {
    var session = Offers.session()
    let first = try session.answer(Offers.audio().utf8)

    #expect(throws: OfferRefusal.self) { try session.answer(Offers.audio(formats: "3").utf8) }
    #expect(session.negotiated == first.audio)
    let ended = try session.answer(Offers.audio(port: 0).utf8)
    #expect(ended.audio == nil)
    #expect(ended.description.media[0].port == 0)
    #expect(try session.answer(Offers.audio().utf8).audio != nil)
  }

  @Test("a re-INVITE with streams and codecs in another order is answered as offered (CVE-2023-40019)")
  func reordered() throws {
    var session = Offers.session()
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)\r\n"
    _ = try session.answer((Offers.audio() + "m=audio 5000 RTP/SAVP 8\r\n" + crypto).utf8)
    #expect(session.negotiated?.mediaIndex == 0)
    let second = try Offers.parse(
      Offers.audio(port: 0)
        + "m=audio 5000 RTP/SAVP 8 0 8 0 97 97\r\na=rtpmap:97 opus/48000/2\r\na=rtpmap:97 PCMA/8000\r\n" + crypto)
    let agreement = try session.answer(second)
    #expect(matches(agreement.description, second))
    #expect(agreement.audio?.mediaIndex == 1)
    #expect(agreement.description.media[1].formats == ["8", "0", "97"])
    let third = try Offers.parse(Offers.audio() + "m=audio 5000 RTP/SAVP 8\r\n" + crypto)
    #expect(try session.answer(third).audio?.mediaIndex == 1)
  }

  @Test("nothing to offer without keys, unless plain is allowed")
  func keyless() {
    var session = Offers.session()
    session.local.keys = [.aeadAES128GCM: [1, 2, 3]]
    #expect(session.offer() == nil)
    session.capabilities.allowsPlainRTP = true
    #expect(session.offer()?.media[0].transport == "RTP/AVP")
    session.capabilities.encodings = []
    #expect(session.offer() == nil)
  }

  @Test("a new host's offer is fitted into the phone's session, and the answer taken out again")
  func alignment() throws {
    var phone = Offers.session(Offers.plain)
    let sent = try phone.answer((Offers.audio(port: 0) + "m=video 9 RTP/AVP 97\r\nm=audio 4 RTP/AVP 0\r\n").utf8)
      .description
    var host = OfferAnswerSession(sessionID: 5, capabilities: AudioCapabilities(), local: Offers.local)
    let fresh = try makeOffer(&host)

    let alignment = MediaAlignment(offer: fresh, previous: sent)
    let outward = alignment.outward(fresh)

    #expect(alignment.slots == [nil, nil, 0])
    #expect(outward.media.map(\.kind) == ["audio", "video", "audio"])
    #expect(outward.media.map { $0.port != 0 } == [false, false, true])
    #expect(outward.origin.sessionID == "77")
    #expect(outward.origin.version == "2")
    let agreement = try Answerer.answer(outward, capabilities: .init(), local: Offers.local, origin: outward.origin)
    let inward = try #require(alignment.inward(agreement.description))
    #expect(inward.media.count == 1)
    #expect(try host.accept(inward) != nil)
    #expect(alignment.inward(fresh) == nil)
    let empty = SessionDescription.withoutMedia(sessionID: 1, address: Offers.local.media)
    #expect(MediaAlignment(offer: fresh, previous: empty).outward(fresh).media.count == 1)
  }
}

@Suite("Mutated session descriptions")
struct SDPMutationTests {
  @Test("no mutation traps; what is accepted is a legal answer, what is read can be read again")
  func mutations() throws {
    let seed: UInt64 = 0x5d9
    print("seed \(seed)")
    var random = RandomSource(seed: seed)
    let samples = [
      Offers.baresip, Offers.linphone, Offers.audio("inactive", "extmap:3 \(ExtensionMap.audioLevel)"),
      Offers.audio(transport: "RTP/AVP", formats: "9 8 0"),
    ].map { Array($0.utf8) }
    let tokens = [
      "4294967296", "18446744073709551616", "-1", "\r\n", "\n", "m=audio 1 RTP/AVP 0\n", "a=sendonly\n",
      "c=IN IP4 0.0.0.0\n",
      " ", ":", "/", "|", "a=rtcp-mux\n", "a=ptime:0\n", "\u{0}", "65535", "é",
    ].map { Array($0.utf8) }
    var accepted = 0
    let runs = 1_200
    for _ in 0..<runs {
      var bytes = samples[Int(random.next() % UInt64(samples.count))]
      for _ in 0...Int(random.next() % 4) {
        let at = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 5 {
        case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: at)
        case 2: bytes.insert(contentsOf: tokens[Int(random.next() % UInt64(tokens.count))], at: at)
        case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + Int(random.next() % 60))], at: at)
        default: bytes.removeSubrange(at..<min(bytes.count, at + Int(random.next() % 30)))
        }
        if bytes.isEmpty { bytes = [118] }
      }
      guard let offer = try? SessionDescription(parsing: bytes) else { continue }
      // Writing puts lines into RFC 8866's order; after that nothing changes any more.
      #expect(
        try SessionDescription(parsing: offer.encoded()).encoded() == offer.encoded(),
        "\(String(decoding: bytes, as: UTF8.self))")
      var session = Offers.session(Offers.plain)
      if let agreement = try? session.answer(offer) {
        #expect(
          matches(agreement.description, offer),
          "\(String(decoding: bytes, as: UTF8.self))\n\(String(decoding: agreement.description.encoded(), as: UTF8.self))"
        )
        accepted += 1
      }
      var ours = Offers.session(Offers.plain)
      if let sent = ours.offer() {
        _ = try? ours.accept(offer)
        _ = MediaAlignment(offer: sent, previous: offer).outward(sent).encoded()
      }
    }
    #expect(accepted * 10 > runs)
  }
}
