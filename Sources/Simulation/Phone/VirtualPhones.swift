//  VirtualPhones.swift: many phones behind one SIP address, as a core: they call, offer SDES and hang up.

import Media
import Primitives
import SDP
import SIP

/// One virtual phone of a `VirtualPhones`, numbered from 0 in the order of `call`.
public struct PhoneID: Hashable, Comparable, Sendable {
  public let number: Int
  public init(number: Int) { self.number = number }
  public static func < (left: PhoneID, right: PhoneID) -> Bool { left.number < right.number }
}

public enum VirtualPhonesOutput: Sendable {
  case transmit([UInt8], SIPFlow)
  /// The call is up, or re-negotiated: the shell makes a `PhoneMedia` of it.
  case connected(PhoneID, NegotiatedAudio, after: Interval)
  /// The call never came up. `status` 0: no answer at all, or one that cannot be used.
  case refused(PhoneID, status: Int, warning: String?)
  case ended(PhoneID, byPeer: Bool)
}

/// The signalling of many phones, without I/O. Media is `PhoneMedia`'s, one for each phone.
public struct VirtualPhones: Sendable {
  private struct Phone: Sendable {
    var call: CallHandle
    var session: OfferAnswerSession
    var dialled: Instant
    var isUp = false
  }

  private var userAgent: UserAgent
  private var random: RandomSource
  private let configuration: PhoneConfiguration
  private var phones: [PhoneID: Phone] = [:]
  private var byCall: [CallHandle: PhoneID] = [:]
  private var events: [UserAgentOutput] = []
  private var nextNumber = 0

  /// - Parameter listen: where the shell receives SIP for all of them.
  public init(
    configuration: PhoneConfiguration, listen: [SIPTransport: SocketAddress],
    limits: UserAgentLimits = UserAgentLimits(),
    random: RandomSource
  ) {
    var random = random
    self.configuration = configuration
    var settings = UserAgentConfiguration()
    settings.listen = listen
    settings.productName = "parley-load"
    settings.limits = limits
    userAgent = UserAgent(configuration: settings, random: RandomSource(seed: random.bytes(32)))
    self.random = random
  }

  /// Phones whose call has begun and not ended.
  public var calling: Int { phones.count }
  public var nextDeadline: Instant { userAgent.nextDeadline }
  /// What its user agent holds.
  public var userAgentCounts: UserAgentCounts { userAgent.counts }

  /// Dials.
  ///
  /// - Parameters:
  ///   - target: the meeting, `sip:demo@127.0.0.1`.
  ///   - flow: where to send it; `nil` finds that from the target.
  ///   - media: where this phone receives RTP; the next port up is its RTCP.
  public mutating func call(
    _ target: String, over flow: SIPFlow?, media: SocketAddress, now: Instant, into outputs: inout [VirtualPhonesOutput]
  ) -> PhoneID {
    let id = PhoneID(number: nextNumber)
    nextNumber += 1
    var keys: [CryptoSuite: [UInt8]] = [:]
    for suite in configuration.capabilities.suites { keys[suite] = random.bytes(suite.keyAndSaltCount) }
    var session = OfferAnswerSession(
      sessionID: UInt64(random.nextWord()), capabilities: configuration.capabilities,
      local: LocalAudio(media: media, keys: keys))
    let offer = session.offer()
    var invitation = Invitation(target: target, from: "<sip:phone-\(id.number)@\(media.host)>", to: "<\(target)>")
    invitation.flow = flow
    invitation.contactUser = "phone-\(id.number)"
    invitation.body = offer.map { MessageBody(contentType: SessionDescription.contentType, bytes: $0.encoded()) }
    let call = userAgent.invite(invitation, now: now, into: &events)
    phones[id] = Phone(call: call, session: session, dialled: now)
    byCall[call] = id
    perform(now, &outputs)
    return id
  }

  /// BYE, or CANCEL while it rings.
  public mutating func hangUp(_ id: PhoneID, now: Instant, into outputs: inout [VirtualPhonesOutput]) {
    guard let phone = phones[id] else { return }
    userAgent.hangUp(phone.call, now: now, into: &events)
    perform(now, &outputs)
  }

  /// A re-INVITE that holds or resumes.
  public mutating func hold(_ id: PhoneID, _ held: Bool, now: Instant, into outputs: inout [VirtualPhonesOutput]) {
    guard let phone = phones[id], phone.isUp else { return }
    phones[id]?.session.local.direction = held ? .inactive : .sendrecv
    guard let offer = phones[id]?.session.offer() else { return }
    let body = MessageBody(contentType: SessionDescription.contentType, bytes: offer.encoded())
    userAgent.reinvite(phone.call, body: body, now: now, into: &events)
    perform(now, &outputs)
  }

