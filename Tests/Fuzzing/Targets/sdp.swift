//  sdp.swift: fuzz target: session descriptions, our answers to them, and them as answers to us.

import Primitives
import SDP

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: start, count: count)
  guard let description = try? SessionDescription(parsing: input) else { return 0 }
  guard let again = try? SessionDescription(parsing: description.encoded()) else {
    preconditionFailure("a description that we wrote does not parse")
  }
  // An empty s= is written as RFC 8866 §5.3 wants it, so the text is compared.
  precondition(again.encoded() == description.encoded())
  for allowsPlainRTP in [false, true] { negotiate(description, allowsPlainRTP) }
  return 0
}

private func negotiate(_ description: SessionDescription, _ allowsPlainRTP: Bool) {
  var capabilities = AudioCapabilities()
  capabilities.allowsPlainRTP = allowsPlainRTP
  var keys: [CryptoSuite: [UInt8]] = [:]
  for suite in capabilities.suites { keys[suite] = [UInt8](repeating: 7, count: suite.keyAndSaltCount) }
  let local = LocalAudio(media: SocketAddress(ipv4: 0xc000_0201, port: 40_000), keys: keys, label: "main-audio")

  var answering = OfferAnswerSession(sessionID: 1, capabilities: capabilities, local: local)
  if let agreement = try? answering.answer(description) {
    // RFC 3264 §6: as many m= lines, in the same order.
    precondition(agreement.description.media.map(\.kind) == description.media.map(\.kind))
    guard (try? SessionDescription(parsing: agreement.description.encoded())) == agreement.description else {
      preconditionFailure("our answer does not parse back to itself")
    }
    if let audio = agreement.audio {
      precondition(!audio.receive.isEmpty && description.media.indices.contains(audio.mediaIndex))
      precondition(allowsPlainRTP || audio.security != .plain)
    }
    // The same offer again gives the same answer.
    precondition((try? answering.answer(description))?.description == agreement.description)
    if let offer = answering.offer() {
      precondition((try? SessionDescription(parsing: offer.encoded())) == offer)
      _ = try? answering.accept(description)
    }
  }

  var offering = OfferAnswerSession(sessionID: 2, capabilities: capabilities, local: local)
  guard offering.offer() != nil else { preconditionFailure("nothing to offer") }
  _ = try? offering.accept(description)
}
