//  WaveFile.swift: what a phone said or heard: 16-bit PCM read from disk, and the questions tests ask of it.

import Foundation

struct WaveFile {
  var samples: [Float]
  var rate: Int

  init(samples: [Float], rate: Int) {
    self.samples = samples
    self.rate = rate
  }

  /// Reads 16-bit PCM; the first channel counts. A file still being written (sizes 0) is read to its end.
  init(contentsOf path: String) throws {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func number(_ offset: Int, _ count: Int) -> Int {
      guard offset + count <= bytes.count else { return 0 }
      return (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    guard bytes.count >= 44, bytes[0..<4].elementsEqual("RIFF".utf8) else {
      throw HarnessError("\(path) is no wave file")
    }
    var offset = 12
    var channels = 1
    var rate = 48_000
    while offset + 8 <= bytes.count {
      let kind = String(decoding: bytes[offset..<(offset + 4)], as: UTF8.self)
      let size = number(offset + 4, 4)
      if kind == "fmt " {
        channels = max(1, number(offset + 10, 2))
        rate = number(offset + 12, 4)
      }
      if kind == "data" {
        let end = size == 0 ? bytes.count : min(bytes.count, offset + 8 + size)
        samples = stride(from: offset + 8, to: end - 2 * channels + 1, by: 2 * channels).map {
          Float(Int16(truncatingIfNeeded: number($0, 2))) / 32_768
        }
        self.rate = rate
        return
      }
      offset += 8 + size + size % 2
    }
    throw HarnessError("\(path) has no data")
  }

  func write(to path: String) throws {
    var bytes: [UInt8] = Array("RIFF".utf8)
    func little(_ value: Int, _ count: Int) {
      bytes += (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    little(36 + 2 * samples.count, 4)
    bytes += Array("WAVEfmt ".utf8)
    little(16, 4)
    little(1, 2)
    little(1, 2)
    little(rate, 4)
    little(rate * 2, 4)
    little(2, 2)
    little(16, 2)
    bytes += Array("data".utf8)
    little(2 * samples.count, 4)
    for sample in samples { little(Int(max(-1, min(1, sample)) * 32_767), 2) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  static func tone(_ frequency: Double, seconds: Double, amplitude: Double = 0.2, rate: Int = 48_000) -> WaveFile {
    let count = Int(seconds * Double(rate))
    return WaveFile(
      samples: (0..<count).map { Float(amplitude * sin(2 * .pi * frequency * Double($0) / Double(rate))) }, rate: rate)
  }

  var seconds: Double { Double(samples.count) / Double(rate) }

  func slice(from: Double, to: Double) -> WaveFile {
    let lower = max(0, min(samples.count, Int(from * Double(rate))))
    let upper = max(lower, min(samples.count, Int(to * Double(rate))))
    return WaveFile(samples: Array(samples[lower..<upper]), rate: rate)
  }

  /// The last `seconds` of it.
  func tail(_ length: Double) -> WaveFile { slice(from: seconds - length, to: seconds) }

  /// Amplitude of one frequency (Goertzel), 0…1; a full-scale sine gives 1.
  func amplitude(of frequency: Double) -> Double {
    guard !samples.isEmpty else { return 0 }
    let omega = 2 * Double.pi * frequency / Double(rate)
    let coefficient = 2 * cos(omega)
    var previous = 0.0
    var beforeThat = 0.0
    for sample in samples {
      let next = Double(sample) + coefficient * previous - beforeThat
      beforeThat = previous
      previous = next
    }
    let power = previous * previous + beforeThat * beforeThat - coefficient * previous * beforeThat
    return 2 * power.squareRoot() / Double(samples.count)
  }

  /// The share of consecutive windows in which `frequency` is present with at least `amplitude`.
  func presence(of frequency: Double, amplitude: Double, window: Double = 0.1) -> Double {
    let count = Int(seconds / window)
    guard count > 0 else { return 0 }
    let present = (0..<count).filter {
      slice(from: Double($0) * window, to: Double($0 + 1) * window).amplitude(of: frequency) >= amplitude
    }
    return Double(present.count) / Double(count)
  }

  /// Longest run in which `frequency` is absent, in seconds, looked at in windows of 20 ms.
  func longestGap(of frequency: Double, amplitude: Double) -> Double {
    let window = 0.02
    var longest = 0
    var current = 0
    for index in 0..<Int(seconds / window) {
      let heard =
        slice(from: Double(index) * window, to: Double(index + 1) * window).amplitude(of: frequency) >= amplitude
      current = heard ? 0 : current + 1
      longest = max(longest, current)
    }
    return Double(longest) * window
  }

  var rootMeanSquare: Double {
    guard !samples.isEmpty else { return 0 }
    return (samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(samples.count)).squareRoot()
  }
}
