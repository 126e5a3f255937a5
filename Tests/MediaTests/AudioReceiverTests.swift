//  AudioReceiverTests.swift: from packets to PCM: every codec and packet time, loss, stretching, pauses, hostile payloads.

import Media
import Primitives
import Testing

@Suite("Audio receiver")
struct AudioReceiverTests {
  @Test("every codec at every packet time is heard whole", arguments: AudioCodec.allCases, [10, 20, 40, 60])
  func formats(codec: AudioCodec, packetMilliseconds: Int) {
    let signal = AudioSignals.voice(count: 960 * 40)
    var line = AudioLine(codec, packetMilliseconds: packetMilliseconds)

    let (output, renderings) = line.carry(signal) { _ in 15 }

    let heard = correlation(signal, output, delays: stride(from: 900, to: 7_680, by: 8), from: 9_600, count: 4_800)
    #expect(heard.value > 0.85, "\(codec) \(packetMilliseconds) ms: \(heard)")
    #expect(heard.delay < 960 * 8)
    #expect(!renderings.prefix(38).contains(.concealed))
    #expect(line.close() == 0)
  }

  @Test(
    "5 % and 20 % loss: concealed and recovered, no click beyond the signal's own steps",
    arguments: AudioCodec.allCases, [5, 20])
  func loss(codec: AudioCodec, percent: UInt64) {
    let signal = AudioSignals.voice(count: 960 * 60)
    var line = AudioLine(codec, loss: Int(percent))
    var random = RandomSource(seed: 5)

    let (output, renderings) = line.carry(signal) { $0 > 5 && random.next() % 100 < percent ? nil : 15 }

    let statistics = line.receiver.statistics
    #expect(statistics.framesConcealed + statistics.framesRecovered > 0)
    #expect(renderings.filter { $0 == .spoken }.count > 35)
    #expect(largestStep(output) < largestStep(signal) * 2)
    #expect(line.close() == 0)
  }

  @Test("Opus rebuilds lost packets from in-band FEC when the sender adds it")
  func recovery() {
    let signal = AudioSignals.voice(count: 960 * 200)
    var line = AudioLine(.opus, loss: 20)

    _ = line.carry(signal) { $0 > 10 && $0 % 5 == 0 ? nil : 15 }

    #expect(line.receiver.statistics.framesRecovered > 20, "\(line.settled)")
    #expect(line.close() == 0)
  }

  @Test(
    "a delay built up by a late burst is drained by stretching: the tone goes on, without clicks",
    arguments: AudioCodec.allCases)
  func draining(codec: AudioCodec) {
    let signal = AudioSignals.tone(300, count: 960 * 700)
    var line = AudioLine(codec)

    // One gap of 100 ms, then everything at once.
    let (output, renderings) = line.carry(signal) { packet in
      (20..<25).contains(packet) ? 15 + Double(25 - packet) * 20 : 15
    }

    let statistics = line.settled
    #expect(statistics.accelerations > 0)
    #expect(statistics.delaySamples < 48 * 90, "\(statistics)")
    #expect(renderings.prefix(690).filter { $0 == .concealed }.count < 7)
    let settled = output[(960 * 35)..<(960 * 690)]
    #expect(largestStep(settled) < largestStep(signal) * 2, "\(codec): \(largestStep(settled))")
    #expect((settled.map { abs(Int($0)) }.max() ?? 0) > 8_000)
    #expect(line.close() == 0)
  }

  @Test("an outage fades out within 140 ms, is silent, and comes back", arguments: AudioCodec.allCases)
  func outage(codec: AudioCodec) {
    let signal = AudioSignals.voice(count: 960 * 100)
    var line = AudioLine(codec)

    let (output, renderings) = line.carry(signal) { (30..<60).contains($0) ? nil : 15 }

    #expect(renderings[42..<58].allSatisfy { $0 == .silent })
    #expect(output[(960 * 42)..<(960 * 58)].allSatisfy { $0 == 0 })
    #expect(renderings[66..<95].allSatisfy { $0 == .spoken })
    #expect(largestStep(output) < largestStep(signal) * 2)
    #expect(line.close() == 0)
  }

  @Test("a sender that falls silent without saying so: what filled the time is not counted as loss")
  func suppressedSilence() {
    var line = AudioLine(.pcmu)
    let frame = AudioSignals.tone(400, count: 960)
    for index in 0..<90 {
      let time = Double(index) * 20
      if (30..<60).contains(index) {
        line.timestamp &+= 160
      } else {
        for packet in line.encode(frame) {
          line.deliver(packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: time)
        }
      }
      _ = line.render(at: time + 7)
    }

    #expect(line.receiver.statistics.framesConcealed == 0)
    #expect(line.receiver.statistics.restarts == 2)
    #expect(line.close() == 0)
  }

