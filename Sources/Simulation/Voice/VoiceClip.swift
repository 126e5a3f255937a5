//  VoiceClip.swift: a talker's voice, encoded once and sent by many: real packets at no cost while the load runs.

import Codecs
import Glibc
import Media
import Primitives

/// A loop of encoded packets of one format. Immutable; shared by all who say the same.
public struct VoiceClip: Sendable {
  public let format: AudioFormat
  public let packetMilliseconds: Int
  /// RTP timestamp units of one packet.
  public let packetDuration: UInt32
  /// One object, so that a copy costs one reference.
  private let packets: Packets

  private final class Packets: Sendable {
    let levels: [UInt8]
    let bytes: [UInt8]
    let offsets: [Int]

    init(levels: [UInt8], bytes: [UInt8], offsets: [Int]) {
      self.levels = levels
      self.bytes = bytes
      self.offsets = offsets
    }
  }

  /// Level of each packet in −dBov (RFC 6464).
  public var levels: [UInt8] { packets.levels }
  private var bytes: [UInt8] { packets.bytes }
  private var offsets: [Int] { packets.offsets }
  public var count: Int { packets.levels.count }

  /// The payload of one packet; the clip repeats.
  public func withPayload<Result>(_ index: Int, _ body: (RawSpan) -> Result) -> Result {
    let packet = index % count
    let all = bytes
    return unsafe body(all.span.bytes.extracting(offsets[packet]..<offsets[packet + 1]))
  }
  /// - Returns: `false`, and nothing is written, when it does not fit.
  public func copyPayload(_ index: Int, to bytes: inout MutableRawSpan, at offset: Int) -> Bool {
    let packets = self.packets
    let packet = index % packets.levels.count
    let range = packets.offsets[packet]..<packets.offsets[packet + 1]
    guard offset >= 0, offset + range.count <= bytes.byteCount else { return false }
    var position = offset
    var next = range.lowerBound
    let all = packets.bytes
    let source = unsafe all.span.bytes
    while next + 8 <= range.upperBound {
      bytes.store(source.uint64(at: next) ?? 0, at: position)
      next += 8
      position += 8
    }
    while next < range.upperBound {
      bytes.store(source.uint8(at: next) ?? 0, at: position)
      next += 1
      position += 1
    }
    return true
  }
  public func payloadCount(_ index: Int) -> Int { offsets[index % count + 1] - offsets[index % count] }
  public func level(_ index: Int) -> UInt8 { levels[index % count] }

  /// Encodes `samples`, with a pilot tone and marks where they are asked for.
  ///
  /// - Parameters:
  ///   - samples: 48 kHz mono, full scale 1; cut to whole packets.
  ///   - pilot: whose voice this is; `nil` for the quiet of somebody who does not talk.
  ///   - isLowPassed: `samples` leave the place of the pilots free already.
  ///   - marks: frame numbers of 20 ms that begin with a delay mark.
  public init(
    samples: [Float], pilot: Int?, isLowPassed: Bool = false, marks: [Int] = [], format: AudioFormat,
    packetMilliseconds: Int = 20,
    complexity: Int = 5
  ) {
    var encoder = AudioEncoder(format: format, packetMilliseconds: packetMilliseconds, complexity: complexity)
    let voice = pilot == nil || isLowPassed ? samples : Self.lowPassed(samples)
    let markedFrames = Set(marks)
    var bytes: [UInt8] = []
    var offsets = [0]
    var levels: [UInt8] = []
    var frame = [Int16](repeating: 0, count: 960)
    var payload = [UInt8](repeating: 0, count: 1_500)
    var energy = 0.0
    let framesPerPacket = max(1, packetMilliseconds / 20)
    func takes(_ encoder: inout AudioEncoder, _ payload: inout [UInt8]) -> Int? {
      var space = payload.mutableSpan
      var raw = unsafe space.mutableBytes
      return encoder.take(into: &raw)?.byteCount
    }
    func fill(_ index: Int) {
      for sample in 0..<960 {
        let position = index * 960 + sample
        var value = Double(voice[position])
        if let pilot { value += PilotTone.amplitude * sin(Self.angle(PilotTone.frequency(pilot), position)) }
        if markedFrames.contains(index) { value += DelayMark.amplitude * sin(Self.angle(DelayMark.frequency, sample)) }
        energy += value * value
        frame[sample] = Int16(max(-32_768, min(32_767, value * 32_767)))
      }
      encoder.feed(frame.span)
    }
    // The encoder comes to the start as it leaves the end, so that the loop has no seam.
    let frames = voice.count / 960
    let warmUp = min(12, frames) / framesPerPacket * framesPerPacket
    for index in (frames - warmUp)..<frames {
      fill(index)
      while takes(&encoder, &payload) != nil {}
    }
    energy = 0
    for index in 0..<frames {
      fill(index)
      while let count = takes(&encoder, &payload) {
        bytes += payload[..<count]
        offsets.append(bytes.count)
        levels.append(Self.attenuation(meanSquare: energy / Double(960 * framesPerPacket)))
      }
      if (index + 1) % framesPerPacket == 0 { energy = 0 }
    }
    self.format = format
    self.packetMilliseconds = packetMilliseconds
    packetDuration = UInt32(format.codec.clockRate / 1_000 * packetMilliseconds)
    packets = Packets(levels: levels, bytes: bytes, offsets: offsets)
  }

  private static func angle(_ frequency: Double, _ position: Int) -> Double {
    2 * Double.pi * (frequency * Double(position) / 48_000).truncatingRemainder(dividingBy: 1)
  }

  private static func attenuation(meanSquare: Double) -> UInt8 {
    guard meanSquare > 1e-12 else { return 127 }
    return UInt8(max(0, min(127, -10 * log10(meanSquare))))
  }

  /// Windowed-sinc low pass at 1.9 kHz, which stops from 2.16 kHz on: leaves the place of the pilots free.
  public static func lowPassed(_ samples: [Float]) -> [Float] {
    let half = 256
    let taps = (-half...half).map { index -> Float in
      let x = Double(index)
      let cutoff = 2 * 1_900.0 / 48_000
      let sinc = index == 0 ? cutoff : sin(Double.pi * cutoff * x) / (Double.pi * x)
      let window = 0.42 + 0.5 * cos(Double.pi * x / Double(half)) + 0.08 * cos(2 * Double.pi * x / Double(half))
      return Float(sinc * window)
    }
    var output = [Float](repeating: 0, count: samples.count)
    for index in 0..<samples.count {
      var sum: Float = 0
      let from = max(0, half - index)
      let to = min(2 * half, half + samples.count - 1 - index)
      for tap in stride(from: from, through: to, by: 1) { sum += taps[tap] * samples[index + tap - half] }
      output[index] = sum
    }
    return output
  }
}
