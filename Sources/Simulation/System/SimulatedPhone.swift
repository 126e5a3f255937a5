//  SimulatedPhone.swift: one phone of a simulation: its signalling, its call's media, its owner's mood.

import Primitives
import SDP
import SIP

/// One phone at an address of its own.
final class SimulatedPhone {
  enum State: Hashable { case idle, calling, up }

  let number: Int
  let traits: PhoneTraits
  let signalling: SocketAddress
  let media: SocketAddress
  private(set) var core: VirtualPhones
  private var random: RandomSource
  var isAlive = true
  var state = State.idle
  var call: PhoneID?
  var audio: PhoneMedia?
  /// What its owner wants, and what has been agreed.
  var wantsHold = false
  var isHeld = false
  var isTalking = false
  /// Which of its calls this is: frames planned for an older one mean nothing.
  var session = 0
  var firstFrame = Instant.zero
  var frame = 0
  var wakeAt = Instant.never
  var windowsInCalm = 0
  /// Pilots of the last window that should not have been in it.
  var suspects: UInt32 = 0

  init(number: Int, traits: PhoneTraits, random: RandomSource) {
    self.number = number
    self.traits = traits
    self.random = random
    signalling = SimulatedAddresses.phone(number)
    media = signalling.with(port: SimulatedAddresses.phoneMediaPort)
    core = Self.makeCore(traits, signalling, &self.random)
  }

  /// As it comes out of the box.
  func restart() {
    core = Self.makeCore(traits, signalling, &random)
    isAlive = true
    forget()
  }

  func forget() {
    state = .idle
    call = nil
    audio = nil
    wantsHold = false
    isHeld = false
    session += 1
  }

  /// Heard by others: in a call, not on hold, speaking.
  var isHeard: Bool { isAlive && state == .up && !isHeld && !wantsHold && isTalking }

  func with<Result>(_ body: (inout VirtualPhones) -> Result) -> Result { body(&core) }

  /// - Returns: whether the call has usable media.
  func connected(_ negotiated: NegotiatedAudio, voice: PhoneVoice) -> Bool {
    isHeld = negotiated.direction == .inactive
    if audio?.renegotiate(negotiated) == true { return true }
    audio = PhoneMedia(negotiated, voice: voice, quiet: traits.quiet, ear: true, random: &random)
    return audio != nil
  }

  private static func makeCore(
    _ traits: PhoneTraits, _ address: SocketAddress, _ random: inout RandomSource
  ) -> VirtualPhones {
    var configuration = PhoneConfiguration()
    configuration.capabilities.encodings = [traits.codec]
    configuration.capabilities.suites = [traits.suite]
    configuration.capabilities.rtcpMux = traits.rtcpMux
    configuration.capabilities.audioLevelExtension = traits.levels
    configuration.quiet = traits.quiet
    return VirtualPhones(
      configuration: configuration, listen: [.udp: address, .tcp: address], random: RandomSource(seed: random.bytes(32))
    )
  }
}
