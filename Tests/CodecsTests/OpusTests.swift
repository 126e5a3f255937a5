//  OpusTests.swift: round trips, loss, cloning and packet inspection.

import Codecs
import Foundation
import Primitives
import Testing

@Suite("Opus (RFC 6716)")
struct OpusTests {
  private static func encode(
    _ samples: [Int16], frame: Int = 960, application: OpusEncoder.Application = .voice,
    configure: (inout OpusEncoder) -> Void = { _ in }
  ) throws -> [[UInt8]] {
    var encoder = try OpusEncoder(application: application)
    encoder.setBitRate(32_000)
    encoder.setComplexity(5)
    configure(&encoder)
    return try stride(from: 0, to: samples.count - frame + 1, by: frame).map { start in
      try packet(&encoder, samples[start..<(start + frame)])
    }
  }

  private static func packet(_ encoder: inout OpusEncoder, _ samples: ArraySlice<Int16>) throws -> [UInt8] {
    var payload = [UInt8](repeating: 0, count: 1_276)
    var bytes = payload.mutableSpan
    var target = bytes.mutableBytes
    let count = try encoder.encode(samples.span, into: &target)
    return Array(payload.prefix(count))
  }

  private enum Loss { case none, concealed, recovered }

  private static func decode(_ packets: [[UInt8]], lost: Set<Int> = [], by loss: Loss = .none) throws -> [Int16] {
    var decoder = try OpusDecoder()
    var output: [Int16] = []
    var block = [Int16](repeating: 0, count: 5_760)
    for (index, packet) in packets.enumerated() {
      var span = block.mutableSpan
      let count: Int
      let next = packets[min(index + 1, packets.count - 1)]
      if lost.contains(index) {
        count =
          loss == .recovered && index + 1 < packets.count
          ? try decoder.recover(from: next.span.bytes, samples: 960, into: &span)
          : try decoder.conceal(samples: 960, into: &span)
      } else {
        count = try decoder.decode(packet.span.bytes, into: &span)
      }
      output += block.prefix(count)
    }
    return output
  }

  @Test("voice comes back: correlation over 0.9", arguments: [OpusEncoder.Application.voice, .audio, .lowDelay])
  func roundTrip(application: OpusEncoder.Application) throws {
    let input = voice(count: 24_000)

    let output = try Self.decode(Self.encode(input, application: application))

    let best = correlation(input, output, delays: 80...400, skip: 4_800)
    #expect(best > 0.9, "\(application): \(best)")
  }

  @Test("a lost frame rebuilt from in-band FEC is nearer the truth than a concealed one")
  func recovery() throws {
    let input = voice(count: 48_000)
    let packets = try Self.encode(input) { encoder in
      encoder.setBitRate(24_000)
      encoder.setFEC(true, expectedLoss: 20)
    }
    let lost = Set(stride(from: 10, to: packets.count - 1, by: 4))
    let clean = try Self.decode(packets)

    let concealed = try Self.decode(packets, lost: lost, by: .concealed)
    let recovered = try Self.decode(packets, lost: lost, by: .recovered)

    func error(_ output: [Int16]) -> Double {
      lost.reduce(0) { sum, index in
        (0..<960).reduce(sum) { sum, k in
          let difference = Double(output[index * 960 + k]) - Double(clean[index * 960 + k])
          return sum + difference * difference
        }
      }
    }
    #expect(error(recovered) < error(concealed) / 2)
    let flagged = try packets.filter { try OpusPacket(parsing: $0.span.bytes).hasFEC(in: $0.span.bytes) }.count
    #expect(flagged > packets.count / 2)
    let plain = try Self.encode(input)
    #expect(try !plain.contains { try OpusPacket(parsing: $0.span.bytes).hasFEC(in: $0.span.bytes) })
  }

  @Test("concealment of a long loss fades out")
  func concealmentFades() throws {
    let packets = try Self.encode(voice(count: 48_000))

    let output = try Self.decode(packets, lost: Set(20..<50), by: .concealed)

    let before = output[(15 * 960)..<(20 * 960)].map { abs(Int($0)) }.max() ?? 0
    let after = output[(45 * 960)..<(50 * 960)].map { abs(Int($0)) }.max() ?? 0
    #expect(after < before / 4)
  }

  @Test("a clone and an adopter write the same packets as the original")
  func cloning() throws {
    let input = voice(count: 9_600)
    var original = try OpusEncoder()
    for index in 0..<5 { _ = try Self.packet(&original, input[(index * 960)..<((index + 1) * 960)]) }

    var clone = original.clone()
    var adopter = try OpusEncoder()
    let adopted = adopter.adopt(original)
    #expect(adopted)

    for index in 5..<10 {
      let frame = input[(index * 960)..<((index + 1) * 960)]
      let expected = try Self.packet(&original, frame)
      #expect(try Self.packet(&clone, frame) == expected)
      #expect(try Self.packet(&adopter, frame) == expected)
    }
    var other = try OpusEncoder(application: .lowDelay)
    let refused = !other.adopt(original)
    #expect(refused)
  }

