//  AudioForwardingTests.swift: packets taken undecoded: in order, once, in time, and decoding goes on where they end.

import Media
import Primitives
import Testing

@Suite("Audio receiver, packets taken undecoded")
struct AudioForwardingTests {
  /// What one tick takes.
  private static func take(_ line: inout AudioLine, at milliseconds: Double) -> (sequences: [UInt16], steps: [String]) {
    var sequences: [UInt16] = []
    var steps: [String] = []
    for _ in 0..<64 {
      switch line.receiver.takePacket(now: AudioLine.instant(milliseconds), pool: &line.pool) {
      case .packet(let packet, let samples):
        sequences.append(packet.sequence)
        steps.append("packet \(samples)")
      case .lost(let samples): steps.append("lost \(samples)")
      case .wait: return (sequences, steps + ["wait"])
      case .pause: return (sequences, steps + ["pause"])
      }
    }
    return (sequences, steps)
  }

  @Test(
    "every packet once, in order, 3 to 26 ms after it came (packets that come in pairs: to 36), at every packet time and phase",
    arguments: [10, 20, 40, 60], [1, 7, 13, 19])
  func order(milliseconds: Int, phase: Int) {
    var line = AudioLine(.pcma, packetMilliseconds: milliseconds)
    let signal = AudioSignals.tone(400, count: 960)
    var sent: [UInt16] = []
    var taken: [UInt16] = []
    var arrived: [UInt16: Double] = [:]
    for tick in 0..<300 {
      for packet in line.encode(signal) {
        let at = Double(tick * 20) + Double(tick * 7 % 3)
        line.deliver(packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: at)
        sent.append(packet.sequence)
        arrived[packet.sequence] = at
      }
      let now = Double(tick * 20 + phase) + 0.5
      let sequences = Self.take(&line, at: now).sequences
      if tick > 120 {
        for sequence in sequences {
          let stayed = now - (arrived[sequence] ?? 0)
          #expect(stayed > 0 && stayed < (milliseconds == 20 ? 27 : 37), "\(sequence) stayed \(stayed) ms")
        }
      }
      taken += sequences
    }

    // The first is the oldest of those that a stream keeps which nobody hears.
    #expect(
      taken
        == Array(
          sent.dropFirst(sent.count - sent.suffix(from: sent.firstIndex(of: taken[0]) ?? 0).count).prefix(taken.count)))
    #expect(taken.count >= sent.count - 4)
    #expect(line.receiver.statistics.packetsForwarded == UInt64(taken.count))
    #expect(line.receiver.statistics.decodes == 0)
    #expect(line.close() == 0)
  }

  @Test("lost packets are said once, late ones come with the next tick, reordered ones in order")
  func loss() {
    var line = AudioLine(.pcmu)
    let signal = AudioSignals.tone(400, count: 960)
    var taken: [UInt16] = []
    var lost = 0
    for tick in 0..<200 {
      for packet in line.encode(signal) where tick % 20 != 10 {
        line.deliver(packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: Double(tick * 20))
      }
      let (sequences, steps) = Self.take(&line, at: Double(tick * 20 + 8))
      taken += sequences
      lost += steps.filter { $0 == "lost 960" }.count
    }

    #expect(lost == 10)
    #expect(zip(taken, taken.dropFirst()).allSatisfy { Int16(bitPattern: $1 &- $0) > 0 })
    #expect(taken.count >= 186)
    #expect(line.receiver.statistics.framesConcealed == 10)
    // Nothing more comes: a pause, after what concealment would have bridged.
    for tick in 200..<220 { _ = Self.take(&line, at: Double(tick * 20 + 8)) }
    #expect(Self.take(&line, at: 4_500).steps == ["pause"])
    #expect(line.close() == 0)
  }

  @Test(
    "rendering after forwarding goes on with the next sample: the voice is whole within a frame",
    arguments: AudioCodec.allCases)
  func handover(codec: AudioCodec) {
    let signal = AudioSignals.voice(count: 960 * 100)
    var rendered = AudioLine(codec)
    var mixed = AudioLine(codec)
    var wanted: [Int16] = []
    var heard: [Int16] = []
    for tick in 0..<100 {
      let frame = Array(signal[(tick * 960)..<(tick * 960 + 960)])
      for packet in rendered.encode(frame) {
        rendered.deliver(
          packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: Double(tick * 20))
        mixed.deliver(packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: Double(tick * 20))
      }
      let now = Double(tick * 20 + 9)
      wanted += rendered.render(at: now).samples
      // In turn: 20 ticks forwarded, 20 rendered.
      if tick / 20 % 2 == 0 {
        _ = Self.take(&mixed, at: now)
        heard += [Int16](repeating: 0, count: 960)
      } else {
        heard += mixed.render(at: now).samples
      }
    }

    for block in [1, 3] {
      // From the second frame on: what a decoder needs of the past it has had.
      let range = ((block * 20 + 2) * 960)..<((block * 20 + 19) * 960)
      let match = correlation(
        Array(wanted[range]), Array(heard[range]), delays: stride(from: -1_440, through: 1_440, by: 4), from: 1_920,
        count: 9_600)
      #expect(match.value > 0.9, "\(codec), block \(block): \(match)")
      #expect(largestStep(heard[range]) < largestStep(signal) * 2)
    }
    #expect(mixed.receiver.statistics.packetsForwarded > 50)
    #expect(rendered.close() == 0)
    #expect(mixed.close() == 0)
  }
}
