//  MessageFuzzTests.swift: seeded mutations of real messages; nothing may trap.
import Primitives
import SIP
import Testing

@Suite("SIP messages from a hostile network")
struct MessageFuzzTests {
  /// Reads everything there is to read.
  private func exercise(_ bytes: [UInt8]) -> Bool {
    var framer = StreamFramer()
    framer.append(bytes)
    for _ in 0..<4 { if (try? framer.next()) == nil { break } }
    guard let message = try? SIPMessage(parsing: bytes) else { return false }
    _ = try? message.validate()
    _ = try? message.requestURI.isEquivalent(to: SIPURI(host: "h"))
    _ = (try? message.vias, try? message.routes, try? message.recordRoutes, try? message.contacts)
    _ = (try? message.topVia, try? message.from.text, try? message.to.text, try? message.cseq)
    _ = (message.expires, message.maxForwards, message.contentType, message.callID, message.reasonPhrase)
    for (name, value) in message.headerFields {
      _ = (message.all(name), message.first(name), message.parameterized(name), message.number(name))
      _ = try? NameAddress(value).text
    }
    let response = SIPMessageBuilder.response(to: message, from: Sample.flow, status: 400, toTag: "t").encoded()
    #expect(throws: Never.self) { try SIPMessage(parsing: response) }
    return true
  }

  @Test("mutated messages", arguments: [0x5eed_0001, 0x5eed_0002] as [UInt64])
  func mutations(seed: UInt64) {
    print("seed \(seed)")
    var random = RandomSource(seed: seed)
    let samples = [wire(Sample.invite)] + Torture.valid.map(\.bytes) + Torture.invalid.map(\.bytes)
    let spice: [[UInt8]] = [
      [13, 10], [10], [0], [255, 254], Array("\"".utf8), Array("<".utf8), Array(";".utf8), Array(",,".utf8),
      Array("%".utf8), Array(":".utf8), Array("99999999999999999999".utf8), Array("[::".utf8), [13, 10, 32],
      Array("Content-Length: 5\r\n".utf8), Array("\\".utf8), Array("@".utf8), Array("SIP/2.0".utf8),
    ]
    var indexed = 0
    for _ in 0..<1_500 {
      var bytes = samples[Int(random.next() % UInt64(samples.count))]
      for _ in 0..<(1 + Int(random.next() % 4)) where !bytes.isEmpty {
        let place = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 5 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(contentsOf: spice[Int(random.next() % UInt64(spice.count))], at: place)
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + Int(random.next() % 20)))
        case 3: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 40)], at: place)
        default: bytes.removeLast(min(bytes.count, Int(random.next() % 30)))
        }
      }
      if exercise(bytes) { indexed += 1 }
    }
    #expect(indexed > 500)
  }

  @Test("noise")
  func noise() {
    var random = RandomSource(seed: 0x5eed_0003)
    for count in 0..<600 { _ = exercise(random.bytes(count)) }
    #expect(!exercise(Array(repeating: 13, count: 100)))
  }
}
