//  RTPHeaderTests.swift: the fixed header, its lengths and their lies (RFC 3550 §5.1).

import Primitives
import RTP
import Testing

@Suite("RTP header (RFC 3550 §5.1)")
struct RTPHeaderTests {
  @Test("every field comes back")
  func fields() throws {
    var packet = TestPacket(
      marker: true, payloadType: 127, sequence: 0xfffe, timestamp: 0xdead_beef, ssrc: 0x8000_0001,
      contributors: [7, 0xffff_ffff], extensionData: [0x10, 0xff, 0, 0], payload: [1, 2, 3], padding: 5)
    packet.profile = 0xbede

    let header = try packet.parse()

    #expect(header.marker && header.payloadType == 127 && header.sequence == 0xfffe)
    #expect(header.timestamp == 0xdead_beef && header.ssrc == 0x8000_0001)
    #expect(header.contributorCount == 2 && header.paddingCount == 5)
    #expect(header.contributor(1, in: packet.bytes.span.bytes) == 0xffff_ffff)
    #expect(header.contributor(2, in: packet.bytes.span.bytes) == nil)
    #expect(header.contributor(-1, in: packet.bytes.span.bytes) == nil)
    #expect(header.hasExtension && header.extensionCount == 4 && header.extensionOffset == 24)
    #expect(Array(packet.bytes[header.payload]) == [1, 2, 3])
  }

  @Test("an empty payload, with and without padding, is a packet")
  func empty() throws {
    #expect(try TestPacket().parse().payload == 12..<12)
    #expect(try TestPacket(padding: 255).parse().payload == 12..<12)
  }

  @Test("under 12 bytes: .tooShort, at every count")
  func short() {
    for count in 0..<12 {
      #expect(throws: DropReason.tooShort) { try RTPHeader(parsing: Array(TestPacket().bytes[..<count]).span.bytes) }
    }
  }

  @Test("versions 0, 1 and 3: .badVersion", arguments: [0, 1, 3] as [UInt8])
  func version(_ version: UInt8) {
    #expect(throws: DropReason.badVersion) { try TestPacket(version: version).parse() }
  }

  @Test("over 65,535 bytes: .tooLong; at it, a packet")
  func long() throws {
    let most = TestPacket(payload: [UInt8](repeating: 0, count: 65_535 - 12))
    #expect(try most.parse().payloadCount == 65_523)
    #expect(throws: DropReason.tooLong) { try RTPHeader(parsing: (most.bytes + [0]).span.bytes) }
  }

