//  EncodeGroup.swift: one encoder for all listeners who hear the same thing in the same format.
//  Walk: AudioMixer → EncodeGroup.encode or .forward → SendStream

import Codecs
import Primitives
import RTP

/// The packets of one tick, made once; each listener of the group gets a copy under its own header and key.
///
/// They come from the encoder, or from the one talker whom the group hears: then his packets are handed on as they are.
struct EncodeGroup: ~Copyable {
  static let payloadBytes = 1276  // AudioLimits.payloadBytes
  /// 10 ms packets are two a tick; what a decoder takes ahead, another may be forwarded.
  static let packetsPerTick = 3
  /// From this bit rate on CELT alone sounds as SILK and hybrid do at half of it, and at complexity 0 as at 5
  /// (Benchmarks/Listening), for a tenth of the time. Under load it is used from the second one on.
  static let transformBitRate: Int32 = 64_000
  static let transformBitRateUnderLoad: Int32 = 32_000

  /// Samples by which Opus encoders for voice lag, CELT or not: 6.5 ms.
  static let lag = 312

  private(set) var encoder: AudioEncoder
  /// The talker's slot while the group is one leg's own; −1 when shared or free.
  var owner = -1
  private(set) var isPaused = true
  private var complexity: Int
  private var repair = 0
  private(set) var packetCount = 0
  private(set) var level = AudioLevel(byte: 127)
  private var packets: InlineArray<3, EncodedAudio>
  /// The tick's packets one after another, then the comfort packet; each has `payloadBytes` of room.
  private var payloads = FixedBlock<UInt8>(count: (packetsPerTick + 1) * payloadBytes, repeating: 0)
  /// One packet of silence, made once: what keeps a silent stream alive.
  private(set) var comfort: EncodedAudio?
  /// What it hears, and how long already.
  var source = GroupSource()
  /// In this tick.
  var hearing = Hearing.silence
  /// A forwarded stream ends with this tick: listeners are told silence at once.
  private(set) var endsStream = false
  private var owesSilence = false

  init(format: AudioFormat, packetMilliseconds: Int) {
    complexity = EncodingEffort.full.complexity
    encoder = AudioEncoder(format: format, packetMilliseconds: packetMilliseconds, complexity: complexity)
    packets = InlineArray(repeating: EncodedAudio(byteCount: 0, duration: 0, timestampOffset: 0))
    comfort = payloads.withMutableBytes(Self.room(Self.packetsPerTick)) { encoder.writeComfort(into: &$0) }
    setMode()
  }

  /// The effort of the worker; a call into the codec only where it has changed.
  mutating func setComplexity(_ wanted: Int) {
    guard wanted != complexity else { return }
    complexity = wanted
    setMode()
  }

  /// Between two frames, without a seam: the encoder itself bridges a change of mode.
  private mutating func setMode() {
    guard encoder.format.codec == .opus else { return }
    let rate = encoder.format.opus.bitRate
    let isLoaded = complexity < EncodingEffort.full.complexity
    let transforms = repair == 0 && rate >= (isLoaded ? Self.transformBitRateUnderLoad : Self.transformBitRate)
    encoder.setTransformOnly(transforms)
    encoder.setComplexity(transforms ? 0 : complexity)
    encoder.setExpectedLoss(repair)
  }

  /// For paths that lose so much, per cent: each packet carries a copy of the one before, which SILK can and CELT cannot.
  /// 0: none. Between two frames, without a seam.
  mutating func setRepair(_ percent: Int) {
    guard percent != repair else { return }
    repair = percent
    setMode()
  }

  /// Encodes one tick.
  ///
  /// - Parameters:
  ///   - tick: packets longer than a tick begin on multiples of their length, so that a listener who changes group never
  ///     hears audio twice: a group that starts in between is first fed silence.
  /// - Returns: frames that went through the codec.
  mutating func encode(_ frame: Span<Int16>, silence: Span<Int16>, level: AudioLevel, tick: Int64) -> Int {
    var frames = 1
    packetCount = 0
    endsStream = false
    owesSilence = false
    if isPaused {
      isPaused = false
      encoder.beginAnew()  // comfort packets have changed what the decoders remember
      let ticks = Int64(max(1, encoder.packetMilliseconds / 20))
      for _ in 0..<Int(tick.quotientAndRemainder(dividingBy: ticks).remainder) {
        encoder.feed(silence)
        frames &+= 1
      }
    }
    self.level = level
    encoder.feed(frame)
    while packetCount < Self.packetsPerTick, let packet = take() {
      packets[packetCount] = packet
      packetCount &+= 1
    }
    return frames
  }