  @Test("a muted sender (level −127, or Opus DTX) is never decoded")
  func mute() {
    var line = AudioLine(.opus)
    let signal = AudioSignals.voice(count: 960 * 10)
    for frame in 0..<100 {
      let time = Double(frame) * 20
      for packet in line.encode(Array(signal[(frame % 10 * 960)..<(frame % 10 * 960 + 960)])) {
        let refused = line.deliver(
          packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: time, level: 127)
        #expect(refused == nil)
      }
      #expect(line.render(at: time + 7).rendering == .silent)
    }

    #expect(line.receiver.statistics.decodes == 0)
    #expect(line.receiver.level(now: AudioLine.instant(1_990)) == -127)
    #expect(line.close() == 0)
  }

  @Test("a stream that is skipped keeps three packets, runs no decoder, and starts with them when promoted")
  func promotion() {
    let signal = AudioSignals.voice(count: 960 * 60)
    var line = AudioLine(.opus)
    var output: [Int16] = []
    for frame in 0..<60 {
      let time = Double(frame) * 20
      for packet in line.encode(Array(signal[(frame * 960)..<(frame * 960 + 960)])) {
        line.deliver(packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: time)
      }
      if frame < 30 {
        line.skip(at: time + 7)
        #expect(line.receiver.statistics.decodes == 0)
        #expect(line.receiver.heldPackets <= 5)
      } else {
        output += line.render(at: time + 7).samples
      }
    }

    // What is heard first was said up to 100 ms before the promotion, not later.
    let heard = correlation(
      Array(signal[(960 * 22)...]), output, delays: (-960 * 8)..<0, from: 960 * 12, count: 960 * 3)
    #expect(heard.value > 0.8, "\(heard)")
    #expect((output.prefix(1_920).map { abs(Int($0)) }.max() ?? 0) > 1_000)
    #expect(line.close() == 0)
  }

  @Test("levels without decoding: loud, soft and no audio", arguments: AudioCodec.allCases)
  func levels(codec: AudioCodec) {
    func level(_ amplitude: Double) -> Int {
      var line = AudioLine(codec)
      let signal = AudioSignals.voice(count: 960 * 20).map { Int16(Double($0) * amplitude) }
      _ = line.carry(signal) { _ in 15 }
      let result = line.receiver.level(now: AudioLine.instant(400))
      #expect(line.receiver.level(now: AudioLine.instant(2_000)) == -127)
      _ = line.close()
      return result
    }

    let loud = level(1)
    let soft = level(0.003)

    print("\(codec): loud \(loud) dBov, 50 dB less \(soft) dBov")
    #expect(loud > soft + 10)
    #expect((-60...0).contains(loud))
  }

  @Test("hostile payloads are refused or survived, and every buffer comes back", arguments: AudioCodec.allCases)
  func hostile(codec: AudioCodec) {
    var line = AudioLine(codec)
    var random = RandomSource(seed: 77)
    #expect(line.deliver([], sequence: 1, timestamp: 0, at: 0) == .codecError)
    if codec == .opus {
      #expect(line.deliver([0xFB, 7, 1, 1], sequence: 1, timestamp: 0, at: 0) == .codecError, "140 ms")
    } else {
      #expect(line.deliver([UInt8](repeating: 3, count: 961), sequence: 1, timestamp: 0, at: 0) == .codecError)
    }
    for round in 0..<600 {
      let time = Double(round) * 7
      let wild = random.next() % 20 == 0
      _ = line.deliver(
        random.bytes(Int.random(in: 0...200, using: &random)),
        sequence: wild ? UInt16(truncatingIfNeeded: random.next()) : UInt16(truncatingIfNeeded: round &+ 65_000),
        timestamp: wild ? UInt32(truncatingIfNeeded: random.next()) : UInt32(truncatingIfNeeded: round &* 336),
        at: time, level: random.next() % 3 == 0 ? UInt8(random.next() & 127) : nil)
      if round % 3 == 0 {
        if random.next() % 5 == 0 { line.skip(at: time) } else { _ = line.render(at: time) }
      }
    }
    #expect(line.close() == 0)
  }

  @Test("a payload type that was not negotiated is refused")
  func unknownPayloadType() {
    var pool = PacketPool(capacity: 4)
    var receiver = AudioReceiver(formats: [AudioFormat(codec: .pcmu, payloadType: 0)])
    guard let buffer = pool.take() else { return }
    let packet = AudioPacket(
      buffer: buffer, payloadOffset: 12, payloadCount: 160, sequence: 1, timestamp: 1, payloadType: 8)

    var reason: DropReason?
    do { try receiver.insert(packet, now: .zero, pool: &pool) } catch { reason = error }

    #expect(reason == .unknownPayloadType)
    pool.give(buffer)
    #expect(pool.available == 4)
  }
}
