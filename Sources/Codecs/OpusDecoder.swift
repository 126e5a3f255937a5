//  OpusDecoder.swift: libopus's decoder as an owner of one block of memory (RFC 6716).

import COpus

/// One Opus decoder to 48 kHz. All memory is allocated by `init`, and written to when the first packet is decoded: a
/// participant who never speaks takes up address space only.
@safe public struct OpusDecoder: ~Copyable {
  public let channels: Int
  private let state: UnsafeMutableRawPointer
  private var isReady = false

  /// - Parameter channels: 1 (a stereo stream is mixed down) or 2.
  public init(channels: Int = 1) throws(CodecError) {
    guard channels == 1 || channels == 2 else { throw .badArgument }
    self.channels = channels
    unsafe state = UnsafeMutableRawPointer.allocate(
      byteCount: Int(opus_decoder_get_size(Int32(channels))), alignment: 64)
  }

  private mutating func prepare() throws(CodecError) {
    guard !isReady else { return }
    guard unsafe opus_decoder_init(OpaquePointer(state), 48_000, Int32(channels)) == OPUS_OK else {
      throw .badArgument
    }
    isReady = true
  }

  deinit { unsafe state.deallocate() }

  /// Decodes one packet. Does not allocate.
  ///
  /// - Parameter output: at least `OpusPacket.samples · channels`; 5,760 · channels always do.
  /// - Returns: samples per channel written.
  public mutating func decode(
    _ packet: RawSpan, into output: inout MutableSpan<Int16>
  ) throws(CodecError) -> Int {
    let info = try OpusPacket(parsing: packet)
    guard info.samples &* channels <= output.count else { throw .tooLong }
    return try run(packet, samples: info.samples, recovers: false, into: &output)
  }

  /// Rebuilds the `samples` (48 kHz, a multiple of 120) before `next` from the copy inside it; where it has none, conceals.
  public mutating func recover(
    from next: RawSpan, samples: Int, into output: inout MutableSpan<Int16>
  ) throws(CodecError) -> Int {
    _ = try OpusPacket(parsing: next)
    guard samples > 0, samples % 120 == 0 else { throw .badArgument }
    guard samples &* channels <= output.count, samples <= OpusPacket.maximumSamples else { throw .tooLong }
    return try run(next, samples: samples, recovers: true, into: &output)
  }

  /// Invents `samples` (48 kHz, a multiple of 120) for a packet that is missing.
  public mutating func conceal(samples: Int, into output: inout MutableSpan<Int16>) throws(CodecError) -> Int {
    guard samples > 0, samples % 120 == 0 else { throw .badArgument }
    guard samples &* channels <= output.count, samples <= OpusPacket.maximumSamples else { throw .tooLong }
    try prepare()
    let decoder = unsafe OpaquePointer(state)
    let count = unsafe output.withUnsafeMutableBufferPointer { target -> Int32 in
      guard let pcm = target.baseAddress else { return OPUS_BAD_ARG }
      // Writes samples · channels ≤ output.count.
      return unsafe opus_decode(decoder, nil, 0, pcm, Int32(samples), 0)
    }
    guard count > 0 else { throw .malformed }
    return Int(count)
  }

  /// As after `init`.
  public mutating func reset() {
    if isReady { _ = unsafe copus_decoder_reset(OpaquePointer(state)) }
  }

  private mutating func run(
    _ packet: RawSpan, samples: Int, recovers: Bool, into output: inout MutableSpan<Int16>
  ) throws(CodecError) -> Int {
    try prepare()
    let decoder = unsafe OpaquePointer(state)
    let count = unsafe output.withUnsafeMutableBufferPointer { target in
      unsafe packet.withUnsafeBytes { source -> Int32 in
        guard let pcm = target.baseAddress, let data = source.baseAddress else { return OPUS_BAD_ARG }
        // Reads byteCount bytes, writes at most samples · channels: both lie inside the spans.
        return unsafe opus_decode(
          decoder, data.assumingMemoryBound(to: UInt8.self), Int32(source.count), pcm, Int32(samples), recovers ? 1 : 0)
      }
    }
    guard count > 0 else { throw .malformed }
    return Int(count)
  }
}
