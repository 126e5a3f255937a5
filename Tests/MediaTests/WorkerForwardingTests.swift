//  WorkerForwardingTests.swift: one talker's packets go on as they are, and nobody hears when that begins or ends.

import Codecs
import Foundation
import Media
import Primitives
import Testing

@Suite("A single talker's packets are forwarded")
struct WorkerForwardingTests {
  /// A voice of eight harmonics up to 1.2 kHz that never pauses: above 3 kHz there is nothing but what goes wrong.
  private static func vowel(_ index: Int) -> Double {
    let time = Double(index) / 48_000
    let phase = 2 * Double.pi * (130 * time + 2 * sin(2 * .pi * 0.7 * time))
    var sum = 0.0
    for harmonic in 1...8 { sum += sin(Double(harmonic) * phase + Double(harmonic * harmonic)) / Double(harmonic) }
    return 5_000 * sum
  }

  /// The same in syllables with pauses between words.
  private static func speech(_ index: Int) -> Double {
    let time = Double(index) / 48_000
    let word = time.truncatingRemainder(dividingBy: 1.3)
    let syllable = 0.55 + 0.45 * sin(2 * .pi * 4 * time)
    let edge = min(1, max(0, word / 0.02), max(0, (0.9 - word) / 0.05))
    return vowel(index) * syllable * edge
  }

  /// What a listener's decoder makes of what it is sent.
  private static func decode(_ peer: WorkerPeer) throws -> [Int16] {
    var decoder = try OpusDecoder(channels: 1)
    var result: [Int16] = []
    var frame = [Int16](repeating: 0, count: 5_760)
    for payload in peer.payloads {
      var span = frame.mutableSpan
      let count = try decoder.decode(payload.span.bytes, into: &span)
      result += frame[..<count]
    }
    return result
  }

  private struct Quality: CustomStringConvertible {
    /// The loudest 5 ms above 3 kHz, dB below full scale.
    var splatter = -200.0
    /// The softest 20 ms of the signal itself.
    var dip = 0.0
    var step = 0

    init(_ samples: ArraySlice<Int16>) {
      step = largestStep(samples)
      // Two high-pass sections of the second order at 3 kHz.
      var states = [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)]
      let w: Double = tan(Double.pi / 16)
      let r: Double = Double(2).squareRoot() * w
      let norm: Double = 1 / (1 + r + w * w)
      let a1: Double = 2 * (w * w - 1) * norm
      let a2: Double = (1 - r + w * w) * norm
      var energy = 0.0
      var whole = 0.0
      for (index, sample) in samples.enumerated() {
        var x = Double(sample) / 32_768
        whole += x * x
        for k in 0..<2 {
          let s = states[k]
          let forward: Double = norm * (x - 2 * s.0 + s.1)
          let y: Double = forward - a1 * s.2 - a2 * s.3
          states[k] = (x, s.0, y, s.2)
          x = y
        }
        energy += x * x
        if index % 240 == 239 {
          if index > 4_800 { splatter = max(splatter, 10 * log10(max(1e-12, energy / 240))) }
          energy = 0
        }
        if index % 960 == 959 {
          if index > 4_800 { dip = min(dip, 10 * log10(max(1e-12, whole / 960))) }
          whole = 0
        }
      }
    }