  @Test(
    "packet durations 2.5 to 60 ms are read from the packet and decoded", arguments: [120, 240, 480, 960, 1920, 2880])
  func durations(frame: Int) throws {
    let packets = try Self.encode(voice(count: 11_520), frame: frame)

    for packet in packets { #expect(try OpusPacket(parsing: packet.span.bytes).samples == frame) }

    #expect(try Self.decode(packets).count == 11_520)
  }

  @Test("the activity flag separates speech from a quiet room")
  func activity() throws {
    var random = RandomSource(seed: 3)
    let quiet = (0..<48_000).map { _ in Int16.random(in: -20...20, using: &random) }
    func active(_ samples: [Int16]) throws -> Int {
      try Self.encode(samples) { $0.setBitRate(20_000) }.filter {
        try OpusPacket(parsing: $0.span.bytes).hasVoice(in: $0.span.bytes) == true
      }.count
    }

    let speech = try active(voice(count: 48_000))
    let room = try active(quiet)
    print("Opus activity flags of 50 frames: speech \(speech), quiet room \(room)")
    #expect(speech > 30)
    #expect(room < 15)
  }

  @Test("framing: what RFC 6716 §3.4 forbids is refused, and what it allows is measured")
  func framing() throws {
    func parse(_ bytes: [UInt8]) -> OpusPacket? { try? OpusPacket(parsing: bytes.span.bytes) }

    #expect(parse([]) == nil)
    #expect(parse([0xF8])?.isDTX == true)
    #expect(parse([0x08, 1])?.isDTX == true)
    #expect(parse([0xF9, 1]) == nil, "code 1 with an odd rest")
    #expect(parse([0xF9, 1, 2])?.samples == 1_920)
    #expect(parse([0xFA]) == nil, "code 2 without a length")
    #expect(parse([0xFA, 5, 1]) == nil, "code 2 beyond its end")
    #expect(parse([0xFA, 252, 0] + [UInt8](repeating: 0, count: 252))?.firstFrameCount == 252)
    #expect(parse([0xFB]) == nil, "code 3 without a count")
    #expect(parse([0xFB, 0]) == nil, "no frames")
    #expect(parse([0xFB, 6])?.samples == 5_760)
    #expect(parse([0xFB, 7]) == nil, "140 ms")
    #expect(parse([0xE3, 48])?.samples == 5_760)
    #expect(parse([0xE3, 49]) == nil, "122.5 ms")
    #expect(parse([0x1B, 3]) == nil, "3 × 60 ms")
    #expect(parse([0xFB, 0x41, 255, 255]) == nil, "padding without an end")
    #expect(parse([0xFB, 0x41, 200, 1]) == nil, "padding beyond the packet")
    #expect(parse([0xFB, 0x41, 2, 9, 0, 0])?.firstFrameCount == 1)
    #expect(parse([0xFB, 0x82, 3, 1, 2]) == nil, "VBR length beyond the end")
    #expect(parse([0xFB, 0x82, 1, 1, 2])?.frameBytes == 2)
    #expect(parse([0xF8] + [UInt8](repeating: 0, count: 1_276)) == nil, "a frame of 1,276 bytes")
  }

  @Test("random and damaged packets never trap, and what is decoded has the length that was announced")
  func hostile() throws {
    var random = RandomSource(seed: 11)
    var decoder = try OpusDecoder()
    var block = [Int16](repeating: 0, count: 5_760)
    let good = try Self.encode(voice(count: 4_800))
    for round in 0..<600 {
      var packet: [UInt8]
      if round % 2 == 0 {
        packet = random.bytes(Int.random(in: 0...80, using: &random))
      } else {
        packet = good[round % good.count]
        packet[Int.random(in: 0..<packet.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        packet = Array(packet.prefix(Int.random(in: 1...packet.count, using: &random)))
      }
      var span = block.mutableSpan
      if let count = try? decoder.decode(packet.span.bytes, into: &span) {
        #expect(try count == OpusPacket(parsing: packet.span.bytes).samples)
      }
    }
  }

  @Test("bad arguments are refused")
  func arguments() throws {
    #expect(throws: CodecError.badArgument) { _ = try OpusEncoder(channels: 3) }
    #expect(throws: CodecError.badArgument) { _ = try OpusDecoder(channels: 0) }
    var encoder = try OpusEncoder()
    let samples = [Int16](repeating: 0, count: 961)
    var payload = [UInt8](repeating: 0, count: 100)
    var bytes = payload.mutableSpan
    var target = bytes.mutableBytes
    #expect(throws: CodecError.badArgument) { _ = try encoder.encode(samples.span, into: &target) }
    var decoder = try OpusDecoder()
    var small = [Int16](repeating: 0, count: 100)
    var span = small.mutableSpan
    let packet: [UInt8] = [0xF8, 1]
    #expect(throws: CodecError.tooLong) { _ = try decoder.decode(packet.span.bytes, into: &span) }
    #expect(throws: CodecError.badArgument) { _ = try decoder.conceal(samples: 7, into: &span) }
  }
}
