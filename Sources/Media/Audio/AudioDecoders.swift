//  AudioDecoders.swift: the decoders of one leg's formats, each to 48 kHz mono.

import Codecs
import Primitives

/// Which codec a payload type names, for one leg.
struct PayloadTypes: BitwiseCopyable {
  private var numbers: InlineArray<8, UInt8> = InlineArray(repeating: 0)
  private var codecs: InlineArray<8, AudioCodec> = InlineArray(repeating: .opus)
  private var count = 0

  init() {}

  init(_ formats: [AudioFormat]) {
    for format in formats.prefix(AudioLimits.formats) {
      numbers[count] = format.payloadType
      codecs[count] = format.codec
      count += 1
    }
  }

  func codec(of payloadType: UInt8) -> AudioCodec? {
    for index in 0..<count where numbers[index] == payloadType { return codecs[index] }
    return nil
  }
}

/// Decoders for whatever the peer may send. Allocates in `init` and `configure` only.
struct AudioDecoders: ~Copyable {
  /// Small and by itself, because every packet looks into it.
  private(set) var types = PayloadTypes()
  private var opus: OpusDecoder?
  private var g722 = G722Decoder()
  private var from8: Resampler?
  private var from16: Resampler?
  /// Of the last packet decoded.
  private(set) var codec: AudioCodec?

  init(formats: [AudioFormat]) {
    opus = nil
    from8 = nil
    from16 = nil
    configure(formats)
  }

  mutating func configure(_ wanted: [AudioFormat]) {
    types = PayloadTypes(wanted)
    for format in wanted.prefix(AudioLimits.formats) {
      switch format.codec {
      case .opus:
        // Fails for a bad channel count only.
        if opus == nil { opus = try? OpusDecoder(channels: 1) }
      case .g722:
        if from16 == nil { from16 = Resampler(.from16To48) }
      case .pcmu, .pcma:
        G711.prepare()
        if from8 == nil { from8 = Resampler(.from8To48) }
      }
    }
  }

  func codec(payloadType: UInt8) -> AudioCodec? { types.codec(of: payloadType) }

  /// The stream has paused or was not heard: predictions of its past are worth nothing.
  mutating func restart() {
    opus?.reset()
    g722 = G722Decoder()
    from8?.reset()
    from16?.reset()
  }

  /// Appends the packet's audio. Does not allocate.
  /// - Returns: 48 kHz samples appended.
  mutating func decode(_ payload: RawSpan, codec: AudioCodec, into pcm: inout PCMBuffer) throws(CodecError) -> Int {
    self.codec = codec
    var scratch = InlineArray<1920, Int16>(repeating: 0)
    var space = scratch.mutableSpan
    switch codec {
    case .opus:
      return try pcm.append(room: OpusPacket.maximumSamples) { (output) throws(CodecError) -> Int in
        guard let count = try opus?.decode(payload, into: &output) else { throw .badArgument }
        return count
      }
    case .g722:
      let count = payload.byteCount &* 2
      guard count > 0, count <= 1920 else { throw .tooLong }
      var samples = space._mutatingExtracting(first: count)
      g722.decode(payload, into: &samples)
      let native = samples.span
      return pcm.append(room: count &* 3) { output in
        from16?.process(native, into: &output)
        return count &* 3
      }
    case .pcmu, .pcma:
      let count = payload.byteCount
      guard count > 0, count <= 960 else { throw .tooLong }
      var samples = space._mutatingExtracting(first: count)
      G711.decode(payload, law: codec == .pcmu ? .mu : .a, into: &samples)
      let native = samples.span
      return pcm.append(room: count &* 6) { output in
        from8?.process(native, into: &output)
        return count &* 6
      }
    }
  }

  /// Appends what `next` repeats of the `samples` before it.
  /// - Returns: samples appended; 0 when it repeats nothing.
  mutating func recover(
    from next: RawSpan, codec: AudioCodec, samples: Int, into pcm: inout PCMBuffer
  ) -> Int {
    guard codec == .opus, self.codec == .opus, let packet = try? OpusPacket(parsing: next), packet.hasFEC(in: next)
    else { return 0 }
    let count = try? pcm.append(room: samples) { (output) throws(CodecError) -> Int in
      try opus?.recover(from: next, samples: samples, into: &output) ?? 0
    }
    return count ?? 0
  }

  /// Appends `samples` (a multiple of 120) that nobody sent.
  mutating func conceal(samples: Int, into pcm: inout PCMBuffer) {
    if codec == .opus {
      let count = try? pcm.append(room: samples) { (output) throws(CodecError) -> Int in
        try opus?.conceal(samples: samples, into: &output) ?? 0
      }
      if count == samples { return }
    }
    pcm.extrapolate(samples)
  }
}
