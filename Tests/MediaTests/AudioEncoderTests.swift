//  AudioEncoderTests.swift: packet times, timestamps, clones and comfort frames of the encoder of an encode group.

import Codecs
import Media
import Primitives
import Testing

@Suite("Audio encoder")
struct AudioEncoderTests {
  private static func take(_ encoder: inout AudioEncoder) -> (bytes: [UInt8], packet: EncodedAudio)? {
    var payload = [UInt8](repeating: 0, count: AudioLimits.payloadBytes)
    var span = payload.mutableSpan
    var bytes = span.mutableBytes
    guard let packet = encoder.take(into: &bytes) else { return nil }
    return (Array(payload.prefix(packet.byteCount)), packet)
  }

  private static let frame = AudioSignals.voice(count: 960)

  @Test("packets a frame, durations and offsets at each packet time", arguments: AudioCodec.allCases)
  func packetTimes(codec: AudioCodec) {
    let unit = Int32(codec.clockRate / 1_000)
    let expected: [Int: [[Int32]]] = [
      10: [[0, 10], [0, 10]], 20: [[0], [0]], 40: [[], [-20], [], [-20]], 60: [[], [], [-40], [], [], [-40]],
    ]
    for (milliseconds, frames) in expected {
      var encoder = AudioEncoder(
        format: AudioFormat(codec: codec, payloadType: 0), packetMilliseconds: milliseconds)
      for offsets in frames {
        encoder.feed(Self.frame.span)
        var found: [Int32] = []
        while let taken = Self.take(&encoder) {
          found.append(taken.packet.timestampOffset)
          #expect(taken.packet.duration == UInt32(unit) * UInt32(milliseconds))
          switch codec {
          case .opus: #expect((try? OpusPacket(parsing: taken.bytes.span.bytes).samples) == 48 * milliseconds)
          case .g722, .pcmu, .pcma: #expect(taken.bytes.count == 8 * milliseconds)
          }
        }
        #expect(found == offsets.map { $0 * unit })
      }
    }
  }

  @Test(
    "a clone and an adopter continue byte for byte, also in the middle of a packet", arguments: AudioCodec.allCases,
    [20, 60])
  func clones(codec: AudioCodec, milliseconds: Int) {
    let format = AudioFormat(codec: codec, payloadType: 0)
    var original = AudioEncoder(format: format, packetMilliseconds: milliseconds)
    for _ in 0..<4 {
      original.feed(Self.frame.span)
      while Self.take(&original) != nil {}
    }

    var clone = original.clone()
    var adopter = AudioEncoder(format: format, packetMilliseconds: milliseconds)
    let adopted = adopter.adopt(original)
    #expect(adopted)

    for _ in 0..<3 {
      original.feed(Self.frame.span)
      clone.feed(Self.frame.span)
      adopter.feed(Self.frame.span)
      let bytes = Self.take(&original)?.bytes
      #expect(Self.take(&clone)?.bytes == bytes)
      #expect(Self.take(&adopter)?.bytes == bytes)
    }
    var other = AudioEncoder(format: format, packetMilliseconds: 10)
    let refused = !other.adopt(original)
    #expect(refused)
  }

  @Test(
    "a pause drops half a packet; comfort frames are whole packets of silence", arguments: AudioCodec.allCases,
    [10, 20, 40, 60])
  func comfort(codec: AudioCodec, milliseconds: Int) throws {
    var line = AudioLine(codec, packetMilliseconds: milliseconds)
    var payload = [UInt8](repeating: 0, count: 480)
    var span = payload.mutableSpan
    var bytes = span.mutableBytes

    let written = line.encoder.writeComfort(into: &bytes)

    let packet = try #require(written)
    let comfort = Array(payload.prefix(packet.byteCount))
    if codec == .opus { #expect(try OpusPacket(parsing: comfort.span.bytes).samples == 48 * milliseconds) }
    for index in 0..<4 {
      line.deliver(
        comfort, sequence: UInt16(index), timestamp: UInt32(index) * packet.duration, at: Double(index * milliseconds))
    }
    let heard = line.render(at: 70).samples
    let loudest = heard.map { abs(Int($0)) }.max() ?? 0
    #expect(loudest < 40)
    #expect(line.close() == 0)

    line.encoder.feed(Self.frame.span)
    line.encoder.pause()
    #expect(Self.take(&line.encoder) == nil)
  }

  /// Frames of one encoder, then of another one that has lain idle since its first `earlier` frames.
  /// - Returns: root mean square of the frames around the switch.
  private static func levels(beginsAnew: Bool, bitRate: Int32, earlier: Int, _ sound: [Int16]) throws -> [Int] {
    var format = AudioFormat(codec: .opus, payloadType: 111)
    format.opus.bitRate = bitRate
    var before = AudioEncoder(format: format)
    var after = AudioEncoder(format: format)
    var decoder = try OpusDecoder()
    var samples = [Int16](repeating: 0, count: 5_760)
    var levels: [Int] = []
    for index in 0..<60 {
      let frame = sound.span.extracting(index * 960..<(index + 1) * 960)
      if index == 50, beginsAnew { after.beginAnew() }
      var bytes: [UInt8]?
      if index < 50 {
        before.feed(frame)
        bytes = take(&before)?.bytes
      }
      if index < earlier || index >= 50 {
        after.feed(frame)
        let taken = take(&after)?.bytes
        if index >= 50 { bytes = taken }
      }
      guard let bytes else { continue }
      var output = samples.mutableSpan
      let count = try decoder.decode(bytes.span.bytes, into: &output)
      guard index >= 45 else { continue }
      levels.append(Int((samples[..<count].reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)).squareRoot()))
    }
    return levels
  }

  @Test(
    "a packet that begins anew is right for a decoder that heard another encoder before",
    arguments: [Int32(16_000), 24_000, 32_000, 64_000])
  func beginAnew(bitRate: Int32) throws {
    var random = RandomSource(seed: UInt64(3))
    let voice = AudioSignals.voice(count: 60 * 960)
    let sound = voice.map { Int16(truncatingIfNeeded: Int(random.nextWord() & 0x7ff) - 1_024) + $0 / 2 }
    // An encoder that has heard all of it, for comparison.
    let right = try Self.levels(beginsAnew: false, bitRate: bitRate, earlier: 50, sound)
    for earlier in [0, 10] {
      let built = try Self.levels(beginsAnew: false, bitRate: bitRate, earlier: earlier, sound)
      let anew = try Self.levels(beginsAnew: true, bitRate: bitRate, earlier: earlier, sound)

      #expect(anew.count == right.count)
      for (level, wanted) in zip(anew, right).dropFirst(5) {
        #expect(level * 4 < wanted * 5 && level * 5 > wanted * 3, "\(anew) instead of \(right), without \(built)")
      }
    }
  }
}