    var description: String { String(format: "splatter %.1f dB, softest %.1f dB, step %d", splatter, dip, step) }
  }

  private struct Outcome {
    var heard: [Int16]
    var report: WorkerReport
    var start: Int
  }

  /// One talks all the time; another, who is silent but says to be loud, makes the mixer mix now and then.
  private static func run(
    forwards: Bool, bitRate: Int32, transformOnly: Bool = false, listener: Int32 = 32_000, seconds: Double = 40,
    _ signal: @escaping (Int) -> Double
  ) throws -> Outcome {
    let talker = WorkerPeer(1, level: true, bitRate: bitRate, transformOnly: transformOnly)
    let other = WorkerPeer(2, level: true)
    let hearer = WorkerPeer(3, level: true, bitRate: listener)
    talker.signal = signal
    talker.room = 48
    other.amplitude = 0
    other.level = 127
    hearer.amplitude = 0
    hearer.level = 127
    hearer.keepsPayloads = true
    let bench = WorkerBench(forwards: forwards, peers: [talker, other, hearer])
    bench.run(seconds: 1)
    let start = hearer.payloads.count
    var random = RandomSource(seed: 5)
    var elapsed = 0.0
    while elapsed < seconds {
      let quiet = 3.6 + Double(random.nextWord() % 50) / 50
      other.level = 127
      bench.run(seconds: quiet)
      other.level = 20
      bench.run(seconds: 0.4)
      elapsed += quiet + 0.4
    }
    let report = try #require(bench.report)
    #expect(hearer.hasGaplessSequences)
    #expect(zip(hearer.timestamps, hearer.timestamps.dropFirst()).allSatisfy { $1 &- $0 == 960 })
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
    return Outcome(heard: try decode(hearer), report: report, start: start * 960)
  }

  @Test(
    "others begin in mid-vowel, through a real decoder: no click, no dip",
    arguments: [(32_000, false, 32_000), (16_000, false, 32_000), (48_000, true, 32_000), (24_000, false, 24_000)]
      as [(Int32, Bool, Int32)])
  func inaudible(bitRate: Int32, transformOnly: Bool, listener: Int32) throws {
    let mixed = try Self.run(
      forwards: false, bitRate: bitRate, transformOnly: transformOnly, listener: listener, Self.vowel)
    let switched = try Self.run(
      forwards: true, bitRate: bitRate, transformOnly: transformOnly, listener: listener, Self.vowel)
    let always = Quality(mixed.heard[mixed.start...])
    let quality = Quality(switched.heard[switched.start...])

    #expect(mixed.report.forwards == 0 && mixed.report.switches == 0)
    // Who never pauses is forwarded out of silence at most, and never again once he is mixed.
    #expect(switched.report.switches <= 2)
    // SILK, which both sides of the switch have where the mix has less than 32 kbit/s, has another past: 10 dB.
    let margin = listener < 32_000 ? 13.0 : 3
    #expect(quality.splatter < always.splatter + margin, "\(quality), always mixed \(always)")
    #expect(quality.dip > always.dip - 6, "\(quality), always mixed \(always)")
    #expect(quality.step < always.step * 3 / 2, "\(quality), always mixed \(always)")
  }

  @Test("switches while somebody speaks in words")
  func words() throws {
    let mixed = try Self.run(forwards: false, bitRate: 32_000, Self.speech)
    let switched = try Self.run(forwards: true, bitRate: 32_000, Self.speech)
    let always = Quality(mixed.heard[mixed.start...])
    let quality = Quality(switched.heard[switched.start...])

    #expect(switched.report.switches >= 10 && switched.report.forwards > 1_000)
    #expect(quality.splatter < always.splatter + 2, "\(quality), always mixed \(always)")
    #expect(quality.step < always.step * 6 / 5, "\(quality), always mixed \(always)")
  }
}

@Suite("Forwarding saves what it should")
struct ForwardingCostTests {
  private func room(_ count: Int, talks: [Int], codecs: [AudioCodec] = [.opus]) -> WorkerBench {
    let peers = (1...count).map { number -> WorkerPeer in
      let peer = WorkerPeer(
        number, codec: codecs[number % codecs.count], frequency: 200 + 170 * Double(number), level: true)
      if !talks.contains(number) {
        peer.amplitude = 0
        peer.level = 127
      }
      return peer
    }
    return WorkerBench(peers: peers)
  }

  @Test("one of ten talks: not one codec call in seconds")
  func one() throws {
    let bench = room(10, talks: [1])
    bench.run(seconds: 2)
    let before = try #require(bench.report)
    bench.run(seconds: 2)
    let after = try #require(bench.report)

    #expect(after.encodes == before.encodes && after.decodes == before.decodes)
    #expect((98...102).contains(after.forwards - before.forwards))
    #expect(after.switches == 0)
    for peer in bench.peers.dropFirst() {
      #expect(peer.power(at: 370) > -30)
      #expect(peer.hasGaplessSequences)
    }
    #expect(bench.peers[0].power(at: 370) < -60)
  }

  @Test("two in a call, both talk: each is forwarded to the other")
  func two() throws {
    let bench = room(2, talks: [1, 2])
    bench.run(seconds: 2)
    let before = try #require(bench.report)
    bench.run(seconds: 2)
    let after = try #require(bench.report)

    #expect(after.encodes == before.encodes && after.decodes == before.decodes)
    #expect(bench.peers[0].power(at: 540) > -30 && bench.peers[1].power(at: 370) > -30)
    #expect(bench.peers[0].power(at: 370) < -60 && bench.peers[1].power(at: 540) < -60)
  }

