//  AudioReceiver.swift: one incoming audio stream: jitter buffer, decoders, concealment, time-stretching, 48 kHz out.
//  Walk: ReceiveStream → AudioReceiver → AudioMixer

import Codecs
import Primitives

/// What one tick of a stream was.
@frozen public enum AudioRendering: UInt8, Sendable, BitwiseCopyable {
  /// Decoded from what was received (in-band FEC included).
  case spoken
  /// Some of it was invented: packets were lost or late.
  case concealed
  /// Nothing but zeros: a pause, a muted sender, an outage that has faded out. The mixer may leave it out.
  case silent
}

/// Counters of one receiver over its life.
@frozen public struct AudioReceiverStatistics: Sendable, Hashable, BitwiseCopyable {
  /// Ticks that were wholly or partly concealed. What filled the time until a sender's pause was known is not counted.
  public var framesConcealed: UInt64 = 0
  /// Packets rebuilt from the next one's in-band FEC.
  public var framesRecovered: UInt64 = 0
  public var packetsInserted: UInt64 = 0
  public var packetsLate: UInt64 = 0
  public var packetsDuplicate: UInt64 = 0
  public var packetsOverflowed: UInt64 = 0
  /// Payloads that a decoder refused.
  public var packetsUndecodable: UInt64 = 0
  public var decodes: UInt64 = 0
  /// Packets that left undecoded by `takePacket`.
  public var packetsForwarded: UInt64 = 0
  /// Pitch periods removed and inserted by time-stretching.
  public var accelerations: UInt64 = 0
  public var decelerations: UInt64 = 0
  /// Times the play-out position was chosen anew: talk spurts, outages, clock jumps.
  public var restarts: UInt64 = 0
  /// Network-to-play-out delay at the last rendered tick, and the target it follows, 48 kHz samples.
  public var delaySamples: Int32 = 0
  public var targetDelaySamples: Int32 = 0
  public init() {}
}

/// Loudness of the newest audio that arrived.
@frozen public struct NewestAudio: BitwiseCopyable, Sendable {
  private var level = -127
  private var timestamp: UInt32 = 0
  private var arrival: Instant?

  init() {}

  mutating func take(level: Int, timestamp: UInt32, now: Instant) {
    if let arrival, Int32(bitPattern: timestamp &- self.timestamp) <= 0, now - arrival <= .milliseconds(500) { return }
    self.level = level
    self.timestamp = timestamp
    arrival = now
  }

  /// −127…0 dBov; −127 when nothing arrived for 200 ms.
  public func level(now: Instant) -> Int {
    guard let arrival, now - arrival < .milliseconds(200) else { return -127 }
    return level
  }
}

/// One incoming audio stream, from packets to 20 ms frames of mono PCM at 48 kHz.
///
/// A stream is *heard*, once a tick by `render`; or *forwarded*, by `takePacket`; or neither, from `skip` on and at first:
/// then it keeps its newest packets by itself and nothing need be done in a tick. Buffers of accepted packets belong to
/// the receiver until it gives them back to the pool, in any of its methods; at the end `reset` gives back all, and must
/// be called before the value is dropped. Allocates in `init` and `configure` only.
public struct AudioReceiver: ~Copyable {
  /// Samples of one tick: 20 ms at 48 kHz.
  public static let frameSamples = 960
  /// Concealment keeps its loudness so long (40 ms), and is silent after so long (120 ms).
  private static let fadeStart: Float = 1_920
  private static let fadeEnd: Float = 5_760

  public internal(set) var statistics = AudioReceiverStatistics()

  var jitter = JitterBuffer()
  var decoders: AudioDecoders
  var pcm = PCMBuffer()
  private var meter = G722LevelMeter()

  /// Of the newest audio that arrived.
  public private(set) var newest = NewestAudio()
  /// Concealed samples in a row, and the gain at their end.
  var concealedRun = 0
  var gain: Float = 1
  /// The last tick was heard (its end may not be zero).
  var audible = false
  var pendingConcealed: UInt64 = 0
  /// The last packets taken out, played or forwarded: what is forwarded in this tick, and what a decoder must have heard.
  var kept = KeptPackets()
  /// The last of them were forwarded only: the decoder knows nothing of them.
  var isForwarding = false
  /// Of the packets last forwarded, as they claim, −127…0 dBov.
  var forwardedLevel = -127
  /// Packets come with RFC 6464's level: what they claim is what was measured.
  private(set) var hasLevels = false
  /// What the packets are like that come in.
  var shape = OpusStreamShape()
  var forwardedTick = Instant.zero
  var forwardedSamples = 0

