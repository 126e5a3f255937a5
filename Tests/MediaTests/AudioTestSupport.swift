//  AudioTestSupport.swift: a sender and a receiver joined by a pool, and signals for the audio tests.

import Foundation
import Media
import Primitives

enum AudioSignals {
  static func tone(_ frequency: Double, count: Int, amplitude: Double = 10_000) -> [Int16] {
    (0..<count).map { Int16(amplitude * sin(2 * .pi * frequency * Double($0) / 48_000)) }
  }

  /// A gliding pulse train through two resonances: voiced speech, nearly.
  static func voice(count: Int) -> [Int16] {
    var phase = 0.0
    var states = [(0.0, 0.0), (0.0, 0.0)]
    return (0..<count).map { index in
      let time = Double(index) / 48_000
      phase += (120 + 15 * sin(2 * .pi * 1.3 * time)) / 48_000
      var excitation = 0.0
      if phase >= 1 {
        phase -= 1
        excitation = 1
      }
      var sum = 0.0
      for (k, formant) in [(600.0, 80.0), (1_500.0, 120.0)].enumerated() {
        let r = exp(-.pi * formant.1 / 48_000)
        let y = excitation + 2 * r * cos(2 * .pi * formant.0 / 48_000) * states[k].0 - r * r * states[k].1
        states[k] = (y, states[k].0)
        sum += y
      }
      // Syllables: an encoder takes what is steady for noise.
      return Int16(max(-30_000, min(30_000, sum * 900 * (0.6 + 0.4 * sin(2 * .pi * 3 * time)))))
    }
  }
}

/// Encodes a signal and carries it, packet by packet, into a receiver.
struct AudioLine: ~Copyable {
  static let capacity = 512
  var pool = PacketPool(capacity: AudioLine.capacity)
  var encoder: AudioEncoder
  var receiver: AudioReceiver
  var sequence: UInt16 = 65_500
  var timestamp: UInt32 = 4_294_960_000
  let payloadType: UInt8
  /// When the last packet of a carried signal had been sent.
  var settled = AudioReceiverStatistics()

  init(_ codec: AudioCodec, packetMilliseconds: Int = 20, loss: Int = 0) {
    var format = AudioFormat(codec: codec, payloadType: 96)
    format.opus.inBandFEC = loss > 0
    encoder = AudioEncoder(format: format, packetMilliseconds: packetMilliseconds)
    encoder.setExpectedLoss(loss)
    receiver = AudioReceiver(formats: [format])
    payloadType = 96
  }

  /// Encodes one frame: the payloads that it completes, with sequence and timestamp.
  mutating func encode(_ frame: [Int16]) -> [(payload: [UInt8], sequence: UInt16, timestamp: UInt32)] {
    var result: [(payload: [UInt8], sequence: UInt16, timestamp: UInt32)] = []
    encoder.feed(frame.span)
    var more = true
    while more {
      var payload = [UInt8](repeating: 0, count: AudioLimits.payloadBytes)
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      if let packet = encoder.take(into: &bytes) {
        result.append((Array(payload.prefix(packet.byteCount)), sequence, timestamp))
        sequence &+= 1
        timestamp &+= packet.duration
      } else {
        more = false
      }
    }
    return result
  }

  /// - Returns: why the packet was refused.
  @discardableResult
  mutating func deliver(
    _ payload: [UInt8], sequence: UInt16, timestamp: UInt32, at milliseconds: Double, level: UInt8? = nil
  ) -> DropReason? {
    guard let buffer = pool.take() else { return .poolExhausted }
    pool.withMutableBytes(of: buffer) { bytes in
      for (index, byte) in payload.enumerated() { bytes.store(byte, at: 12 + index) }
    }
    let packet = AudioPacket(
      buffer: buffer, payloadOffset: 12, payloadCount: UInt16(payload.count), sequence: sequence, timestamp: timestamp,
      payloadType: payloadType, level: level)
    do {
      try receiver.insert(packet, now: Self.instant(milliseconds), pool: &pool)
      return nil
    } catch {
      pool.give(buffer)
      return error
    }
  }

  mutating func render(at milliseconds: Double) -> (samples: [Int16], rendering: AudioRendering) {
    var samples = [Int16](repeating: 99, count: 960)
    var span = samples.mutableSpan
    let rendering = receiver.render(into: &span, now: Self.instant(milliseconds), pool: &pool)
    return (samples, rendering)
  }

  mutating func skip(at milliseconds: Double) { receiver.skip(now: Self.instant(milliseconds), pool: &pool) }

  /// Ends the stream. - Returns: buffers that did not come back.
  mutating func close() -> Int {
    receiver.reset(pool: &pool)
    return Self.capacity - pool.available
  }

  static func instant(_ milliseconds: Double) -> Instant { Instant(nanoseconds: Int64((milliseconds + 5_000) * 1e6)) }

  /// Sends `signal` frame by frame; `delay(packet)` in milliseconds, or nil for a loss. Ticks 7 ms after each frame.
  mutating func carry(_ signal: [Int16], delay: (Int) -> Double?) -> (samples: [Int16], renderings: [AudioRendering]) {
    var output: [Int16] = []
    var renderings: [AudioRendering] = []
    var flying: [(at: Double, payload: [UInt8], sequence: UInt16, timestamp: UInt32)] = []
    var index = 0
    for frame in 0..<(signal.count / 960 + 10) {
      let time = Double(frame) * 20
      if (frame + 1) * 960 <= signal.count {
        for packet in encode(Array(signal[(frame * 960)..<((frame + 1) * 960)])) {
          if let delay = delay(index) {
            flying.append((time + delay, packet.payload, packet.sequence, packet.timestamp))
          }
          index += 1
        }
      }
      let tick = time + 7
      let due = flying.filter { $0.at <= tick }.sorted { $0.at < $1.at }
      flying.removeAll { $0.at <= tick }
      for packet in due {
        deliver(packet.payload, sequence: packet.sequence, timestamp: packet.timestamp, at: packet.at)
      }
      let rendered = render(at: tick)
      output += rendered.samples
      renderings.append(rendered.rendering)
      if frame == signal.count / 960 - 1 { settled = receiver.statistics }
    }
    return (output, renderings)
  }
}

/// Best normalised correlation of a stretch of `output` with `input` at any delay in the range.
func correlation(
  _ input: [Int16], _ output: [Int16], delays: some Sequence<Int>, from: Int, count: Int
) -> (value: Double, delay: Int) {
  var best = (value: -1.0, delay: 0)
  for delay in delays {
    var product = 0.0
    var a = 1.0
    var b = 1.0
    for index in stride(from: from, to: from + count, by: 4) where index + delay < output.count && index < input.count {
      let x = Double(input[index])
      let y = Double(output[index + delay])
      product += x * y
      a += x * x
      b += y * y
    }
    let value = product / (a * b).squareRoot()
    if value > best.value { best = (value, delay) }
  }
  return best
}

/// Largest jump between neighbours: a measure of clicks.
func largestStep(_ samples: some Collection<Int16>) -> Int {
  zip(samples, samples.dropFirst()).map { abs(Int($0) - Int($1)) }.max() ?? 0
}
