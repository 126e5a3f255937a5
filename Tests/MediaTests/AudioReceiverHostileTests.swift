//  AudioReceiverHostileTests.swift: packets that are legal and strange, or neither: heard where they can be, counted, never a trap.

import Codecs
import Media
import Primitives
import Testing

@Suite("Audio receiver, strange and hostile streams")
struct AudioReceiverHostileTests {
  /// A receiver of everything, fed and ticked in virtual milliseconds.
  private struct Bench: ~Copyable {
    static let capacity = 256
    var pool = PacketPool(capacity: Bench.capacity)
    var receiver = AudioReceiver(formats: [
      AudioFormat(codec: .opus, payloadType: 111), AudioFormat(codec: .g722, payloadType: 9),
      AudioFormat(codec: .pcmu, payloadType: 0), AudioFormat(codec: .pcma, payloadType: 8),
    ])
    var output: [Int16] = []
    var renderings: [AudioRendering] = []
    var delivered: UInt64 = 0
    var refused: [DropReason] = []

    mutating func deliver(
      _ payload: [UInt8], type: UInt8 = 111, sequence: Int, timestamp: Int, at milliseconds: Double, level: UInt8? = nil
    ) {
      delivered += 1
      guard let buffer = pool.take() else { return refused.append(.poolExhausted) }
      pool.withMutableBytes(of: buffer) { bytes in
        for (index, byte) in payload.enumerated() { bytes.store(byte, at: 12 + index) }
      }
      let packet = AudioPacket(
        buffer: buffer, payloadOffset: 12, payloadCount: UInt16(payload.count),
        sequence: UInt16(truncatingIfNeeded: sequence), timestamp: UInt32(truncatingIfNeeded: timestamp),
        payloadType: type, level: level)
      do {
        try receiver.insert(packet, now: AudioLine.instant(milliseconds), pool: &pool)
      } catch {
        pool.give(buffer)
        refused.append(error)
      }
    }

    mutating func tick(at milliseconds: Double) {
      var samples = [Int16](repeating: 99, count: 960)
      var span = samples.mutableSpan
      renderings.append(receiver.render(into: &span, now: AudioLine.instant(milliseconds), pool: &pool))
      output += samples
    }

    /// What holds whatever came: every packet is counted once, every buffer comes back.
    mutating func check(_ what: String) {
      let counts = receiver.statistics
      #expect(counts.packetsInserted + UInt64(refused.count) == delivered, "\(what)")
      #expect(counts.packetsLate == UInt64(refused.filter { $0 == .late }.count), "\(what)")
      #expect(counts.packetsDuplicate == UInt64(refused.filter { $0 == .duplicate }.count), "\(what)")
      #expect(counts.packetsOverflowed == UInt64(refused.filter { $0 == .overflow }.count), "\(what)")
      #expect(counts.decodes <= counts.packetsInserted, "\(what)")
      #expect(counts.packetsUndecodable <= counts.decodes, "\(what)")
      #expect(counts.framesConcealed <= UInt64(renderings.count), "\(what)")
      #expect(output.count == renderings.count * 960, "\(what)")
      receiver.reset(pool: &pool)
      #expect(pool.available == Bench.capacity, "\(what): buffers lost")
    }
  }

  /// Opus packets of 20 ms of a voice, or of shorter CELT frames.
  private static func opus(_ signal: [Int16], samples: Int = 960, channels: Int = 1) throws -> [[UInt8]] {
    var encoder = try OpusEncoder(channels: channels, application: samples < 480 ? .lowDelay : .voice)
    encoder.setBitRate(48_000)
    var payload = [UInt8](repeating: 0, count: 1_276)
    return try stride(from: 0, to: signal.count - samples + 1, by: samples).map { start in
      let frame = signal[start..<start + samples].flatMap { [Int16](repeating: $0, count: channels) }
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      let count = try encoder.encode(frame.span, into: &bytes)
      return Array(payload[..<count])
    }
  }

  /// Several packets of one kind in one (RFC 6716 §3.2.5, code 3, frames of different lengths).
  private static func joined(_ packets: ArraySlice<[UInt8]>) -> [UInt8] {
    guard let toc = packets.first?.first else { return [] }
    var result: [UInt8] = [toc & 0xFC | 3, 0x80 | UInt8(packets.count)]
    for packet in packets.dropLast() {
      let count = packet.count - 1
      result += count < 252 ? [UInt8(count)] : [UInt8(252 + count % 4), UInt8((count - 252 - count % 4) / 4)]
    }
    for packet in packets { result += packet.dropFirst() }
    return result
  }

