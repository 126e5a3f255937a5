//  G711Tests.swift: both laws against the ITU's formulas and against tables made by another implementation.

import Codecs
import Testing

@Suite("G.711")
struct G711Tests {
  @Test("tables are ITU's: decoded values and codes of all positive samples agree with another implementation")
  func tables() {
    let codes = (0...255).map { UInt8($0) }

    #expect(fnv(littleEndian(codes.map { G711.expand($0, law: .mu) })) == 0xB91E_65D6_8481_A1A8)
    #expect(fnv(littleEndian(codes.map { G711.expand($0, law: .a) })) == 0x693A_40CA_62A3_D2A5)
    #expect(fnv((0...32_767).map { G711.compress(Int16($0), law: .mu) }) == 0x1830_3138_F6EA_EB89)
    #expect(fnv((0...32_767).map { G711.compress(Int16($0), law: .a) }) == 0xD107_4309_FE65_B625)
  }

  @Test("negative samples mirror positive ones, in one's complement as G.191 has it", arguments: [G711.Law.mu, .a])
  func mirrored(law: G711.Law) {
    for sample in stride(from: 0, through: 32_767, by: 7) {
      #expect(G711.compress(~Int16(sample), law: law) == G711.compress(Int16(sample), law: law) ^ 0x80)
    }
  }

  @Test("every code survives decode and encode; only µ-law's negative zero becomes the positive one")
  func codesSurvive() {
    for code in UInt8.min...UInt8.max {
      #expect(G711.compress(G711.expand(code, law: .a), law: .a) == code)
      let again = G711.compress(G711.expand(code, law: .mu), law: .mu)
      #expect(again == (code == 0x7F ? 0xFF : code))
    }
  }

  @Test("frames by table equal the reference, sample by sample", arguments: [G711.Law.mu, .a])
  func frames(law: G711.Law) {
    let samples = (0..<65_536).map { Int16(truncatingIfNeeded: $0 - 32_768) }
    var payload = [UInt8](repeating: 0, count: samples.count)
    var bytes = payload.mutableSpan
    var target = bytes.mutableBytes

    G711.encode(samples.span, law: law, into: &target)

    #expect(payload == samples.map { G711.compress($0, law: law) })
    var decoded = [Int16](repeating: 0, count: payload.count)
    var span = decoded.mutableSpan
    G711.decode(payload.span.bytes, law: law, into: &span)
    #expect(decoded == payload.map { G711.expand($0, law: law) })
  }

  @Test("the level of a payload is that of its samples")
  func level() {
    let samples = tone(440, rate: 8_000, count: 160)
    var payload = [UInt8](repeating: 0, count: 160)
    var bytes = payload.mutableSpan
    var target = bytes.mutableBytes
    G711.encode(samples.span, law: .mu, into: &target)

    let (energy, count) = G711.meanSquare(payload.span.bytes, law: .mu)

    #expect(count == 160)
    let mean = Double(energy) / Double(count)
    #expect(abs(mean / 5e7 - 1) < 0.02)
    let none: [UInt8] = []
    #expect(G711.meanSquare(none.span.bytes, law: .a).count == 0)
  }
}