  @Test("turns: who begins when the other stops is forwarded at once; both hear no echo of themselves")
  func turns() throws {
    let bench = room(6, talks: [1])
    bench.run(seconds: 1)
    for turn in 0..<8 {
      for (index, peer) in bench.peers.enumerated() {
        peer.amplitude = index == turn % 3 ? 8_000 : 0
        peer.level = index == turn % 3 ? 20 : 127
      }
      bench.run(seconds: 1.5)
    }
    let report = try #require(bench.report)

    #expect(report.encodes < 60, "\(report.encodes) encodes, \(report.switches) switches")
    for (index, peer) in bench.peers.enumerated() {
      for talker in 0..<3 where talker != index {
        #expect(peer.power(at: 370 + 170 * Double(talker), skipping: 1) > -40, "\(index) does not hear \(talker)")
      }
      #expect(peer.power(at: 370 + 170 * Double(index), skipping: 1) < -55, "\(index) hears itself")
    }
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }

  @Test("a lost packet of the talker is a gap in the sequence, and no gap is made of a pause")
  func loss() throws {
    let bench = room(3, talks: [1])
    bench.run(seconds: 1)
    let talker = bench.peers[0]
    let listener = bench.peers[1]
    let start = listener.sequences.count
    for tick in 0..<100 {
      let packets = talker.nextPackets()
      if tick % 10 != 5 { for packet in packets { bench.deliver(packet, from: talker.address) } }
      bench.receive()
      bench.runWorker(until: bench.now + .milliseconds(20))
    }

    let steps = zip(listener.sequences[start...], listener.sequences[(start + 1)...]).map { $1 &- $0 }
    #expect(steps.filter { $0 == 2 }.count == 10 && steps.allSatisfy { $0 == 1 || $0 == 2 })
    let elapsed = zip(listener.timestamps[start...], listener.timestamps[(start + 1)...]).map { $1 &- $0 }
    #expect(zip(steps, elapsed).allSatisfy { UInt32($0) * 960 == $1 })
    #expect(listener.markers[start...].allSatisfy { !$0 })
  }

  @Test("a talker whose clock runs 1 % fast or slow: his own time between his packets, none lost", arguments: [-1, 1])
  func drift(_ direction: Int) throws {
    let bench = room(3, talks: [1])
    bench.run(seconds: 1)
    let talker = bench.peers[0]
    let listener = bench.peers[1]
    let start = listener.sequences.count
    for tick in 0..<1_000 {
      for _ in 0..<(tick % 100 == 50 ? 1 + direction : 1) {
        for packet in talker.nextPackets() { bench.deliver(packet, from: talker.address) }
      }
      bench.receive()
      bench.runWorker(until: bench.now + .milliseconds(20))
    }

    #expect(listener.hasGaplessSequences)
    let elapsed = zip(listener.timestamps[start...], listener.timestamps[(start + 1)...]).map { $1 &- $0 }
    // Where his time went too far from ours it is set anew, by as much as the peers' buffers had to follow anyway.
    #expect(elapsed.filter { $0 == 960 }.count >= elapsed.count - 5, "\(elapsed.filter { $0 != 960 })")
    #expect(abs(listener.sequences.count - start - 1_000 - 10 * direction) <= 3)
  }

  @Test("what does not suit a listener is mixed for him: narrower, less, constant, longer")
  func suitable() throws {
    let peers = (1...6).map { WorkerPeer($0, frequency: $0 == 1 ? 440 : 0, level: true) }
    for peer in peers.dropFirst() {
      peer.amplitude = 0
      peer.level = 127
    }
    peers[2].configuration.send.opus.maximumPlaybackRate = 16_000
    peers[3].configuration.send.opus.acceptedBitRate = 16_000
    peers[4].configuration.send.opus.constantBitRate = true
    peers[5].configuration.packetMilliseconds = 40
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 2)
    let before = try #require(bench.report)
    bench.run(seconds: 1)
    let after = try #require(bench.report)

    #expect(after.encodes - before.encodes == 4 * 50)
    #expect((48...52).contains(after.forwards - before.forwards))
    for peer in peers.dropFirst() { #expect(peer.power(at: 440) > -30) }
  }
}
