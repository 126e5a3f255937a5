//  AudioReceiver+Forwarding.swift: a single talker's packets go on as they are, without a codec call.
//  Walk: JitterBuffer.take → AudioReceiver.takePacket → AudioMixer

import Primitives

extension AudioReceiver {
  /// Audio that one tick forwards at most beyond its own 20 ms, unless one packet holds more: a delay that has become too
  /// long comes down by a packet a tick.
  static let forwardedSurplus = 960

  /// The next packet of a stream that is forwarded undecoded: in order, each at most once, as soon as it is a few
  /// milliseconds old. Ask in each tick, instead of `render`, until it says `.wait` or `.pause`. How many packets come in a
  /// tick follows from their length and from the two clocks: mostly one of 20 ms, now and then none or two; what lies
  /// between two of them in time are their own timestamps.
  ///
  /// The packet's bytes stay the receiver's: they are there until the next call of any of its methods. The last two are
  /// kept, so that a `render` that follows begins with a decoder that has heard them, at the sample after the last.
  public mutating func takePacket(now: Instant, pool: inout PacketPool) -> ForwardStep {
    if now != forwardedTick {
      forwardedTick = now
      forwardedSamples = 0
      if jitter.beginTick(now: now, pool: &pool) { forgetForwarded(pool: &pool) }
      if audible || pcm.available > 0 { stopRendering() }
      statistics.delaySamples = Int32(clamping: jitter.delay(now: now, available: 0))
      statistics.targetDelaySamples = Int32(clamping: jitter.arrivals.target)
    }
    guard forwardedSamples < Self.frameSamples &+ Self.forwardedSurplus else { return .wait }
    let step = jitter.take(now: now, pool: &pool)
    switch step {
    case .packet(let packet, let samples):
      forwardedSamples &+= samples
      if let oldest = forwarded[0] { pool.give(oldest.buffer) }
      forwarded[0] = forwarded[1]
      forwarded[1] = packet
      statistics.packetsForwarded &+= 1
    case .lost(let samples): statistics.framesConcealed &+= UInt64(truncatingIfNeeded: (samples &+ 959) / 960)
    case .wait, .pause: break
    }
    return step
  }

  /// Decoded samples that `takePacket` would leave out if it followed now: 0 to 2.5 ms, more only while the delay changes.
  public var unplayedSamples: Int { pcm.available }

  private mutating func stopRendering() {
    pcm.clear()
    audible = false
    concealedRun = 0
    settle()
  }

  /// Rendering follows forwarding: the decoder catches up on what the listeners' decoders have heard.
  mutating func endForwarding(pool: inout PacketPool) {
    decoders.restart()
    for index in 0..<2 {
      guard let packet = forwarded[index], let codec = decoders.codec(payloadType: packet.payloadType) else { continue }
      Self.withPayload(of: packet, pool: pool) { payload in
        _ = try? decoders.decode(payload, codec: codec, into: &pcm)
      }
      statistics.decodes &+= 1
      pcm.pass()
    }
    forgetForwarded(pool: &pool)
    concealedRun = 0
    gain = 1
    audible = true
  }

  mutating func forgetForwarded(pool: inout PacketPool) {
    for index in 0..<2 {
      if let packet = forwarded[index] { pool.give(packet.buffer) }
      forwarded[index] = nil
    }
  }
}
