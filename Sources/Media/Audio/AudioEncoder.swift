//  AudioEncoder.swift: 20 ms frames of mono PCM at 48 kHz to payloads of any format and packet time.
//  Walk: AudioMixer → AudioEncoder → SendStream

import Codecs
import Primitives

/// One packet's payload as it was written.
@frozen public struct EncodedAudio: Sendable, BitwiseCopyable {
  public var byteCount: Int
  /// Of the packet, in the format's RTP clock.
  public var duration: UInt32
  /// The packet's first sample relative to the first sample of the frame last fed, in the format's RTP clock:
  /// 10 ms packets: 0 and +10 ms; 40 ms: −20 ms; 60 ms: −40 ms.
  public var timestampOffset: Int32
  /// Packets of its source that were lost just before it: as many sequence numbers are left out.
  public var lostBefore: UInt16 = 0
  /// Whose time it counts in: 0 for the mix, else one for each run of forwarded packets.
  public var timeline: UInt32 = 0
}

/// How hard an encoder works.
@frozen public enum OpusEncoding: UInt8, Sendable, BitwiseCopyable {
  /// Speech: SILK or hybrid, in-band FEC possible.
  case voice
  /// Transform only: 3 to 8 times cheaper, for 32 kbit/s and more.
  case celtOnly
}

/// Encodes one mix for one encode group. Allocates in `init` and `clone` only.
///
///     encoder.feed(frame)
///     while let packet = encoder.take(into: &payload) { … }
public struct AudioEncoder: ~Copyable {
  public let format: AudioFormat
  public let packetMilliseconds: Int
  public let opusEncoding: OpusEncoding

  private var opus: OpusEncoder?
  private var g722 = G722Encoder()
  private var resampler: Resampler?
  /// Samples at the codec's rate that wait for a whole packet: at most 60 ms at 48 kHz.
  private var waiting: [Int16]
  private var waitingCount = 0
  private var takenCount = 0
  private var beginsAnew = false

  /// - Parameter packetMilliseconds: 10, 20, 40 or 60; anything else becomes 20.
  public init(
    format: AudioFormat, packetMilliseconds: Int = 20, opusEncoding: OpusEncoding = .voice, complexity: Int = 5
  ) {
    self.format = format
    self.packetMilliseconds = [10, 20, 40, 60].contains(packetMilliseconds) ? packetMilliseconds : 20
    self.opusEncoding = opusEncoding
    waiting = [Int16](repeating: 0, count: format.codec.sampleRate / 1000 * 60)
    opus = nil
    resampler = nil
    switch format.codec {
    case .opus:
      // Fails for a bad channel count only.
      opus = try? OpusEncoder(channels: 1, application: opusEncoding == .voice ? .voice : .lowDelay)
      opus?.setBitRate(format.opus.bitRate)
      opus?.setComplexity(complexity)
      opus?.setConstantBitRate(format.opus.constantBitRate)
      opus?.setMaximumPlaybackRate(format.opus.maximumPlaybackRate)
    case .g722:
      resampler = Resampler(.from48To16)
    case .pcmu, .pcma:
      G711.prepare()
      resampler = Resampler(.from48To8)
    }
  }

  private init(copying other: borrowing AudioEncoder) {
    format = other.format
    packetMilliseconds = other.packetMilliseconds
    opusEncoding = other.opusEncoding
    opus = other.opus?.clone()
    resampler = other.resampler?.clone()
    g722 = other.g722
    waiting = [Int16](repeating: 0, count: other.waiting.count)
    waitingCount = other.waitingCount
    takenCount = other.takenCount
    for index in 0..<waitingCount { waiting[index] = other.waiting[index] }
  }

  /// A second encoder in exactly this state: a listener who leaves the group continues without a seam.
  public borrowing func clone() -> AudioEncoder { AudioEncoder(copying: self) }

  /// Takes the state of another encoder of the same format, packet time and Opus encoding, without allocation.
  /// - Returns: `false`, nothing changed, when they differ.
  public mutating func adopt(_ other: borrowing AudioEncoder) -> Bool {
    guard format == other.format, packetMilliseconds == other.packetMilliseconds, opusEncoding == other.opusEncoding
    else { return false }
    switch other.opus {
    case .some(let source): _ = opus?.adopt(source)
    case .none: break
    }
    switch other.resampler {
    case .some(let source): _ = resampler?.adopt(source)
    case .none: break
    }
    g722 = other.g722
    waitingCount = other.waitingCount
    takenCount = other.takenCount
    for index in 0..<waitingCount { waiting[index] = other.waiting[index] }
    return true
  }

  /// 0–10; the control follows load.
  public mutating func setComplexity(_ complexity: Int) { opus?.setComplexity(complexity) }

  /// CELT frames only from the next one on: 3 times cheaper, for 32 kbit/s and more.
  public mutating func setTransformOnly(_ only: Bool) { opus?.setTransformOnly(only) }
  /// 48 kHz samples by which an Opus packet lags behind what is fed.
  public var lookAhead: Int {
    switch opus {
    case .some(let encoder): encoder.lookAhead
    case .none: 0
    }
  }

  /// In-band FEC, for peers that accept it and report loss. 0 switches it off.
  /// - Parameter percent: what the peer reports, 0–100.
  public mutating func setExpectedLoss(_ percent: Int) {
    opus?.setFEC(format.opus.inBandFEC && percent > 0 && opusEncoding == .voice, expectedLoss: percent)
  }

