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
    #expect(heard.allSatisfy { abs(Int($0)) < 40 })
    #expect(line.close() == 0)

    line.encoder.feed(Self.frame.span)
    line.encoder.pause()
    #expect(Self.take(&line.encoder) == nil)
  }
}