  @Test("Opus packets of 2.5 ms and of 120 ms are heard whole, without concealment", arguments: [120, 5_760])
  func lengths(samples: Int) throws {
    let signal = AudioSignals.voice(count: 48_000 * 3)
    let single = try Self.opus(signal, samples: min(samples, 960))
    let each = samples / min(samples, 960)
    let packets = stride(from: 0, to: single.count / each * each, by: each).map { start in
      each == 1 ? single[start] : Self.joined(single[start..<start + each])
    }
    var bench = Bench()
    var next = 0
    for tick in 0..<160 {
      let now = Double(tick) * 20 + 9
      // Each packet leaves when its last sample was recorded.
      while next < packets.count, Double((next + 1) * samples) / 48 <= now {
        bench.deliver(
          packets[next], sequence: next + 65_500, timestamp: next * samples + 4_294_960_000,
          at: Double((next + 1) * samples) / 48)
        next += 1
      }
      bench.tick(at: now)
    }

    #expect(bench.refused.isEmpty)
    let last = bench.renderings.lastIndex(of: .spoken) ?? 0
    let first = bench.renderings.firstIndex(of: .spoken) ?? 0
    #expect(last - first > 130)
    #expect(bench.renderings[(first + 10)..<(last - 8)].allSatisfy { $0 == .spoken })
    let heard = correlation(
      signal, bench.output, delays: stride(from: 0, to: 15_000, by: 8), from: 48_000, count: 9_600)
    #expect(heard.value > 0.8, "\(heard)")
    bench.check("\(samples)")
  }

  @Test("mono and stereo change with every few packets: the voice goes on")
  func channels() throws {
    let signal = AudioSignals.voice(count: 48_000 * 3)
    let mono = try Self.opus(signal)
    let stereo = try Self.opus(signal, channels: 2)
    var bench = Bench()
    for index in 0..<140 {
      bench.deliver(
        (index / 7 % 2 == 0 ? mono : stereo)[index], sequence: index, timestamp: index * 960, at: Double(index) * 20)
      bench.tick(at: Double(index) * 20 + 11)
    }

    #expect(bench.refused.isEmpty)
    #expect(bench.renderings[5...].allSatisfy { $0 == .spoken })
    #expect(largestStep(bench.output) < largestStep(signal) * 2)
    bench.check("channels")
  }

  @Test("payload types and clock rates change in mid-call, each heard again within 200 ms")
  func payloadTypes() throws {
    let signal = AudioSignals.tone(500, count: 48_000 * 8)
    let opus = try Self.opus(signal)
    var g722 = G722Encoder()
    var down16 = Resampler(.from48To16)
    var down8 = Resampler(.from48To8)
    var bench = Bench()
    var opusTime = 1_000
    var narrowTime = 77
    for index in 0..<400 {
      let kind = index / 25 % 4
      let frame = Array(signal[index * 960..<index * 960 + 960])
      var payload: [UInt8]
      switch kind {
      case 0: payload = opus[index]
      case 1:
        var wide = [Int16](repeating: 0, count: 320)
        var span = wide.mutableSpan
        down16.process(frame.span, into: &span)
        payload = [UInt8](repeating: 0, count: 160)
        var target = payload.mutableSpan
        var bytes = target.mutableBytes
        g722.encode(wide.span, into: &bytes)
      default:
        var narrow = [Int16](repeating: 0, count: 160)
        var span = narrow.mutableSpan
        down8.process(frame.span, into: &span)
        payload = [UInt8](repeating: 0, count: 160)
        var target = payload.mutableSpan
        var bytes = target.mutableBytes
        G711.encode(narrow.span, law: kind == 2 ? .mu : .a, into: &bytes)
      }
      bench.deliver(
        payload, type: [111, 9, 0, 8][kind], sequence: index, timestamp: kind == 0 ? opusTime : narrowTime,
        at: Double(index) * 20)
      opusTime += 960
      narrowTime += 160
      bench.tick(at: Double(index) * 20 + 13)
    }

    for change in 0..<16 {
      let block = bench.renderings[(change * 25 + 10)..<(change * 25 + 24)]
      #expect(block.allSatisfy { $0 == .spoken }, "after change \(change): \(block)")
      let heard = bench.output[((change * 25 + 10) * 960)..<((change * 25 + 24) * 960)]
      #expect((heard.map { abs(Int($0)) }.max() ?? 0) > 7_000)
    }
    bench.check("payload types")
  }

