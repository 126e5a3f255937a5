//  EarDecoder.swift: the codecs of one ear.

import Codecs
import Media
import Primitives

/// Decodes any format to 48 kHz mono.
struct EarDecoder: ~Copyable {
  private var opus = try? OpusDecoder()
  private var g722 = G722Decoder()
  private var from8 = Resampler(.from8To48)
  private var from16 = Resampler(.from16To48)

  /// - Parameters:
  ///   - narrow: scratch, 5,760 samples.
  ///   - wide: takes the result, 5,760 samples.
  /// - Returns: the number of samples; 0 when the payload cannot be decoded.
  mutating func decode(_ payload: RawSpan, codec: AudioCodec, narrow: inout [Int16], wide: inout [Int16]) -> Int {
    var output = wide.mutableSpan
    switch codec {
    case .opus:
      return (try? opus?.decode(payload, into: &output)) ?? 0
    case .pcmu, .pcma:
      let count = min(payload.byteCount, 960)
      guard count > 0 else { return 0 }
      do {
        var space = narrow.mutableSpan
        var low = space._mutatingExtracting(first: count)
        G711.decode(payload.extracting(first: count), law: codec == .pcmu ? .mu : .a, into: &low)
      }
      var high = output._mutatingExtracting(first: count * 6)
      from8.process(narrow.span.extracting(first: count), into: &high)
      return count * 6
    case .g722:
      let count = min(payload.byteCount, 960)
      guard count > 0 else { return 0 }
      do {
        var space = narrow.mutableSpan
        var low = space._mutatingExtracting(first: count * 2)
        g722.decode(payload.extracting(first: count), into: &low)
      }
      var high = output._mutatingExtracting(first: count * 6)
      from16.process(narrow.span.extracting(first: count * 2), into: &high)
      return count * 6
    }
  }
}
