//  OpusEncoder.swift: libopus's encoder as an owner of one block of memory (RFC 6716).

import COpus

/// One Opus encoder. All memory is allocated by `init`; the state holds no pointers, so that it can be copied as bytes.
@safe public struct OpusEncoder: ~Copyable {
  @frozen public enum Application: Sendable, BitwiseCopyable {
    /// SILK and hybrid where the bit rate suits them.
    case voice
    case audio
    /// CELT only, 2.5 ms look-ahead.
    case lowDelay
  }

  public let channels: Int
  private let application: Application
  private let byteCount: Int
  private let state: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - channels: 1 or 2. Input is 48 kHz.
  /// - Throws: `.badArgument`.
  public init(channels: Int = 1, application: Application = .voice) throws(CodecError) {
    guard channels == 1 || channels == 2 else { throw .badArgument }
    let mode =
      switch application {
      case .voice: OPUS_APPLICATION_VOIP
      case .audio: OPUS_APPLICATION_AUDIO
      case .lowDelay: OPUS_APPLICATION_RESTRICTED_LOWDELAY
      }
    let size = Int(opus_encoder_get_size(Int32(channels)))
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    guard unsafe opus_encoder_init(OpaquePointer(memory), 48_000, Int32(channels), mode) == OPUS_OK else {
      unsafe memory.deallocate()
      throw .badArgument
    }
    self.channels = channels
    self.application = application
    byteCount = size
    unsafe state = memory
    // Silence is decided by level before the encoder is called: its own DTX saves no time.
    set(OPUS_SET_DTX_REQUEST, 0)
  }

  private init(copying other: borrowing OpusEncoder) {
    channels = other.channels
    application = other.application
    byteCount = other.byteCount
    unsafe state = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    unsafe state.copyMemory(from: other.state, byteCount: byteCount)
  }

  deinit { unsafe state.deallocate() }

  /// A second encoder that continues from here.
  public borrowing func clone() -> OpusEncoder { OpusEncoder(copying: self) }

  /// Continues from where `other` is. No allocation.
  /// - Returns: `false`, nothing changed, when channels or application differ.
  public mutating func adopt(_ other: borrowing OpusEncoder) -> Bool {
    guard channels == other.channels, application == other.application else { return false }
    unsafe state.copyMemory(from: other.state, byteCount: byteCount)
    return true
  }

  /// Encodes one frame. Does not allocate.
  ///
  /// - Parameters:
  ///   - samples: 2.5, 5, 10, 20, 40 or 60 ms at 48 kHz, channels interleaved.
  ///   - payload: receives the packet from its start; its size bounds the packet (at least 3 bytes, 1,276 always do).
  /// - Returns: bytes written.
  public mutating func encode(_ samples: Span<Int16>, into payload: inout MutableRawSpan) throws(CodecError) -> Int {
    let frame = samples.count / channels
    switch frame {
    case 120, 240, 480, 960, 1920, 2880: break
    default: throw .badArgument
    }
    guard frame * channels == samples.count, payload.byteCount >= 3 else { throw .badArgument }
    let encoder = unsafe OpaquePointer(state)
    let room = Int32(min(payload.byteCount, 1276 * 3))
    let written = unsafe payload.withUnsafeMutableBytes { target in
      unsafe samples.withUnsafeBufferPointer { source -> Int32 in
        guard let input = source.baseAddress, let output = target.baseAddress else { return OPUS_BAD_ARG }
        // The encoder reads frame·channels samples and writes at most `room` bytes: both checked above.
        return unsafe opus_encode(encoder, input, Int32(frame), output.assumingMemoryBound(to: UInt8.self), room)
      }
    }
    guard written > 0 else { throw .badArgument }
    return Int(written)
  }

  /// Bits per second, 500–512,000.
  public mutating func setBitRate(_ value: Int32) { set(OPUS_SET_BITRATE_REQUEST, max(500, min(512_000, value))) }
  /// 0–10; 5 is the knee.
  public mutating func setComplexity(_ value: Int) { set(OPUS_SET_COMPLEXITY_REQUEST, Int32(max(0, min(10, value)))) }
  /// In-band copies of each frame in the next, for a path that loses about `expectedLoss` per cent. Costs 20–40 % CPU.
  public mutating func setFEC(_ enabled: Bool, expectedLoss: Int) {
    set(OPUS_SET_INBAND_FEC_REQUEST, enabled ? 1 : 0)
    set(OPUS_SET_PACKET_LOSS_PERC_REQUEST, Int32(max(0, min(100, expectedLoss))))
  }
  /// Off: frames do not depend on those before them, at some cost in quality.
  public mutating func setPrediction(_ enabled: Bool) { set(OPUS_SET_PREDICTION_DISABLED_REQUEST, enabled ? 0 : 1) }
  /// CELT frames only, whatever the application: by the control that libopus's own demo uses for it. The delay stays that
  /// of the application, so that frames of both kinds follow each other without a seam.
  public mutating func setTransformOnly(_ only: Bool) { set(11_002, only ? 1_002 : OPUS_AUTO) }
  /// Samples at 48 kHz by which what a packet holds lies before what was put in with it.
  public var lookAhead: Int {
    var value: Int32 = 0
    _ = unsafe copus_encoder_get(OpaquePointer(state), OPUS_GET_LOOKAHEAD_REQUEST, &value)
    return Int(value)
  }
  public mutating func setConstantBitRate(_ constant: Bool) { set(OPUS_SET_VBR_REQUEST, constant ? 0 : 1) }

  /// No wider audio than the receiver plays (`maxplaybackrate`, RFC 7587 §6.1), in Hz.
  public mutating func setMaximumPlaybackRate(_ rate: Int32) {
    let bandwidth =
      switch rate {
      case ..<12_000: OPUS_BANDWIDTH_NARROWBAND
      case ..<16_000: OPUS_BANDWIDTH_MEDIUMBAND
      case ..<24_000: OPUS_BANDWIDTH_WIDEBAND
      case ..<48_000: OPUS_BANDWIDTH_SUPERWIDEBAND
      default: OPUS_BANDWIDTH_FULLBAND
      }
    set(OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth)
  }

  /// As after `init`; the controls stay.
  public mutating func reset() { _ = unsafe copus_encoder_reset(OpaquePointer(state)) }

  private func set(_ request: Int32, _ value: Int32) {
    _ = unsafe copus_encoder_set(OpaquePointer(state), request, value)
  }
}
