//  RTCPTests.swift: compounds written, read, and lied about (RFC 3550 §6, A.2).

import Primitives
import RTP
import Testing

@Suite("RTCP compounds (RFC 3550 §6)")
struct RTCPTests {
  private func parse(_ bytes: [UInt8], reducedSize: Bool = false) throws(DropReason) -> [RTCPPacket] {
    var compound = try RTCPCompound(parsing: bytes.span.bytes, reducedSize: reducedSize)
    var packets: [RTCPPacket] = []
    while let packet = compound.next(in: bytes.span.bytes) { packets.append(packet) }
    return packets
  }

  private func write(count: Int = 1_500, _ body: (inout RTCPWriter, inout MutableRawSpan) -> Void) -> [UInt8] {
    var buffer = [UInt8](repeating: 0xee, count: count)
    var writer = RTCPWriter()
    do {
      var span = buffer.mutableSpan
      var raw = span.mutableBytes
      body(&writer, &raw)
    }
    #expect(buffer[writer.count...].allSatisfy { $0 == 0xee })
    return Array(buffer[..<writer.count])
  }

  private let sender = RTCPSenderInfo(
    ntp: 0x0102_0304_0506_0708, rtpTimestamp: 0xfeed_f00d, packetCount: 77, octetCount: 88_888)
  private func block(_ index: Int) -> RTCPReportBlock {
    RTCPReportBlock(
      ssrc: UInt32(index), fractionLost: 200, cumulativeLost: -3 + Int32(index), extendedHighestSequence: 0x1_ffff,
      jitter: 12, lastSenderReport: 0xaabb_ccdd, delaySinceLastSenderReport: 65_536)
  }

