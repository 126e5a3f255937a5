//  SessionDescriptionTests.swift: reading and writing session descriptions (RFC 8866).

import Primitives
import SDP
import Testing

private func refusal(_ text: String) -> SDPError? {
  do throws(SDPError) {
    _ = try Offers.parse(text)
    return nil
  } catch { return error }
}

private let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nt=0 0\r\n"

@Suite("Session descriptions (RFC 8866)")
struct SessionDescriptionTests {
  @Test(
    "phones' offers survive reading and writing, unknown attributes and all",
    arguments: [Offers.baresip, Offers.linphone])
  func roundTrip(_ text: String) throws {
    let description = try Offers.parse(text)

    let again = try SessionDescription(parsing: description.encoded())

    #expect(again == description)
    #expect(
      String(decoding: description.encoded(), as: UTF8.self).split(whereSeparator: \.isNewline)
        == text.split(whereSeparator: \.isNewline))
  }

  @Test("typed attributes")
  func attributes() throws {
    let description = try Offers.parse(Offers.linphone)
    let audio = description.media[0]

    #expect(description.connection(of: audio)?.address == "198.51.100.10")
    #expect(description.connection(of: description.media[1])?.address == "198.51.100.9")
    #expect(audio.payloadTypes == [96, 97, 98, 0, 8, 101, 99, 100])
    #expect(audio.rtpMap(96) == RTPMap(payloadType: 96, encoding: "opus", clockRate: 48_000, channels: 2))
    #expect(audio.rtpMap(0)?.encoding == "PCMU")
    #expect(audio.rtpMap(9)?.encoding == "G722")
    #expect(audio.rtpMap(120) == nil)
    #expect(audio.formatParameters(96)?.flag("useinbandfec") == true)
    #expect(audio.rtcp?.port == 7_080)
    #expect(audio.rtcp?.connection?.address == "198.51.100.11")
    #expect(!audio.hasRTCPMux)
    #expect(audio.extensionMaps.last == ExtensionMap(id: 2, uri: ExtensionMap.audioLevel, attributes: "vad=on"))
    #expect(audio.cryptoLines.map(\.tag) == [1, 2, 3, 4])
    #expect(audio.cryptoLines[2].usableKey == nil)
    #expect(audio.cryptoLines[3].keys[0].lifetime == 1 << 31)
    #expect(audio.cryptoLines[3].keys[0].mki == [0, 0, 0, 1])
    #expect(description.direction(of: audio) == .sendrecv)
    #expect(try Offers.parse(Offers.baresip).media[0].label == "1")
    let media = try Offers.parse(
      head + "a=inactive\nm=audio 1/2 RTP/AVP 0\na=ptime:20.5\na=maxptime:0\na=content:main,slides\n"
    ).media[0]
    #expect(media.packetTime == 20)
    #expect(media.maximumPacketTime == nil)
    #expect(media.content == ["main", "slides"])
    #expect(media.portCount == 2)
  }

  @Test("IPv6, names, multicast")
  func connections() {
    #expect(ConnectionData("IN IP6 2001:db8::1")?.socketAddress(port: 5)?.description == "[2001:db8::1]:5")
    #expect(ConnectionData("IN IP4 2001:db8::1")?.socketAddress(port: 5) == nil)
    #expect(ConnectionData("IN IP6 192.0.2.1")?.socketAddress(port: 5) == nil)
    #expect(ConnectionData("IN IP4 example.com")?.socketAddress(port: 5) == nil)
    #expect(ConnectionData("IN IP4 224.2.1.1/127")?.isMulticast == true)
    #expect(ConnectionData("IN IP4 224.2.1.1/127")?.value == "IN IP4 224.2.1.1/127")
    #expect(ConnectionData("IN IP6 ff15::101/3")?.isMulticast == true)
    #expect(ConnectionData("IN IP4 0.0.0.0")?.isUnspecified == true)
    #expect(ConnectionData("IN IP6 ::")?.isUnspecified == true)
    #expect(ConnectionData("IN IP4") == nil)
    #expect(ConnectionData("IN IP4 /127") == nil)
  }

  @Test("limits: at each and one past it")
  func limits() {
    func media(_ count: Int) -> String { head + String(repeating: "m=audio 1 RTP/AVP 0\n", count: count) }
    func attributes(_ count: Int) -> String { String(repeating: "a=x\n", count: count) }
    func formats(_ count: Int) -> String { head + "m=audio 1 RTP/AVP" + String(repeating: " 0", count: count) + "\n" }
    func line(_ count: Int) -> String { head + "a=" + String(repeating: "x", count: count - 2) + "\r\n" }
    func body(_ count: Int) -> String {
      let lines = String(repeating: "a=" + String(repeating: "x", count: 997) + "\n", count: 65)
      return head + lines + "a=" + String(repeating: "y", count: count - head.utf8.count - lines.utf8.count - 2)
    }
    #expect(refusal(media(32)) == nil)
    #expect(refusal(media(33)) == .tooManyMediaDescriptions)
    #expect(refusal(media(3_000)) == .tooManyMediaDescriptions)
    #expect(refusal(media(10_000)) == .tooLong)
    #expect(refusal(head + attributes(512) + "m=audio 1 RTP/AVP 0\n" + attributes(512)) == nil)
    #expect(refusal(head + attributes(513)) == .tooManyAttributes)
    #expect(refusal(media(1) + attributes(513)) == .tooManyAttributes)
    #expect(refusal(formats(128)) == nil)
    #expect(refusal(formats(129)) == .tooManyFormats)
    #expect(refusal(line(4_096)) == nil)
    #expect(refusal(line(4_097)) == .lineTooLong(line: 5))
    #expect(refusal(body(65_536)) == nil)
    #expect(refusal(body(65_537)) == .tooLong)
    #expect(refusal(String(repeating: "v=0\n", count: 1 << 18)) == .tooLong)
    #expect(refusal(head + String(repeating: "b=AS:1\n", count: 64)) == nil)
    #expect(refusal(head + String(repeating: "b=AS:1\n", count: 65)) == .tooManyLines)
    #expect(refusal(head + String(repeating: "r=1\n", count: 65)) == .tooManyLines)
  }

  @Test("malformed lines")
  func malformed() {
    #expect(refusal("") == .badVersion)
    #expect(refusal("o=- 1 1 IN IP4 1.2.3.4\n") == .badVersion)
    #expect(refusal("v=1\no=- 1 1 IN IP4 1.2.3.4\n") == .badVersion)
    #expect(refusal("v=0\ns=-\n") == .missing("o"))
    for line in [
      "x", "=", "a=", "a=:x", "z", "q=1", "o=- 1 1 IN IP4 1.2.3.4", "o=1", "c=IN", "m=audio", "m=audio 1 RTP/AVP",
      "m=audio 65536 RTP/AVP 0", "m=audio -1 RTP/AVP 0", "m=audio 4294967296 RTP/AVP 0", "m=audio 1/0 RTP/AVP 0",
      "m=audio 1/x RTP/AVP 0", "m=audio  RTP/AVP 0", "a=\u{0}", "a=x\ry", " a=x", "v=0", "A=x",
    ] {
      #expect(refusal(head + line + "\n") == .badLine(line: 5), "\(line)")
    }
    #expect(refusal(head + "m=audio 1 RTP/AVP 0\nt=0 0\n") == .badLine(line: 6))
    #expect(refusal(head + "\n\r\n\n") == nil)
  }

  @Test("a value cannot forge a line")
  func forging() throws {
    var description = SessionDescription.withoutMedia(sessionID: 1, address: Offers.local.media)
    description.attributes = [SDPAttribute("label", "x\r\nm=audio 9 RTP/AVP 0\0")]

    let again = try SessionDescription(parsing: description.encoded())

    #expect(again.media.isEmpty)
    #expect(again.attributes.value("label") == "x  m=audio 9 RTP/AVP 0 ")
  }

  @Test("base 64: the vectors of RFC 4648 §10, and what is not base 64")
  func base64() {
    for (text, code) in [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ] {
      #expect(Base64.encode(Array(text.utf8)) == code)
      #expect(Base64.decode(code) == Array(text.utf8))
    }
    #expect(Base64.decode("Zm8") == Array("fo".utf8))
    for bad in ["Z", "Zg=", "Zg===", "Zm8==", "Zm9v=", "=", "====", "Zm9v====", "Zm 9v", "Z=g=", "Zm9v-_", "é"] {
      #expect(Base64.decode(bad) == nil, "\(bad)")
    }
    var random = RandomSource(seed: 7)
    for count in 0..<100 {
      let bytes = random.bytes(count)
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }
}