  @Test("contributors, extension and padding beyond the end: .badLength")
  func lies() throws {
    #expect(throws: DropReason.badLength) { try TestPacket(contributorCount: 1).parse() }
    #expect(throws: DropReason.badLength) {
      try TestPacket(contributorCount: 15, payload: [UInt8](repeating: 0, count: 59)).parse()
    }
    #expect(try TestPacket(contributorCount: 15, payload: [UInt8](repeating: 0, count: 60)).parse().payloadCount == 0)
    #expect(throws: DropReason.badLength) { try TestPacket(extensionData: [], extensionWords: 1).parse() }
    #expect(throws: DropReason.badLength) {
      try TestPacket(extensionData: [0, 0, 0, 0], extensionWords: 0xffff).parse()
    }
    #expect(try TestPacket(extensionData: []).parse().payload == 16..<16)
    // An extension bit, yet no room for the extension's own header.
    for count in 12..<16 {
      let cut = Array(TestPacket(extensionData: []).bytes[..<count])
      #expect(throws: DropReason.badLength) { try RTPHeader(parsing: cut.span.bytes) }
    }
    #expect(throws: DropReason.badLength) { try TestPacket(payload: [0], paddingBit: true).parse() }
    #expect(throws: DropReason.badLength) { try TestPacket(payload: [1, 3], paddingBit: true).parse() }
    #expect(try TestPacket(payload: [1, 2], paddingBit: true).parse().payloadCount == 0)
    // The padding count may not reach into the header: here it would be the SSRC's last byte.
    #expect(throws: DropReason.badLength) { try TestPacket(ssrc: 3, paddingBit: true).parse() }
  }

  @Test("what is written is read: levels and contributors")
  func writer() throws {
    var writer = RTPPacketWriter(payloadType: 96, sequence: 9, timestamp: 8, ssrc: 7)
    for (contributors, level) in [(0, UInt8(0)), (0, 1), (3, 14), (15, 5), (20, 0)] {
      writer.marker.toggle()
      writer.audioLevelExtension = level
      writer.audioLevel = AudioLevel(attenuation: 33, voice: true)
      let sources = (0..<contributors).map { UInt32($0 + 100) }
      var buffer = [UInt8](repeating: 0xee, count: 100)

      let offset = try #require(
        { () -> Int? in
          var span = buffer.mutableSpan
          var raw = span.mutableBytes
          return writer.write(into: &raw, contributors: sources.span)
        }())

      let header = try RTPHeader(parsing: Array(buffer[..<offset]).span.bytes)
      #expect(offset == writer.headerCount(contributors: min(contributors, 15)))
      #expect(header.payloadOffset == UInt16(offset) && header.payloadCount == 0)
      #expect(header.marker == writer.marker && header.sequence == 9 && header.timestamp == 8 && header.ssrc == 7)
      #expect(Int(header.contributorCount) == min(contributors, 15))
      for index in 0..<Int(header.contributorCount) {
        #expect(header.contributor(index, in: buffer.span.bytes) == sources[index])
      }
      let read = header.audioLevel(level == 0 ? 1 : level, in: buffer.span.bytes)
      #expect(read == (level == 0 ? nil : AudioLevel(attenuation: 33, voice: true)))
      #expect(buffer[offset...].allSatisfy { $0 == 0xee })
    }
  }

  @Test("a header that does not fit is not written")
  func writerRoom() {
    var writer = RTPPacketWriter(payloadType: 0, sequence: 0, timestamp: 0, ssrc: 0)
    writer.audioLevelExtension = 3
    for count in 0...20 {
      var buffer = [UInt8](repeating: 0, count: count)
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      #expect((writer.write(into: &raw) != nil) == (count == 20))
    }
  }

  @Test("mutated packets: parsed or refused, ranges always inside")
  func mutated() {
    var random = RandomSource(seed: 0xf022)
    for _ in 0..<20_000 {
      var packet = TestPacket(
        contributors: [1, 2], extensionData: [0x10, 0x85, 0x22, 1, 2, 3, 0, 0], payload: [9, 9, 9], padding: 3
      ).bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        packet[Int.random(in: 0..<packet.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      packet.removeLast(Int.random(in: 0...packet.count, using: &random))
      guard let header = try? RTPHeader(parsing: packet.span.bytes) else { continue }
      #expect(header.payload.upperBound + Int(header.paddingCount) == packet.count)
      for id in 0...255 as ClosedRange<UInt8> {
        if let element = header.extensionElement(id, in: packet.span.bytes) {
          #expect(element.lowerBound >= Int(header.extensionOffset))
          #expect(element.upperBound <= Int(header.extensionOffset) + Int(header.extensionCount))
        }
      }
    }
  }
}

@Suite("RTP header extensions (RFC 8285, RFC 6464)")
struct RTPExtensionTests {
  private func find(_ id: UInt8, _ data: [UInt8], profile: UInt16 = 0xbede) throws -> [UInt8]? {
    var packet = TestPacket(extensionData: data, payload: [0xaa])
    packet.profile = profile
    let header = try packet.parse()
    return header.extensionElement(id, in: packet.bytes.span.bytes).map { Array(packet.bytes[$0]) }
  }

  @Test("one-byte form: several elements, padding between and after")
  func oneByte() throws {
    let data = bytes("10aa 00 00 21bbcc 3fd0d1d2d3d4d5d6d7d8d9dadbdcdddedf 00 00 00 00")
    #expect(data.count % 4 == 0)
    #expect(try find(1, data) == [0xaa])
    #expect(try find(2, data) == [0xbb, 0xcc])
    #expect(try find(3, data)?.count == 16)
    #expect(try find(4, data) == nil)
    #expect(try find(0, data) == nil)
  }

  @Test("one-byte form: id 15, and id 0 with a length, end the search")
  func oneByteEnds() throws {
    #expect(try find(1, bytes("f0 00 10 aa")) == nil)
    #expect(try find(1, bytes("01 00 10 aa")) == nil)
    #expect(try find(15, bytes("f0 aa 00 00")) == nil)
    #expect(try find(1, bytes("10 aa f0 00")) == [0xaa])
  }

  @Test("an element longer than the extension is not found, though the payload follows")
  func oneByteLies() throws {
    #expect(try find(1, bytes("00 00 00 10")) == nil)
    #expect(try find(1, bytes("00 00 13 aa")) == nil)
    #expect(try find(2, bytes("1f aa 20 bb")) == nil)
  }

  @Test("two-byte form, any application bits", arguments: [0x1000, 0x100f] as [UInt16])
  func twoByte(_ profile: UInt16) throws {
    let data = bytes("0100 00 ff02aabb 0e01cc 00 00")
    #expect(try find(1, data, profile: profile) == [])
    #expect(try find(255, data, profile: profile) == [0xaa, 0xbb])
    #expect(try find(14, data, profile: profile) == [0xcc])
    #expect(try find(1, bytes("00 00 00 01"), profile: profile) == nil)
    #expect(try find(1, bytes("01 03 aa bb"), profile: profile) == nil)
  }

  @Test("another profile carries no elements")
  func otherProfile() throws {
    #expect(try find(1, bytes("10 aa 00 00"), profile: 0x1010) == nil)
    #expect(try find(1, bytes("10 aa 00 00"), profile: 0) == nil)
  }

  @Test("audio level: V and level, clamped")
  func level() throws {
    let packet = TestPacket(extensionData: bytes("10 85 00 00"))
    let level = try #require(try packet.parse().audioLevel(1, in: packet.bytes.span.bytes))
    #expect(level.isVoice && level.attenuation == 5)
    #expect(AudioLevel(attenuation: 200, voice: false).byte == 127)
    // An empty element in the two-byte form has no level.
    var empty = TestPacket(extensionData: bytes("01 00 00 00"))
    empty.profile = 0x1000
    #expect(try empty.parse().audioLevel(1, in: empty.bytes.span.bytes) == nil)
  }
}

@Suite("Telling protocols apart, events, serial numbers")
struct PacketKindTests {
  private func kind(_ bytes: [UInt8]) -> PacketKind { PacketKind(of: bytes.span.bytes) }

  @Test("all 256 first bytes (RFC 7983 §7) and all second bytes (RFC 5761 §4)")
  func kinds() {
    for first in 0...255 as ClosedRange<UInt8> {
      let kind = kind([first, 0, 0, 0])
      switch first {
      case 0...3: #expect(kind == .stun)
      case 16...19: #expect(kind == .zrtp)
      case 20...63: #expect(kind == .dtls)
      case 64...79: #expect(kind == .turnChannel)
      case 128...191: #expect(kind == .rtp)
      default: #expect(kind == .unknown)
      }
    }
    for second in 0...255 as ClosedRange<UInt8> {
      #expect(kind([0x80, second]) == ((192...223).contains(second) ? .rtcp : .rtp))
    }
    #expect(kind([]) == .unknown && kind([0x80]) == .unknown)
  }

  @Test("telephone events (RFC 4733 §2.3)")
  func events() throws {
    for code in 0...255 as ClosedRange<UInt8> {
      let event = TelephoneEvent(
        code: code, isEnd: code % 2 == 0, attenuation: code, duration: 0xfff0 | UInt16(code & 15))
      var buffer = [UInt8](repeating: 0xff, count: 6)
      do {
        var span = buffer.mutableSpan
        var raw = span.mutableBytes
        #expect(event.write(into: &raw, at: 1))
        #expect(!event.write(into: &raw, at: 3))
      }
      #expect(try TelephoneEvent(parsing: buffer.span.bytes, at: 1, count: 4) == event)
      #expect(event.attenuation <= 63)
    }
    let short = bytes("01 8a 03")
    #expect(throws: DropReason.badLength) { try TelephoneEvent(parsing: short.span.bytes, at: 0, count: 3) }
    #expect(throws: DropReason.badLength) { try TelephoneEvent(parsing: short.span.bytes, at: 0, count: 4) }
    let digits = (0...16 as ClosedRange<UInt8>).compactMap {
      TelephoneEvent(code: $0, isEnd: false, attenuation: 0, duration: 0).digit
    }
    #expect(String(String.UnicodeScalarView(digits)) == "0123456789*#ABCD")
  }

  @Test("serial numbers wrap")
  func serial() {
    #expect((0 as UInt16).isSeriallyAfter(65_535))
    #expect(!(65_535 as UInt16).isSeriallyAfter(0))
    #expect((0 as UInt16).serialDistance(from: 65_535) == 1)
    #expect((65_535 as UInt16).serialDistance(from: 0) == -1)
    #expect((5 as UInt32).serialDistance(from: .max) == 6)
    #expect(!(7 as UInt32).isSeriallyAfter(7))
  }
}