  @Test("SR with blocks, SDES, BYE: written and read", arguments: [0, 1, 31])
  func roundTrip(blocks: Int) throws {
    let cname = Array("leg-17@conf.example".utf8)
    let reason = Array("hung up".utf8)
    let datagram = write { writer, raw in
      #expect(writer.senderReport(ssrc: 5, sender, into: &raw))
      for index in 0..<blocks { #expect(writer.reportBlock(block(index), into: &raw)) }
      #expect(writer.sourceDescription(ssrc: 5, cname: cname.span.bytes, into: &raw))
      #expect(!writer.reportBlock(block(0), into: &raw))
      #expect(writer.bye(ssrc: 5, reason: reason.span.bytes, into: &raw))
    }

    let packets = try parse(datagram)

    #expect(packets.count == 3 && datagram.count % 4 == 0)
    guard case .senderReport(5, sender, let reports) = packets[0],
      case .sourceDescription(let description) = packets[1],
      case .bye(let bye) = packets[2]
    else {
      Issue.record("unexpected packets \(packets)")
      return
    }
    #expect(reports.count == blocks)
    for index in 0..<blocks { #expect(reports.block(index, in: datagram.span.bytes) == block(index)) }
    #expect(reports.block(blocks, in: datagram.span.bytes) == nil)
    #expect(reports.block(about: 30, in: datagram.span.bytes) == (blocks == 31 ? block(30) : nil))
    #expect(description.canonicalName(of: 5, in: datagram.span.bytes).map { Array(datagram[$0]) } == cname)
    #expect(description.canonicalName(of: 6, in: datagram.span.bytes) == nil)
    #expect(bye.names(5, in: datagram.span.bytes) && !bye.names(6, in: datagram.span.bytes))
    #expect(Array(datagram[bye.reason]) == reason)
  }

  @Test("texts of every length keep the word boundary", arguments: [0, 1, 2, 3, 4, 5, 6, 7, 64, 254, 255])
  func texts(_ count: Int) throws {
    let text = [UInt8](repeating: 0x61, count: count)
    let datagram = write { writer, raw in
      #expect(writer.receiverReport(ssrc: 1, into: &raw))
      #expect(writer.sourceDescription(ssrc: 1, cname: text.span.bytes, into: &raw))
      #expect(writer.bye(ssrc: 1, reason: text.span.bytes, into: &raw))
    }
    let packets = try parse(datagram)
    guard case .sourceDescription(let description) = packets[1], case .bye(let bye) = packets[2] else {
      Issue.record("unexpected packets \(packets)")
      return
    }
    #expect(description.canonicalName(of: 1, in: datagram.span.bytes)?.count == count)
    #expect(bye.reason.count == count)
  }

  @Test("what does not fit is refused and leaves the compound valid")
  func room() throws {
    for count in 0..<160 {
      let datagram = write(count: count) { writer, raw in
        guard writer.receiverReport(ssrc: 1, into: &raw) else { return }
        _ = writer.reportBlock(block(1), into: &raw)
        _ = writer.reportBlock(block(2), into: &raw)
        _ = writer.sourceDescription(ssrc: 1, cname: [UInt8](repeating: 65, count: 20).span.bytes, into: &raw)
        _ = writer.bye(ssrc: 1, reason: [UInt8](repeating: 65, count: 30).span.bytes, into: &raw)
      }
      if count >= 8 { #expect(try !parse(datagram).isEmpty) } else { #expect(datagram.isEmpty) }
    }
  }

  @Test("32 blocks, and texts of 256 bytes, are refused")
  func limits() {
    _ = write { writer, raw in
      let long = [UInt8](repeating: 65, count: 256)
      #expect(writer.receiverReport(ssrc: 1, into: &raw))
      for index in 0..<31 { #expect(writer.reportBlock(block(index), into: &raw)) }
      #expect(!writer.reportBlock(block(31), into: &raw))
      #expect(!writer.sourceDescription(ssrc: 1, cname: long.span.bytes, into: &raw))
      #expect(!writer.bye(ssrc: 1, reason: long.span.bytes, into: &raw))
    }
  }

  @Test("cumulative loss keeps its sign through 24 bits", arguments: [-8_388_608, -1, 0, 1, 8_388_607] as [Int32])
  func cumulative(_ lost: Int32) throws {
    for (written, read) in [(lost, lost), (.min, -8_388_608), (.max, 8_388_607)] {
      let datagram = write { writer, raw in
        var block = block(1)
        block.cumulativeLost = written
        #expect(writer.receiverReport(ssrc: 1, into: &raw) && writer.reportBlock(block, into: &raw))
      }
      guard case .receiverReport(1, let reports)? = try parse(datagram).first else {
        Issue.record("no report")
        return
      }
      #expect(reports.block(0, in: datagram.span.bytes)?.cumulativeLost == read)
    }
  }

  static let report = "80c90001 00000001"

  @Test("unknown types are passed over, feedback comes with format and body")
  func unknown() throws {
    let datagram = bytes(Self.report + "81ce0002 00000001 00000002" + "84d70000" + "80cc0002 00000001 41424344")
    #expect(
      try parse(datagram).dropFirst() == [
        .other(type: 206, format: 1, body: 12..<20), .other(type: 215, format: 4, body: 24..<24),
        .other(type: 204, format: 0, body: 28..<36),
      ])
  }

  @Test(
    "lengths that lie",
    arguments: [
      ("", DropReason.tooShort), ("80c90000", .tooShort), ("80c90001 0000", .tooShort),
      ("40c90001 00000001", .badVersion), (report + "00ca0000", .badVersion),
      ("80c90002 00000001", .badLength),  // longer than the datagram
      ("80c90000 00000001", .badLength),  // an RR without its SSRC
      ("81c90001 00000001", .badLength),  // one block, none there
      ("9fc80006 00000001 0000000000000000 00000000 00000000 00000000", .badLength),
      ("80c80005 00000001 0000000000000000 00000000 00000000", .badLength),  // an SR without its last word
      (report + "80", .badLength), (report + "81ca00", .badLength),
      ("80ca0000 00000000", .malformedControl), ("81ce0001 00000001", .malformedControl),  // no report first
      ("a0c90002 00000001 00000004", .malformedControl),  // the first packet padded
      (report + "a1cb0002 00000001 00000004" + "80cb0000", .malformedControl),  // padding before the last
      (report + "a1cb0002 00000001 00000000", .badLength), (report + "a1cb0002 00000001 00000003", .badLength),
      (report + "a1cb0002 00000001 0000000c", .badLength), (report + "a1cb0002 00000001 00000008", .badLength),
      (report + "82cb0001 00000001", .badLength),  // BYE of two, one there
      (report + "81cb0002 00000001 04616263", .badLength),  // reason beyond the end
      (report + "81ca0000", .badLength), (report + "81ca0001 00000001", .badLength),  // SDES without an end
      (report + "81ca0002 00000001 01020000", .badLength), (report + "81ca0002 00000001 01ff6161", .badLength),
      (report + "81ca0002 00000001 00000001", nil), (report + "82ca0002 00000001 00000000", .badLength),
    ] as [(String, DropReason?)])
  func lies(_ datagram: String, _ reason: DropReason?) {
    let result = Result { () throws(DropReason) in try parse(bytes(datagram)) }
    switch result {
    case .success: #expect(reason == nil)
    case .failure(let error): #expect(error == reason)
    }
  }

  @Test("padding at the end of the last packet")
  func padded() throws {
    #expect(try parse(bytes(Self.report + "a1cb0003 00000001 00000000 00000008")).count == 2)
    #expect(try parse(bytes(Self.report + "a1cb0002 00000001 00000004")).count == 2)
  }

  @Test("reduced size accepts what a compound does not (RFC 5506)")
  func reduced() throws {
    let feedback = bytes("81ce0002 00000001 00000002")
    #expect(throws: DropReason.malformedControl) { try parse(feedback) }
    #expect(try parse(feedback, reducedSize: true).count == 1)
  }

  /// baresip 1.0.0 (libre 1.1.0), neither of them with `a=rtcp-rsize` in its offer.
  @Test("a softphone's ping at the begin and farewell at the end are no compounds: both lack the report in front")
  func pingAndFarewell() throws {
    // APP "PING" with "PONG", alone: to open a way through NAT.
    let ping: [UInt8] = [
      0x80, 0xcc, 0x00, 0x03, 0x7e, 0x47, 0xf6, 0x4b, 0x50, 0x49, 0x4e, 0x47, 0x50, 0x4f, 0x4e, 0x47,
    ]
    // BYE "Adjo", then SDES with the CNAME.
    let farewell: [UInt8] = [
      0x81, 0xcb, 0x00, 0x03, 0x7e, 0x47, 0xf6, 0x4b, 0x04, 0x41, 0x64, 0x6a, 0x6f, 0x00, 0x00, 0x00,
      0x81, 0xca, 0x00, 0x06, 0x7e, 0x47, 0xf6, 0x4b, 0x01, 0x11, 0x73, 0x69, 0x70, 0x3a, 0x63, 0x61,
      0x70, 0x40, 0x31, 0x32, 0x37, 0x2e, 0x30, 0x2e, 0x30, 0x2e, 0x31, 0x00,
    ]

    // RFC 3550 §6.1: the first packet is a report; RFC 5506 §4: otherwise only where that was negotiated.
    #expect(throws: DropReason.malformedControl) { try parse(ping) }
    #expect(throws: DropReason.malformedControl) { try parse(farewell) }

    #expect(try parse(ping, reducedSize: true) == [.other(type: 204, format: 0, body: 4..<16)])
    let packets = try parse(farewell, reducedSize: true)
    #expect(packets.count == 2)
    guard case .bye(let bye) = packets.first else {
      Issue.record("no BYE")
      return
    }
    let named = bye.names(0x7e47_f64b, in: farewell.span.bytes)
    #expect(named)
    #expect(bye.reason == 9..<13)
  }

  @Test("32 packets in a compound, not 33")
  func most() throws {
    #expect(try parse(bytes(Self.report + String(repeating: "80cb0000", count: 31))).count == 32)
    #expect(throws: DropReason.malformedControl) {
      try parse(bytes(Self.report + String(repeating: "80cb0000", count: 32)))
    }
  }

  @Test("mutated compounds: refused or walked, ranges inside, at every count")
  func mutated() {
    var random = RandomSource(seed: 0x2c7b)
    let valid = write { writer, raw in
      _ = writer.senderReport(ssrc: 5, sender, into: &raw)
      _ = writer.reportBlock(block(3), into: &raw)
      _ = writer.sourceDescription(ssrc: 5, cname: Array("name".utf8).span.bytes, into: &raw)
      _ = writer.bye(ssrc: 5, reason: Array("gone".utf8).span.bytes, into: &raw)
    }
    for _ in 0..<20_000 {
      var datagram = valid
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        datagram[Int.random(in: 0..<datagram.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if Bool.random(using: &random) { datagram.removeLast(Int.random(in: 0...datagram.count, using: &random)) }
      guard let packets = try? parse(datagram, reducedSize: true) else { continue }
      for packet in packets {
        switch packet {
        case .senderReport(_, _, let reports), .receiverReport(_, let reports):
          #expect((0..<reports.count).allSatisfy { reports.block($0, in: datagram.span.bytes) != nil })
        case .sourceDescription(let description):
          if let name = description.canonicalName(of: 5, in: datagram.span.bytes) {
            #expect(name.upperBound <= datagram.count)
          }
        case .bye(let bye): #expect(bye.reason.upperBound <= datagram.count)
        case .extendedReport(var report):
          var blocks = 0
          while report.next(in: datagram.span.bytes) != nil { blocks += 1 }
          #expect(blocks <= RTPLimits.extendedBlocks)
        case .other(_, _, let body): #expect(body.upperBound <= datagram.count)
        }
      }
    }
  }
}
