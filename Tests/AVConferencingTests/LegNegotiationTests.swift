//  LegNegotiationTests.swift: offers of real phones turned into leg configurations, every suite, both directions.

import AVConferencing
import Media
import MediaTransport
import Primitives
import SDP
import Testing

@Suite("Negotiation of a leg (RFC 3264, RFC 4568)")
struct LegNegotiationTests {
  static func configuration(plain: Bool = false) -> AVConferencingConfiguration {
    let worker = WorkerEndpoint(media: SocketAddress(ipv4: 0x7f00_0001, port: 20_000))
    var configuration = AVConferencingConfiguration(
      name: "mh1", instance: "urn:uuid:0", signalling: SocketAddress(ipv4: 0x7f00_0001, port: 5_070), workers: [worker])
    configuration.allowPlainRTP = plain
    return configuration
  }

  static func negotiation(
    _ configuration: AVConferencingConfiguration = configuration(), seed: UInt64 = 1
  ) -> LegNegotiation {
    var random = RandomSource(seed: seed)
    return LegNegotiation(
      leg: LegID(rawValue: 1), meeting: MeetingID(rawValue: 1), worker: configuration.workers[0], label: "a1",
      configuration: configuration, capabilities: LegNegotiation.capabilities(of: configuration), random: &random)
  }