  /// - Parameter formats: what the peer may send, at most `AudioLimits.formats`; later ones are ignored.
  public init(formats: [AudioFormat]) {
    decoders = AudioDecoders(formats: formats)
    jitter.phase = .unheard
  }

  /// Renegotiated payload types. Decoders of formats that stay are kept; waiting packets are released.
  public mutating func configure(formats: [AudioFormat], pool: inout PacketPool) {
    // A payload type may have changed its meaning: what waits was sent under the old one.
    jitter.reset(pool: &pool)
    forgetForwarded(pool: &pool)
    decoders.configure(formats)
  }

  /// Gives back every buffer and starts over: new SSRC, believed sequence jump, end of the leg. Statistics go on.
  public mutating func reset(pool: inout PacketPool) {
    jitter.reset(pool: &pool)
    forgetForwarded(pool: &pool)
    shape = OpusStreamShape()
    settle()
    newest = NewestAudio()
  }

  /// When the newest packet arrived that the last rendered frame was decoded from; `.zero` when there was none.
  public var renderedArrival: Instant { jitter.decodedArrival }

  /// Of the last packet decoded.
  var codec: AudioCodec? { decoders.codec }
  /// By how many samples the stream's packets come earlier before their ticks than they need; `nil` while that is not known.
  public var surplus: Int? { jitter.surplus }

  /// Buffers that this receiver holds now.
  public var heldPackets: Int { jitter.count + kept.count }

  // MARK: In

  /// Takes one packet. On a throw the packet's buffer still belongs to the caller.
  ///
  /// - Throws: `.duplicate`, `.late`, `.overflow`, `.unknownPayloadType`, `.onProbation` (the first packet after a jump of
  ///   the sender's clock), `.codecError` (no payload, a TOC that lies, more than 120 ms).
  public mutating func insert(_ packet: AudioPacket, now: Instant, pool: inout PacketPool) throws(DropReason) {
    guard let codec = decoders.types.codec(of: packet.payloadType) else { throw .unknownPayloadType }
    let end = Int(packet.payloadOffset) &+ Int(packet.payloadCount)
    guard packet.payloadCount > 0, end <= PacketPool.bufferSize else { throw .codecError }
    let payload = try pool.withBytes(of: packet.buffer, count: end) { (bytes) throws(DropReason) -> Payload in
      try inspect(bytes.extracting(droppingFirst: Int(packet.payloadOffset)), codec: codec)
    }
    var level = payload.level
    if let given = packet.level { level = 0 &- Int(given & 127) }
    // −127 by the sender's own measure is digital silence: a muted microphone. Nothing is lost by not decoding it.
    let quiet = payload.quiet || packet.level.map { $0 & 127 == 127 } ?? false
    // What the packet tells of its loudness goes with it, so that it is known when its time comes.
    var packet = packet
    hasLevels = packet.level != nil
    if packet.level == nil { packet.level = UInt8(clamping: 0 &- payload.claim) }
    do {
      try jitter.insert(
        packet, samples: payload.samples, clockScale: codec == .opus ? 1 : 6, quiet: quiet, level: level,
        repeats: payload.repeats, now: now, pool: &pool)
    } catch {
      switch error {
      case .late: statistics.packetsLate &+= 1
      case .duplicate: statistics.packetsDuplicate &+= 1
      case .overflow: statistics.packetsOverflowed &+= 1
      default: break
      }
      throw error
    }
    statistics.packetsInserted &+= 1
    newest.take(level: level, timestamp: packet.timestamp, now: now)
    shape.note(payload.opus, byteCount: Int(packet.payloadCount))
  }

  private struct Payload {
    var samples: Int
    var level: Int
    var quiet: Bool
    var repeats = false
    /// As `level`, but SILK's word is taken for it whether there is a voice.
    var claim: Int
    var opus: OpusStreamShape.Packet?
  }

