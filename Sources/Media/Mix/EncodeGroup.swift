//  EncodeGroup.swift: one encoder for all listeners who hear the same thing in the same format.
//  Walk: AudioMixer → EncodeGroup.encode → SendStream

import Codecs
import Primitives
import RTP

/// The packets of one tick, encoded once; each listener of the group gets a copy under its own header and key.
struct EncodeGroup: ~Copyable {
  static let payloadBytes = 1276  // AudioLimits.payloadBytes
  /// 10 ms packets: two a tick.
  static let packetsPerTick = 2

  private(set) var encoder: AudioEncoder
  /// The talker's slot while the group is one leg's own; −1 when shared or free.
  var owner = -1
  private(set) var isPaused = true
  private var complexity: Int
  private(set) var packetCount = 0
  private(set) var level = AudioLevel(byte: 127)
  private var packets: InlineArray<2, EncodedAudio>
  /// The tick's packets one after another, then the comfort packet; each has `payloadBytes` of room.
  private var payloads = FixedBlock<UInt8>(count: (packetsPerTick + 1) * payloadBytes, repeating: 0)
  /// One packet of silence, made once: what keeps a silent stream alive.
  private(set) var comfort: EncodedAudio?

  init(format: AudioFormat, packetMilliseconds: Int) {
    complexity = EncodingEffort.full.complexity
    encoder = AudioEncoder(format: format, packetMilliseconds: packetMilliseconds, complexity: complexity)
    packets = InlineArray(repeating: EncodedAudio(byteCount: 0, duration: 0, timestampOffset: 0))
    comfort = payloads.withMutableBytes(Self.room(Self.packetsPerTick)) { encoder.writeComfort(into: &$0) }
  }

  /// The effort of the worker; a call into the codec only where it has changed.
  mutating func setComplexity(_ wanted: Int) {
    guard wanted != complexity else { return }
    complexity = wanted
    encoder.setComplexity(wanted)
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
    while packetCount < Self.packetsPerTick {
      let packet = payloads.withMutableBytes(Self.room(packetCount)) { encoder.take(into: &$0) }
      guard let packet else { break }
      packets[packetCount] = packet
      packetCount &+= 1
    }
    return frames
  }

  /// Nothing to be heard in this tick.
  mutating func pause() {
    packetCount = 0
    guard !isPaused else { return }
    isPaused = true
    encoder.pause()
  }

  /// Becomes `leg`'s own, from the state of the group that it has listened to.
  mutating func adopt(_ shared: borrowing EncodeGroup, for leg: Int) {
    owner = leg
    packetCount = 0
    isPaused = shared.isPaused
    complexity = shared.complexity
    if !encoder.adopt(shared.encoder) {
      complexity = -1
      encoder.pause()
      isPaused = true
    }
  }

  /// Becomes the group of a leg that has listened to its own, from that one's state.
  mutating func resume(_ own: borrowing EncodeGroup) {
    packetCount = 0
    isPaused = own.isPaused
    complexity = own.complexity
    if !encoder.adopt(own.encoder) {
      complexity = -1
      encoder.pause()
      isPaused = true
    }
  }

  /// Somebody joins who has not had the last packets.
  mutating func beginAnew() { encoder.beginAnew() }

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