@Suite("Crypto lines (RFC 4568)")
struct CryptoAttributeTests {
  @Test("usable lines")
  func usable() throws {
    for value in [
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key30)",
      "999999999 AES_CM_128_HMAC_SHA1_32 inline:\(Offers.key30)|2^48",
      "2 AEAD_AES_256_GCM inline:\(Offers.key44)|1024|1:1",
      "3 AEAD_AES_128_GCM inline:\(Offers.key28)|255:1 WSH=64 -NEW=1",
      "4 AES_CM_128_HMAC_SHA1_80 INLINE:\(Offers.key30) KDR=0",
    ] {
      let line = try #require(CryptoAttribute(value), "\(value)")
      #expect(line.usableKey != nil, "\(value)")
      #expect(CryptoAttribute(line.value) == line)
    }
  }

  @Test("well-formed lines that cannot be used")
  func unusable() throws {
    let key = Offers.key30
    for value in [
      "1 AES_CM_256_HMAC_SHA1_80 inline:\(key)", "1 F8_128_HMAC_SHA1_80 inline:\(key)",
      "1 aes_cm_128_hmac_sha1_80 inline:\(key)",
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(Offers.key28)", "1 AEAD_AES_128_GCM inline:\(key)",
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(key)|2^49", "1 AES_CM_128_HMAC_SHA1_80 inline:\(key)|0",
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(key)|1:4;inline:\(key)|2:4", "1 AES_CM_128_HMAC_SHA1_80 inline:\(key) KDR=1",
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(key) UNENCRYPTED_SRTP",
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(key) UNAUTHENTICATED_SRTP",
      "1 AES_CM_128_HMAC_SHA1_80 inline:\(key) NEW=1", "1 AES_CM_128_HMAC_SHA1_80 inline:\(key) FEC_ORDER=FEC_SRTP",
    ] {
      let line = try #require(CryptoAttribute(value), "\(value)")
      #expect(line.usableKey == nil, "\(value)")
    }
  }

  @Test("malformed lines")
  func malformed() {
    let key = Offers.key30
    for value in [
      "", "1", "1 X", "x AES inline:\(key)", "-1 AES inline:\(key)", "1234567890 AES inline:\(key)", "1 AES \(key)",
      "1 AES inline:",
      "1 AES inline:!!!", "1 AES inline:\(key)|", "1 AES inline:\(key)|2^64", "1 AES inline:\(key)|2^",
      "1 AES inline:\(key)|x",
      "1 AES inline:\(key)|1:0", "1 AES inline:\(key)|1:129", "1 AES inline:\(key)|256:1", "1 AES inline:\(key)|1:4:5",
      "1 AES inline:\(key)|1:4|2^20", "1 AES inline:\(key)|2^20|1:4|9",
      "1 AES inline:\(key)|99999999999999999999999:128",
      "1 AES inline:\(key);", "1 AES " + Array(repeating: "inline:\(key)", count: 5).joined(separator: ";"),
      "1 AES inline:\(key)" + String(repeating: " a", count: 40),
    ] {
      #expect(CryptoAttribute(value) == nil, "\(value)")
    }
  }
}