  public mutating func receive(
    _ bytes: [UInt8], from flow: SIPFlow, now: Instant, into outputs: inout [VirtualPhonesOutput]
  ) {
    userAgent.receive(bytes, from: flow, now: now, into: &events)
    perform(now, &outputs)
  }

  public mutating func transportFailed(_ flow: SIPFlow, now: Instant, into outputs: inout [VirtualPhonesOutput]) {
    userAgent.transportFailed(flow, now: now, into: &events)
    perform(now, &outputs)
  }

  public mutating func advance(to now: Instant, into outputs: inout [VirtualPhonesOutput]) {
    userAgent.advance(to: now, into: &events)
    perform(now, &outputs)
  }

  // MARK: What the user agent says

  private mutating func perform(_ now: Instant, _ outputs: inout [VirtualPhonesOutput]) {
    while !events.isEmpty {
      let due = events
      events.removeAll(keepingCapacity: true)
      for output in due {
        switch output {
        case .transmit(let bytes, let flow): outputs.append(.transmit(bytes, flow))
        case .event(let event): handle(event, now, &outputs)
        }
      }
    }
  }

  private mutating func handle(_ event: UserAgentEvent, _ now: Instant, _ outputs: inout [VirtualPhonesOutput]) {
    switch event {
    case .answered(let call, let message): answered(call, message, now, &outputs)
    case .offered(let call, let message): offered(call, message, now, &outputs)
    case .refused(let call, let status, let message):
      guard let id = forget(call) else { return }
      outputs.append(.refused(id, status: status, warning: message?.first(.warning)))
    case .ended(let call, let end):
      guard let id = forget(call) else { return }
      if case .local = end {
        outputs.append(.ended(id, byPeer: false))
      } else {
        outputs.append(.ended(id, byPeer: true))
      }
    case .invited(let call, _, _):
      userAgent.reject(call, status: 486, now: now, into: &events)
    case .requested(let request, _, let message, _):
      userAgent.respond(to: request, status: message.method == .info ? 200 : 501, now: now, into: &events)
    case .reofferRefused(let call, _, _):
      if let id = byCall[call] { phones[id]?.session.withdrawOffer() }
    case .progressed, .acknowledged, .responded, .failed, .notified, .subscriptionAccepted, .subscriptionRefreshed,
      .subscriptionEnded:
      break
    }
  }

  private mutating func answered(
    _ call: CallHandle, _ message: SIPMessage, _ now: Instant, _ outputs: inout [VirtualPhonesOutput]
  ) {
    guard let id = byCall[call], let phone = phones[id] else { return }
    // A refresh without a body changes nothing.
    if phone.isUp, message.body.isEmpty { return }
    do {
      guard let negotiated = try phones[id]?.session.accept(message.body) ?? nil else {
        return giveUp(id, call, "the answer refuses audio", now, &outputs)
      }
      phones[id]?.isUp = true
      outputs.append(.connected(id, negotiated, after: now - phone.dialled))
    } catch {
      giveUp(id, call, error.text, now, &outputs)
    }
  }

  private mutating func giveUp(
    _ id: PhoneID, _ call: CallHandle, _ reason: String, _ now: Instant, _ outputs: inout [VirtualPhonesOutput]
  ) {
    _ = forget(call)
    userAgent.hangUp(call, now: now, into: &events)
    outputs.append(.refused(id, status: 0, warning: reason))
  }

  /// The media host moved or changed something: answered as a phone does.
  private mutating func offered(
    _ call: CallHandle, _ message: SIPMessage, _ now: Instant, _ outputs: inout [VirtualPhonesOutput]
  ) {
    guard let id = byCall[call], let phone = phones[id] else { return }
    do {
      guard let agreement = try phones[id]?.session.answer(message.body) else { return }
      let body = MessageBody(contentType: SessionDescription.contentType, bytes: agreement.description.encoded())
      userAgent.answer(call, body: body, now: now, into: &events)
      if let audio = agreement.audio { outputs.append(.connected(id, audio, after: now - phone.dialled)) }
    } catch {
      userAgent.reject(call, status: 488, now: now, into: &events)
    }
  }

  private mutating func forget(_ call: CallHandle) -> PhoneID? {
    guard let id = byCall.removeValue(forKey: call) else { return nil }
    phones[id] = nil
    return id
  }
}
