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
  /// The packet's bytes stay the receiver's: the last of them are
  /// kept, so that a `render` that follows begins with a decoder that has heard them, at the sample after the last.
  public mutating func takePacket(now: Instant, pool: inout PacketPool) -> ForwardStep {
    if now != forwardedTick {
      forwardedTick = now
      forwardedSamples = 0
      if jitter.beginTick(now: now, pool: &pool) {
        statistics.restarts &+= 1
        settle()
      }
      isForwarding = true
      if audible || pcm.available > 0 { stopRendering() }
      statistics.delaySamples = Int32(clamping: jitter.delay(now: now, available: 0))
      statistics.targetDelaySamples = Int32(clamping: jitter.arrivals.target)
    }
    guard forwardedSamples < Self.frameSamples &+ Self.forwardedSurplus else { return .wait }
    let step = jitter.take(now: now, pool: &pool)
    switch step {
    case .packet(let packet, let samples):
      forwardedSamples &+= samples
      kept.append(packet, &pool)
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

  /// Once a tick, before `forward` or `render`: what they take from now on are this tick's packets.
  mutating func beginTick() { kept.beginTick() }

  /// One tick of a stream that is forwarded: its packets are `kept.ofTick`.
  mutating func forward(now: Instant, pool: inout PacketPool) -> AudioRendering {
    var isPausing = false
    taking: while kept.tickCount < EncodeGroup.packetsPerTick {
      switch takePacket(now: now, pool: &pool) {
      case .packet, .lost: continue
      case .wait: break taking
      case .pause:
        isPausing = true
        break taking
      }
    }
    if kept.tickCount > 0 || isPausing { forwardedLevel = claimedLevel }
    return isPausing && kept.tickCount == 0 ? .silent : .spoken
  }

  /// What this tick's packets claim.
  var claimedLevel: Int {
    var loudest = -127
    for index in 0..<kept.tickCount { loudest = max(loudest, level(of: kept.ofTick(index))) }
    return loudest
  }

  private func level(of packet: AudioPacket) -> Int { 0 &- Int((packet.level ?? 127) & 127) }

  /// How loud the packet claims to be whose turn it is, −127…0 dBov; `nil` when none is due.
  func dueLevel(now: Instant) -> Int? { jitter.due(now: now).map { level(of: $0) } }

  /// Listeners go from the packets to a mix whose encoder lags by `lag` samples: play-out goes back by a pitch period or a
  /// few, less the lag, so that what they hear first of the mix resembles what would have followed the last packet.
  mutating func rewind(lag: Int, pool: inout PacketPool) {
    if isForwarding { endForwarding(pool: &pool) }
    guard audible, jitter.phase == .playing else { return }
    jitter.stretched(by: pcm.rewind(atLeast: lag))
  }

  /// Rendering follows forwarding: the decoder hears the kept packets again, and so does the past of the PCM.
  mutating func endForwarding(pool: inout PacketPool) {
    isForwarding = false
    decoders.restart()
    pcm.clear()
    for index in 0..<kept.count {
      let packet = kept[index]
      guard let codec = decoders.codec(payloadType: packet.payloadType) else { continue }
      Self.withPayload(of: packet, pool: pool) { payload in
        _ = try? decoders.decode(payload, codec: codec, into: &pcm)
      }
      statistics.decodes &+= 1
      pcm.pass()
    }
    concealedRun = 0
    gain = kept.count > 0 ? 1 : 0
    audible = kept.count > 0
  }

  mutating func forgetForwarded(pool: inout PacketPool) {
    kept.release(&pool)
    isForwarding = false
    forwardedLevel = -127
  }
}