  /// Samples of one packet at the codec's rate.
  private var packetSamples: Int { format.codec.sampleRate / 1000 &* packetMilliseconds }
  private var frameSamples: Int { format.codec.sampleRate / 50 }

  /// - Parameter frame: 960 samples, mono, 48 kHz. Every packet of the frame before must have been taken; what was not
  ///   is lost.
  public mutating func feed(_ frame: Span<Int16>) {
    precondition(frame.count == AudioReceiver.frameSamples)
    if takenCount > 0 || waitingCount &+ frameSamples > waiting.count {
      waitingCount = 0
      takenCount = 0
    }
    // Moved out and back, so that the span borrows a local and not all of self; no reference is counted.
    var samples: [Int16] = []
    swap(&samples, &waiting)
    var all = samples.mutableSpan
    var target = all._mutatingExtracting(waitingCount..<(waitingCount &+ frameSamples))
    if resampler != nil {
      resampler?.process(frame, into: &target)
    } else {
      for i in 0..<frame.count { target[i] = frame[i] }
    }
    swap(&samples, &waiting)
    waitingCount &+= frameSamples
  }

  /// The next whole packet, if there is one: two a frame at 10 ms, one every second frame at 40 ms.
  /// - Parameter payload: room for at least `AudioLimits.payloadBytes`.
  public mutating func take(into payload: inout MutableRawSpan) -> EncodedAudio? {
    let count = packetSamples
    guard waitingCount &- takenCount >= count else {
      if takenCount > 0 {
        waitingCount = 0
        takenCount = 0
      }
      return nil
    }
    let first = takenCount
    takenCount &+= count
    guard let bytes = encode(first..<takenCount, into: &payload) else { return nil }
    let scale = format.codec.sampleRate / format.codec.clockRate
    let offset = first &- (waitingCount &- frameSamples)
    return EncodedAudio(
      byteCount: bytes, duration: UInt32(clamping: count / scale), timestampOffset: Int32(clamping: offset / scale))
  }

  private mutating func encode(_ range: Range<Int>, into payload: inout MutableRawSpan) -> Int? {
    var all: [Int16] = []
    swap(&all, &waiting)
    defer { swap(&all, &waiting) }
    let samples = all.span.extracting(range)
    switch format.codec {
    case .opus:
      guard payload.byteCount >= 3 else { return nil }
      guard beginsAnew else { return try? opus?.encode(samples, into: &payload) }
      beginsAnew = false
      opus?.setPrediction(false)
      defer { opus?.setPrediction(true) }
      return try? opus?.encode(samples, into: &payload)
    case .g722:
      guard payload.byteCount >= samples.count / 2 else { return nil }
      g722.encode(samples, into: &payload)
      return samples.count / 2
    case .pcmu, .pcma:
      guard payload.byteCount >= samples.count else { return nil }
      G711.encode(samples, law: format.codec == .pcmu ? .mu : .a, into: &payload)
      return samples.count
    }
  }

  /// The next Opus packet does not predict from those before, so that a decoder with another past is right from there on.
  /// The other formats have no such packets: G.711 needs none, G.722's states meet within a few frames of the same sound.
  public mutating func beginAnew() { beginsAnew = true }

  /// The mix is silent: drops what waits for a whole packet. The next frame fed starts a packet.
  public mutating func pause() {
    waitingCount = 0
    takenCount = 0
  }

  /// A ready-made payload of one packet of silence, for the comfort frame that keeps an Opus DTX stream alive; for
  /// other formats a packet of their silence.
  /// - Returns: `nil` when it does not fit.
  public borrowing func writeComfort(into payload: inout MutableRawSpan) -> EncodedAudio? {
    let clock = format.codec.clockRate / 1000
    let duration = UInt32(clamping: clock &* packetMilliseconds)
    var count = 0
    switch format.codec {
    case .opus:
      // CELT frames of silence (its silence flag set): 10 or 20 ms, full band, mono; codes 0, 1 and 3 of RFC 6716 §3.2.
      let head: (UInt8, UInt8?) =
        switch packetMilliseconds {
        case 10: (0xF0, nil)
        case 40: (0xF9, nil)
        case 60: (0xFB, 3)
        default: (0xF8, nil)
        }
      guard payload.byteCount >= 8 else { return nil }
      payload.store(head.0, at: 0)
      count = 1
      if let frames = head.1 {
        payload.store(frames, at: 1)
        count = 2
      }
      for _ in 0..<max(1, packetMilliseconds / 20) {
        payload.store(UInt8(0xFF), at: count)
        payload.store(UInt8(0xFE), at: count &+ 1)
        count &+= 2
      }
    case .g722, .pcmu, .pcma:
      // One byte for each RTP tick. G.722: both bands' smallest step, which adapts nothing.
      count = Int(duration)
      guard payload.byteCount >= count else { return nil }
      let byte: UInt8 =
        switch format.codec {
        case .pcmu: 0xFF
        case .pcma: 0xD5
        default: 0xFD
        }
      for i in 0..<count { payload.store(byte, at: i) }
    }
    return EncodedAudio(byteCount: count, duration: duration, timestampOffset: 0)
  }
}