  private mutating func inspect(_ bytes: RawSpan, codec: AudioCodec) throws(DropReason) -> Payload {
    switch codec {
    case .opus:
      guard let packet = try? OpusPacket(parsing: bytes) else { throw .codecError }
      let repeats = packet.hasFEC(in: bytes)
      let kind = OpusStreamShape.Packet(packet, repeats: repeats)
      if packet.isDTX {
        return Payload(samples: packet.samples, level: -127, quiet: true, claim: -127, opus: kind)
      }
      // Bytes in 20 ms: room noise takes 15–40, speech at common rates 50–100.
      let size = packet.frameBytes &* 960 / packet.samples
      var level = min(-20, -70 &+ size / 2)
      // No voice may be noise or a steady tone, music too: just loud enough that the mixer decodes it once and measures.
      var claim = level
      switch packet.hasVoice(in: bytes) {
      case false?:
        level = min(level, TalkerChoice.threshold + 1)
        claim = min(level, TalkerChoice.threshold - 5)
      case true?: claim = max(level, TalkerChoice.threshold + 1)
      case nil: break
      }
      return Payload(
        samples: packet.samples, level: level, quiet: false, repeats: repeats, claim: claim, opus: kind)
    case .g722:
      let samples = bytes.byteCount &* 6
      guard samples <= AudioLimits.packetSamples else { throw .codecError }
      // Fitted to tones: a step of 5,092 is one at −33 dBov, 9,826 one at −13; less predictable sounds read higher.
      let level = -36 &+ (meter.measure(bytes) &- 5_092) / 240
      let bounded = max(-127, min(0, level))
      return Payload(samples: samples, level: bounded, quiet: false, claim: bounded)
    case .pcmu, .pcma:
      let samples = bytes.byteCount &* 6
      guard samples <= AudioLimits.packetSamples else { throw .codecError }
      let (energy, count) = G711.meanSquare(bytes, law: codec == .pcmu ? .mu : .a)
      let level = LevelKernels.level(energy: energy, count: count)
      return Payload(samples: samples, level: level, quiet: false, claim: level)
    }
  }

  /// Loudness of the newest audio that arrived, −127…0 dBov, for choosing talkers without decoding; −127 when nothing
  /// arrived for 200 ms. RFC 6464's value when given; measured for G.711; for G.722 from its step size; for Opus a guess
  /// from packet size and SILK's activity flag.
  public func level(now: Instant) -> Int { newest.level(now: now) }

  // MARK: Out

  /// The stream is not heard from now on, until `render` or `takePacket`: its newest packets are kept, so that a promoted
  /// talker's first syllable is not cut, and no codec runs. Again and again, or never after the first time: it is the same.
  @inline(__always) public mutating func skip(now: Instant, pool: inout PacketPool) {
    if jitter.phase != .unheard { leave(pool: &pool) }
  }

  private mutating func leave(pool: inout PacketPool) {
    jitter.skip(pool: &pool)
    forgetForwarded(pool: &pool)
    pcm.clear()
    audible = false
    concealedRun = 0
    pendingConcealed = 0
  }

  /// One tick of a stream that is heard. `output` is filled wholly: 960 samples, mono, 48 kHz.
  public mutating func render(
    into output: inout MutableSpan<Int16>, now: Instant, pool: inout PacketPool
  ) -> AudioRendering {
    precondition(output.count == Self.frameSamples)
    if jitter.beginTick(now: now, pool: &pool) {
      isForwarding = false
      beginSpurt()
    } else if isForwarding {
      endForwarding(pool: &pool)
    }
    var tick = Tick()
    fetch(Self.frameSamples, now: now, pool: &pool, tick: &tick)
    if tick.paused {
      fadeToSilence(&tick)
    } else {
      stretch(now: now, pool: &pool, tick: &tick)
      statistics.delaySamples = Int32(clamping: jitter.delay(now: now, available: pcm.available))
    }
    statistics.targetDelaySamples = Int32(clamping: jitter.arrivals.target)
    let heard = pcm.consume(into: &output)
    audible = heard == Self.frameSamples && !tick.paused
    if tick.concealed {
      pendingConcealed &+= 1
    }
    // Whether a pause or a loss began is known when the next packet comes.
    if !tick.held && !tick.paused { settle() }
    if heard == 0 { return .silent }
    return tick.concealed ? .concealed : .spoken
  }

  private struct Tick {
    var concealed = false
    var paused = false
    /// Concealment that may still turn out to cover a pause.
    var held = false
  }

  mutating func settle() {
    statistics.framesConcealed &+= pendingConcealed
    pendingConcealed = 0
  }

  private mutating func beginSpurt() {
    statistics.restarts &+= 1
    if jitter.resumedWithoutLoss { pendingConcealed = 0 } else { settle() }
    pcm.drop()
    decoders.restart()
    concealedRun = 0
    gain = 0
  }

  /// Decodes or invents until `wanted` samples wait.
  private mutating func fetch(_ wanted: Int, now: Instant, pool: inout PacketPool, tick: inout Tick) {
    while pcm.available < wanted {
      switch jitter.next(now: now, available: pcm.available, pool: &pool) {
      case .decode(let packet, let samples):
        decode(packet, samples: samples, pool: pool, tick: &tick)
        kept.append(packet, &pool)
        tick.held = false
      case .recover(let packet, let samples):
        recover(from: packet, samples: samples, pool: pool, tick: &tick)
      case .conceal(let samples):
        conceal(samples, tick: &tick)
        tick.held = jitter.held > 0
      case .pause:
        tick.paused = true
        return
      }
    }
  }

