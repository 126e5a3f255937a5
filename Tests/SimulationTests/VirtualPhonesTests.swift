//  VirtualPhonesTests.swift: the phones' signalling alone: offers, answers, refusals, holding, hanging up.

import Primitives
import SDP
import SIP
import Simulation
import Testing

/// Phones and a user agent that answers them, joined by a wire without delay.
private final class Wire {
  static let here = SocketAddress(ipv4: 0x0a01_0001, port: 5_060)
  static let there = SocketAddress(ipv4: 0x0a00_0001, port: 5_060)
  static let media = here.with(port: 30_000)

  var now = Instant.zero
  var phones: VirtualPhones
  var server: UserAgent
  var session: OfferAnswerSession
  var refusal: Int?
  var heard: [VirtualPhonesOutput] = []
  var calls: [CallHandle] = []
  var directions: [MediaDirection] = []

  init(_ change: (inout PhoneConfiguration) -> Void = { _ in }) {
    var configuration = PhoneConfiguration()
    change(&configuration)
    phones = VirtualPhones(
      configuration: configuration, listen: [.udp: Self.here], random: RandomSource(seed: UInt64(1)))
    var settings = UserAgentConfiguration()
    settings.listen = [.udp: Self.there]
    server = UserAgent(configuration: settings, random: RandomSource(seed: UInt64(2)))
    var keys: [CryptoSuite: [UInt8]] = [:]
    for suite in CryptoSuite.allCases { keys[suite] = Array(repeating: 7, count: suite.keyAndSaltCount) }
    session = OfferAnswerSession(
      sessionID: 1, capabilities: AudioCapabilities(),
      local: LocalAudio(media: Self.there.with(port: 20_000), keys: keys))
  }

  func call() -> PhoneID {
    var outputs: [VirtualPhonesOutput] = []
    let flow = SIPFlow(transport: .udp, local: Self.here, remote: Self.there)
    let id = phones.call("sip:demo@10.0.0.1", over: flow, media: Self.media, now: now, into: &outputs)
    pump(outputs)
    return id
  }

  func with(_ body: (inout VirtualPhones, Instant, inout [VirtualPhonesOutput]) -> Void) {
    var outputs: [VirtualPhonesOutput] = []
    body(&phones, now, &outputs)
    pump(outputs)
  }

  func hangUpFromServer() {
    var events: [UserAgentOutput] = []
    for call in calls { server.hangUp(call, now: now, into: &events) }
    pump([], events)
  }

  func run(_ interval: Interval) {
    let end = now + interval
    while min(phones.nextDeadline, server.nextDeadline) <= end {
      now = max(now, min(phones.nextDeadline, server.nextDeadline))
      var outputs: [VirtualPhonesOutput] = []
      var events: [UserAgentOutput] = []
      phones.advance(to: now, into: &outputs)
      server.advance(to: now, into: &events)
      pump(outputs, events)
    }
    now = end
  }

  private func pump(_ outputs: [VirtualPhonesOutput], _ events: [UserAgentOutput] = []) {
    var outputs = outputs
    var events = events
    while !outputs.isEmpty || !events.isEmpty {
      var nextOutputs: [VirtualPhonesOutput] = []
      var nextEvents: [UserAgentOutput] = []
      for output in outputs {
        if case .transmit(let bytes, let flow) = output {
          let back = SIPFlow(transport: .udp, local: flow.remote, remote: flow.local)
          server.receive(bytes, from: back, now: now, into: &nextEvents)
        } else {
          heard.append(output)
        }
      }
      for event in events {
        switch event {
        case .transmit(let bytes, let flow):
          let back = SIPFlow(transport: .udp, local: flow.remote, remote: flow.local)
          phones.receive(bytes, from: back, now: now, into: &nextOutputs)
        case .event(.invited(let call, let message, _)), .event(.offered(let call, let message)):
          calls.append(call)
          answer(call, message, &nextEvents)
        case .event: break
        }
      }
      outputs = nextOutputs
      events = nextEvents
    }
  }

  private func answer(_ call: CallHandle, _ message: SIPMessage, _ events: inout [UserAgentOutput]) {
    if let refusal { return server.reject(call, status: refusal, now: now, into: &events) }
    guard let agreement = try? session.answer(message.body) else {
      return server.reject(call, status: 488, now: now, into: &events)
    }
    if let audio = agreement.audio { directions.append(audio.direction) }
    let body = MessageBody(contentType: SessionDescription.contentType, bytes: agreement.description.encoded())
    server.answer(call, body: body, now: now, into: &events)
  }
}

@Suite("Virtual phones")
struct VirtualPhonesTests {
  @Test("an offer with one codec and one suite comes to that", arguments: AudioEncoding.allCases)
  func offer(encoding: AudioEncoding) throws {
    let wire = Wire {
      $0.capabilities.encodings = [encoding]
      $0.capabilities.suites = [.aeadAES128GCM]
    }

    let id = wire.call()

    guard case .connected(let connected, let negotiated, _)? = wire.heard.first else {
      Issue.record("not connected: \(wire.heard)")
      return
    }
    #expect(connected == id && wire.phones.calling == 1)
    #expect(negotiated.send.encoding == encoding && negotiated.receive.map(\.encoding) == [encoding])
    guard case .sdes(let suite, let send, let receive, _) = negotiated.security else {
      Issue.record("not encrypted")
      return
    }
    #expect(suite == .aeadAES128GCM && send.count == 28 && receive == Array(repeating: 7, count: 28) && send != receive)
  }

  @Test("a refusal ends it, with its status")
  func refused() {
    let wire = Wire()
    wire.refusal = 486

    _ = wire.call()

    guard case .refused(_, let status, _)? = wire.heard.first else {
      Issue.record("\(wire.heard)")
      return
    }
    #expect(status == 486 && wire.phones.calling == 0)
  }

  @Test("holding makes the stream inactive, resuming brings it back")
  func hold() {
    let wire = Wire()
    let id = wire.call()

    wire.with { $0.hold(id, true, now: $1, into: &$2) }
    wire.with { $0.hold(id, false, now: $1, into: &$2) }

    #expect(wire.directions == [.sendrecv, .inactive, .sendrecv])
    #expect(wire.heard.count { if case .connected = $0 { true } else { false } } == 3)
  }

  @Test("hanging up, from either side, leaves nothing behind", arguments: [true, false])
  func hangUp(byPhone: Bool) {
    let wire = Wire()
    let id = wire.call()

    if byPhone { wire.with { $0.hangUp(id, now: $1, into: &$2) } } else { wire.hangUpFromServer() }
    wire.run(.seconds(40))

    guard case .ended(let ended, let byPeer)? = wire.heard.last else {
      Issue.record("\(wire.heard)")
      return
    }
    #expect(ended == id && byPeer == !byPhone && wire.phones.calling == 0)
    #expect(wire.phones.userAgentCounts.isEmpty && wire.server.counts.isEmpty)
  }
}
