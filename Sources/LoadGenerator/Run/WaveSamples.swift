//  WaveSamples.swift: recorded speech from a wave file.

import ArgumentParser
import Foundation

enum WaveSamples {
  /// - Returns: samples with full scale 1.
  /// - Throws: what is wrong with the file, in words.
  static func read(_ path: String) throws -> [Float] {
    guard let data = FileManager.default.contents(atPath: path) else { throw ValidationError("cannot read \(path)") }
    let bytes = [UInt8](data)
    func number(_ offset: Int, _ count: Int) -> Int {
      offset + count <= bytes.count ? (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } : 0
    }
    guard bytes.count > 44, bytes[0..<4].elementsEqual("RIFF".utf8) else {
      throw ValidationError("\(path) is no wave file")
    }
    var offset = 12
    while offset + 8 <= bytes.count {
      let size = number(offset + 4, 4)
      if bytes[offset..<(offset + 4)].elementsEqual("fmt ".utf8) {
        guard number(offset + 8, 2) == 1, number(offset + 10, 2) == 1, number(offset + 12, 4) == 48_000,
          number(offset + 22, 2) == 16
        else {
          throw ValidationError("\(path) is not 16-bit mono PCM at 48 kHz; sox FILE -r 48000 -c 1 -b 16 makes it so")
        }
      }
      if bytes[offset..<(offset + 4)].elementsEqual("data".utf8) {
        let end = min(bytes.count, offset + 8 + size)
        return stride(from: offset + 8, to: end - 1, by: 2).map {
          Float(Int16(truncatingIfNeeded: number($0, 2))) / 32_768
        }
      }
      offset += 8 + size + size % 2
    }
    throw ValidationError("\(path) holds no samples")
  }
}