  private mutating func decode(
    _ packet: AudioPacket, samples: Int, pool: borrowing PacketPool, tick: inout Tick
  ) {
    let before = pcm.available
    guard let codec = decoders.codec(payloadType: packet.payloadType) else {
      return conceal(max(120, samples / 120 * 120), tick: &tick)
    }
    let appended = Self.withPayload(of: packet, pool: pool) { payload in
      (try? decoders.decode(payload, codec: codec, into: &pcm)) ?? 0
    }
    statistics.decodes &+= 1
    guard appended > 0 else {
      statistics.packetsUndecodable &+= 1
      return conceal(max(120, samples / 120 * 120), tick: &tick)
    }
    resume(appended: pcm.available - before, codec: codec)
  }

  private mutating func recover(
    from packet: AudioPacket, samples: Int, pool: borrowing PacketPool, tick: inout Tick
  ) {
    guard let codec = decoders.codec(payloadType: packet.payloadType) else { return conceal(samples, tick: &tick) }
    let appended = Self.withPayload(of: packet, pool: pool) { payload in
      decoders.recover(from: payload, codec: codec, samples: samples, into: &pcm)
    }
    guard appended > 0 else { return conceal(samples, tick: &tick) }
    statistics.framesRecovered &+= 1
    resume(appended: appended, codec: codec)
  }

  /// Real audio follows what was invented, or silence: join them.
  private mutating func resume(appended: Int, codec: AudioCodec) {
    if concealedRun > 0, gain > 0, codec != .opus { pcm.smoothSeam(offsetFromEnd: appended) }
    if gain < 1 { pcm.ramp(offsetFromEnd: appended, count: min(appended, 240), from: gain, to: 1) }
    gain = 1
    concealedRun = 0
  }

  private mutating func conceal(_ samples: Int, tick: inout Tick) {
    tick.concealed = true
    let before = pcm.available
    decoders.conceal(samples: samples, into: &pcm)
    concealedRun &+= samples
    let next = 1 - (Float(concealedRun) - Self.fadeStart) / (Self.fadeEnd - Self.fadeStart)
    let bounded = max(0, min(1, next))
    if bounded < 1 || gain < 1 { pcm.ramp(last: pcm.available - before, from: min(gain, 1), to: min(bounded, gain)) }
    gain = min(bounded, gain)
  }

  /// The stream pauses inside or before this tick: what is left fades out in at most 5 ms.
  private mutating func fadeToSilence(_ tick: inout Tick) {
    if pcm.available == 0 && audible && gain > 0 { pcm.extrapolate(240) }
    pcm.ramp(last: 240, from: gain > 0 ? 1 : 0, to: 0)
    gain = 0
  }

  private mutating func stretch(now: Instant, pool: inout PacketPool, tick: inout Tick) {
    // More than one period a tick only above the ceiling.
    for _ in 0..<JitterLimits.urgentPeriods {
      switch jitter.wish(now: now, available: pcm.available) {
      case .none:
        return
      case .accelerate(let most, let urgent):
        let wanted = Self.frameSamples &+ min(most, PCMBuffer.longestPeriod)
        while pcm.available < wanted, jitter.hasContiguous, !tick.paused {
          fetch(pcm.available &+ 1, now: now, pool: &pool, tick: &tick)
        }
        let removed = pcm.accelerate(atMost: min(most, pcm.available &- Self.frameSamples), urgent: urgent)
        guard removed > 0 else { return }
        statistics.accelerations &+= 1
        jitter.stretched(by: 0 &- removed)
        guard urgent else { return }
      case .decelerate:
        let inserted = pcm.decelerate(urgent: false)
        guard inserted > 0 else { return }
        statistics.decelerations &+= 1
        jitter.stretched(by: inserted)
        return
      }
    }
  }

  static func withPayload<Result>(
    of packet: AudioPacket, pool: borrowing PacketPool, _ body: (RawSpan) -> Result
  ) -> Result {
    // insert checked that the payload lies inside the buffer.
    pool.withBytes(of: packet.buffer, count: Int(packet.payloadOffset) &+ Int(packet.payloadCount)) { bytes in
      body(bytes.extracting(droppingFirst: Int(packet.payloadOffset)))
    }
  }
}