  static func base64(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = (0..<3).reduce(0) { $0 << 8 | (start + $1 < bytes.count ? Int(bytes[start + $1]) : 0) }
      for place in 0..<4 {
        text.append(start + place - 1 < bytes.count || place < 2 ? digits[group >> (18 - 6 * place) & 63] : 61)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  static func offer(
    suites: [SRTPSuite], profile: String = "RTP/SAVP", extra: [String] = [], address: String = "192.0.2.9",
    port: Int = 4_000, formats: String = "96 0 8 9 101", direction: String = "sendrecv"
  ) -> [UInt8] {
    var lines = [
      "v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 \(address)", "t=0 0",
      "m=audio \(port) \(profile) \(formats)", "a=rtpmap:96 opus/48000/2",
      "a=fmtp:96 useinbandfec=1;maxaveragebitrate=24000",
      "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000", "a=rtpmap:101 telephone-event/48000",
      "a=ptime:20", "a=\(direction)",
    ]
    for (index, suite) in suites.enumerated() {
      let key = (0..<(suite.keyCount + suite.saltCount)).map { UInt8(truncatingIfNeeded: $0 &+ index) }
      lines.append("a=crypto:\(index + 1) \(suite.name) inline:\(base64(key))")
    }
    return Array((lines + extra).joined(separator: "\r\n").utf8) + [13, 10]
  }

  @Test(
    "each suite alone is taken, its peer's key read and ours of the right length told", arguments: SRTPSuite.allCases)
  func everySuite(suite: SRTPSuite) throws {
    var negotiation = Self.negotiation()

    let answer = String(decoding: try negotiation.answer(Self.offer(suites: [suite])[...]), as: UTF8.self)

    let configuration = try #require(negotiation.configuration)
    guard case .srtp(let send, let receive) = configuration.security else {
      Issue.record("no SRTP")
      return
    }
    #expect(send.suite == suite && receive.suite == suite)
    #expect(receive.keyAndSalt == (0..<(suite.keyCount + suite.saltCount)).map { UInt8($0) })
    #expect(answer.contains("a=crypto:1 \(suite.name) inline:\(Self.base64(send.keyAndSalt))"))
    #expect(send.keyAndSalt != receive.keyAndSalt)
    #expect(answer.contains("m=audio 20000 RTP/SAVP"))
    #expect(answer.contains("a=label:a1"))
    #expect(configuration.send.codec == .opus)
    #expect(configuration.send.payloadType == 96)
    #expect(configuration.send.opus.bitRate == 24_000)
    #expect(configuration.send.opus.inBandFEC)
    #expect(configuration.remoteMedia == SocketAddress(host: "192.0.2.9", port: 4_000))
    #expect(configuration.telephoneEvents == [TelephoneEventFormat(payloadType: 101, clockRate: 48_000)])
  }

  @Test("of several suites the strongest is taken, in whatever order they come")
  func strongest() throws {
    for suites in [SRTPSuite.allCases, SRTPSuite.allCases.reversed()] {
      var negotiation = Self.negotiation()

      _ = try negotiation.answer(Self.offer(suites: suites)[...])

      guard case .srtp(let send, _)? = negotiation.configuration?.security else {
        Issue.record("no SRTP")
        return
      }
      #expect(send.suite == .aeadAES256GCM)
    }
  }

  @Test("plain RTP is refused with 488 and a Warning unless configuration allows it")
  func plain() throws {
    let offer = Self.offer(suites: [], profile: "RTP/AVP")
    var strict = Self.negotiation()
    var lax = Self.negotiation(Self.configuration(plain: true))

    do {
      _ = try strict.answer(offer[...])
      Issue.record("accepted")
    } catch {
      #expect(error.status == 488)
      #expect(error.headers.contains { $0.0 == "Warning" })
    }
    _ = try lax.answer(offer[...])

    #expect(strict.configuration == nil)
    #expect(lax.configuration?.security == .plain)
  }

  @Test("garbage is 400, no common codec 488; nothing changes")
  func refused() {
    var negotiation = Self.negotiation()

    #expect(throws: AVConferencingError.self) { try negotiation.answer(Array("v=1\r\nnonsense".utf8)[...]) }
    do {
      _ = try negotiation.answer(Array("hello".utf8)[...])
    } catch {
      #expect(error.status == 400)
    }
    let video = Array(
      "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=video 4000 RTP/SAVP 97\r\na=rtpmap:97 VP8/90000\r\n"
        .utf8)
    do {
      _ = try negotiation.answer(video[...])
      Issue.record("accepted")
    } catch {
      #expect(error.status == 488)
    }
    #expect(negotiation.configuration == nil)
  }

  @Test("a re-offer keeps SSRC, CNAME and key; address, direction and hold follow the peer")
  func reoffer() throws {
    var negotiation = Self.negotiation()
    _ = try negotiation.answer(Self.offer(suites: [.aeadAES128GCM])[...])
    let first = try #require(negotiation.configuration)

    _ = try negotiation.answer(
      Self.offer(suites: [.aeadAES128GCM], address: "192.0.2.77", port: 5_000, direction: "sendonly")[...])
    let second = try #require(negotiation.configuration)
    _ = try negotiation.answer(Self.offer(suites: [.aeadAES128GCM], direction: "inactive")[...])
    let third = try #require(negotiation.configuration)

    #expect(first.ssrc == second.ssrc && first.cname == second.cname && first.security == second.security)
    #expect(second.remoteMedia == SocketAddress(host: "192.0.2.77", port: 5_000))
    #expect(!second.sends && second.receives)
    #expect(!third.sends && !third.receives)
  }

  @Test("our own offer and its answer make a leg too")
  func ownOffer() throws {
    var host = Self.negotiation()
    var phone = Self.negotiation(seed: 2)

    let offer = try host.offer()
    let answer = try phone.answer(offer[...])
    try host.accept(answer[...])

    let ours = try #require(host.configuration)
    let theirs = try #require(phone.configuration)
    guard case .srtp(let ourSend, let ourReceive) = ours.security,
      case .srtp(let theirSend, let theirReceive) = theirs.security
    else {
      Issue.record("no SRTP")
      return
    }
    #expect(ourSend == theirReceive)
    #expect(ourReceive == theirSend)
    #expect(ours.send.codec == .opus)
    #expect(ours.rtcpMux && theirs.rtcpMux)
  }

  @Test("two legs share neither key nor SSRC nor CNAME")
  func distinct() throws {
    let configuration = Self.configuration()
    var random = RandomSource(seed: 5)
    var seen: (keys: Set<[UInt8]>, ssrcs: Set<UInt32>, cnames: Set<String>) = ([], [], [])
    for number in 1...50 {
      var negotiation = LegNegotiation(
        leg: LegID(rawValue: UInt32(number)), meeting: MeetingID(rawValue: 1), worker: configuration.workers[0],
        label: "a", configuration: configuration, capabilities: LegNegotiation.capabilities(of: configuration),
        random: &random)
      _ = try negotiation.answer(Self.offer(suites: [.aes128CMSHA1Tag80])[...])
      guard let leg = negotiation.configuration, case .srtp(let send, _) = leg.security else { continue }
      seen.keys.insert(send.keyAndSalt)
      seen.ssrcs.insert(leg.ssrc)
      seen.cnames.insert(leg.cname)
      #expect(leg.initialSequence < 0x8000)
    }

    #expect(seen.keys.count == 50 && seen.ssrcs.count == 50 && seen.cnames.count == 50)
  }
}