  @Test(
    "the sender's timestamps jump: forwards is a pause, backwards or far is another clock, heard again within 300 ms",
    arguments: [24_000, -24_000, 4_800, -4_800, 96_000, -96_000, 500_000_000, -2_000_000_000])
  func timestampJumps(jump: Int) throws {
    let packets = try Self.opus(AudioSignals.voice(count: 48_000 * 6))
    var bench = Bench()
    for index in 0..<290 {
      bench.deliver(
        packets[index], sequence: index, timestamp: index * 960 + (index >= 100 ? jump : 0), at: Double(index) * 20)
      bench.tick(at: Double(index) * 20 + 12)
    }

    #expect(bench.renderings[5..<100].allSatisfy { $0 == .spoken })
    #expect(bench.renderings[116...].allSatisfy { $0 == .spoken }, "jump \(jump)")
    #expect(bench.receiver.statistics.framesConcealed <= 14)
    #expect(bench.receiver.statistics.delaySamples < 48 * 130)
    bench.check("jump \(jump)")
  }

  @Test(
    "the sender's sequence jumps while its timestamps go on: nothing is lost but what was",
    arguments: [2, 100, 3_000, 40_000])
  func sequenceJumps(jump: Int) throws {
    let packets = try Self.opus(AudioSignals.voice(count: 48_000 * 6))
    var bench = Bench()
    for index in 0..<290 {
      bench.deliver(
        packets[index], sequence: index + (index >= 100 ? jump : 0), timestamp: index * 960, at: Double(index) * 20)
      bench.tick(at: Double(index) * 20 + 12)
    }

    #expect(bench.renderings.filter { $0 != .spoken }.count <= 6, "\(bench.renderings.filter { $0 != .spoken }.count)")
    bench.check("sequence \(jump)")
  }

  @Test("DTX: a packet each 400 ms between talk spurts; nothing is concealed, each spurt is heard from its start")
  func discontinuous() throws {
    let packets = try Self.opus(AudioSignals.voice(count: 48_000))
    var bench = Bench()
    var sequence = 0
    for index in 0..<500 {
      let isTalk = index % 100 < 40
      if isTalk || index % 20 == 0 {
        bench.deliver(
          isTalk ? packets[index % 100] : [0xF8], sequence: sequence, timestamp: index * 960, at: Double(index) * 20)
        sequence += 1
      }
      bench.tick(at: Double(index) * 20 + 12)
    }

    #expect(bench.receiver.statistics.framesConcealed == 0)
    for spurt in 0..<5 {
      #expect(bench.renderings[(spurt * 100 + 2)..<(spurt * 100 + 39)].allSatisfy { $0 == .spoken })
      #expect(bench.renderings[(spurt * 100 + 50)..<(spurt * 100 + 99)].allSatisfy { $0 == .silent })
    }
    bench.check("DTX")
  }

  @Test("lying TOC bytes, empty and truncated payloads, for every first byte: refused or decoded, all counted")
  func lies() throws {
    let packets = try Self.opus(AudioSignals.voice(count: 48_000 * 6))
    var random = RandomSource(seed: 4)
    var bench = Bench()
    for index in 0..<2_048 {
      var payload = packets[index % packets.count]
      payload[0] = UInt8(index & 255)
      switch index / 256 {
      case 0: break
      case 1: payload = [payload[0]]
      case 2: payload = []
      case 3: payload = Array(payload.prefix(2))
      case 4: payload[1] = 0xFF
      case 5: payload += random.bytes(40)
      case 6: payload = [payload[0]] + random.bytes(Int.random(in: 0...60, using: &random))
      default: payload = [payload[0] | 3] + random.bytes(Int.random(in: 0...12, using: &random))
      }
      bench.deliver(
        payload, type: index % 5 == 0 ? [0, 8, 9, 111, 50][index / 5 % 5] : 111, sequence: index,
        timestamp: index * 960, at: Double(index) * 20, level: index % 3 == 0 ? UInt8(index & 127) : nil)
      if index % 97 == 0 {
        bench.receiver.skip(now: AudioLine.instant(Double(index) * 20 + 12), pool: &bench.pool)
      } else {
        bench.tick(at: Double(index) * 20 + 12)
      }
    }

    bench.check("lies")
  }
}