  private mutating func take() -> EncodedAudio? {
    payloads.withMutableBytes(Self.room(packetCount)) { encoder.take(into: &$0) }
  }

  /// From forwarded packets to the mix: the encoder hears what the listeners heard last, and its next packet does not
  /// predict from what their decoders never had.
  /// - Returns: frames that went through the codec.
  mutating func warmUp(_ past: Span<Int16>) -> Int {
    encoder.pause()
    isPaused = false
    packetCount = 0
    encoder.feed(past)
    var frames = 0
    while take() != nil { frames &+= 1 }
    // Packets longer than a tick begin anew with the next frame.
    encoder.pause()
    encoder.beginAnew()
    return frames
  }

  /// Nothing to be heard in this tick.
  mutating func pause() {
    packetCount = 0
    endsStream = false
    guard !isPaused else { return }
    isPaused = true
    encoder.pause()
  }

  // MARK: Forwarding

  /// The talker's packets of this tick become the group's.
  mutating func beginForwarding(level: AudioLevel) {
    packetCount = 0
    isPaused = false
    endsStream = false
    owesSilence = false
    self.level = level
  }

  mutating func forward(_ packet: AudioPacket, _ bytes: RawSpan, samples: Int, tick: Int64) {
    guard packetCount < Self.packetsPerTick, bytes.byteCount <= Self.payloadBytes else { return }
    payloads.withMutableBytes(Self.room(packetCount)) { copyBytes(bytes, to: &$0, at: 0) }
    packets[packetCount] = source.place(packet, byteCount: bytes.byteCount, samples: samples, tick: tick)
    packetCount &+= 1
  }

  /// Nobody is heard any more. After a forwarded stream listeners are told so by a packet of silence: what comes next
  /// finds their decoders at rest.
  mutating func fallSilent() {
    let ends = source.forwarded >= 0 || owesSilence
    source.end()
    pause()
    endsStream = ends
    owesSilence = false
  }

  /// The leg that was heard is gone.
  mutating func forget(_ leg: Int) {
    guard source.forwarded == leg else { return }
    source.end()
    pause()
    owesSilence = true
  }

  /// There is nothing to send but, now and then, a packet of silence.
  var isQuiet: Bool { isPaused || source.forwarded >= 0 }

  // MARK: Listeners come and go

  /// Becomes `leg`'s own, from the state of the group that it has listened to.
  mutating func adopt(_ shared: borrowing EncodeGroup, for leg: Int) {
    owner = leg
    take(shared)
  }

  /// Becomes the group of a leg that has listened to its own, from that one's state.
  mutating func resume(_ own: borrowing EncodeGroup) { take(own) }

  private mutating func take(_ other: borrowing EncodeGroup) {
    packetCount = 0
    endsStream = false
    isPaused = other.isPaused
    complexity = other.complexity
    repair = other.repair
    source = other.source
    if !encoder.adopt(other.encoder) {
      complexity = -1
      encoder.pause()
      isPaused = true
    }
  }

  /// Somebody joins who has not had the last packets.
  mutating func beginAnew() { encoder.beginAnew() }

  // MARK: Out

  /// - Parameter index: less than `packetCount`.
  func packet(_ index: Int) -> EncodedAudio { packets[index] }

  private static func room(_ index: Int) -> Range<Int> { index * payloadBytes..<(index + 1) * payloadBytes }

  func write(
    _ index: Int, into bytes: inout MutableRawSpan, _ stream: inout SendStream, tick: Int64
  ) -> Int? {
    payloads.withBytes(Self.room(index)) {
      stream.write(packets[index], payload: $0, tick: tick, level: level, into: &bytes)
    }
  }

  func writeComfort(
    _ packet: EncodedAudio, into bytes: inout MutableRawSpan, _ stream: inout SendStream, tick: Int64
  ) -> Int? {
    payloads.withBytes(Self.room(Self.packetsPerTick)) {
      stream.write(packet, payload: $0, tick: tick, level: AudioLevel(byte: 127), into: &bytes)
    }
  }
}
