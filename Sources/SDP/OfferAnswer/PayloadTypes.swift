//  PayloadTypes.swift: which dynamic payload type stands for what, over a whole session (RFC 3264 §8.3.2).

/// Numbers once given are never given another meaning in the same session, ours and the peer's alike.
struct PayloadTypes: Sendable {
  private var audio: [AudioEncoding: UInt8] = [:]
  private var events: [UInt32: UInt8] = [:]
  private var used: Set<UInt8> = []

  /// Remembers what a description that was sent or received maps.
  mutating func note(_ description: SessionDescription) {
    for media in description.media { used.formUnion(media.payloadTypes) }
  }

  /// Remembers what we receive with now.
  mutating func note(_ negotiated: NegotiatedAudio) {
    for format in negotiated.receive { audio[format.encoding] = format.payloadType }
    for event in negotiated.telephoneEvents { events[event.clockRate] = event.receivePayloadType }
  }

  /// - Returns: `nil` when all 32 dynamic numbers have been used.
  mutating func payloadType(_ encoding: AudioEncoding) -> UInt8? {
    if let known = audio[encoding] ?? encoding.staticPayloadType { return known }
    audio[encoding] = allocate(preferring: 96)
    return audio[encoding]
  }

  mutating func payloadType(telephoneEvent clockRate: UInt32) -> UInt8? {
    if let known = events[clockRate] { return known }
    events[clockRate] = allocate(preferring: clockRate == 8_000 ? 101 : 102)
    return events[clockRate]
  }

  private mutating func allocate(preferring number: UInt8) -> UInt8? {
    let free = used.contains(number) ? (UInt8(96)...127).first { !used.contains($0) } : number
    if let free { used.insert(free) }
    return free
  }
}
