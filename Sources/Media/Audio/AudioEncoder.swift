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
  /// 10 ms packets: 0 and +duration/1; 40 ms: −20 ms; 60 ms: −40 ms.
  public var timestampOffset: Int32
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

  /// - Parameter packetMilliseconds: 10, 20, 40 or 60; anything else becomes 20.
  public init(
    format: AudioFormat, packetMilliseconds: Int = 20, opusEncoding: OpusEncoding = .voice, complexity: Int = 5
  ) {
    self.format = format
    self.packetMilliseconds = [10, 20, 40, 60].contains(packetMilliseconds) ? packetMilliseconds : 20
  }

  /// A second encoder in exactly this state: a listener who leaves the group continues without a seam.
  public borrowing func clone() -> AudioEncoder {
    AudioEncoder(format: format, packetMilliseconds: packetMilliseconds)
  }

  /// Takes the state of another encoder of the same format and packet time, without allocation.
  /// - Returns: `false`, nothing changed, when they differ.
  public mutating func adopt(_ other: borrowing AudioEncoder) -> Bool { false }

  /// - Parameter frame: 960 samples, mono, 48 kHz. Every packet of the frame before must have been taken.
  public mutating func feed(_ frame: Span<Int16>) {}

  /// The next whole packet, if there is one: two a frame at 10 ms, one every second frame at 40 ms.
  /// - Parameter payload: room for at least `AudioLimits.payloadBytes`.
  public mutating func take(into payload: inout MutableRawSpan) -> EncodedAudio? { nil }

  /// The mix is silent: drops what waits for a whole packet. The next frame fed starts a packet.
  public mutating func pause() {}

  /// A ready-made payload of one packet of silence, for the comfort frame that keeps an Opus DTX stream alive.
  /// - Returns: `nil` when it does not fit.
  public borrowing func writeComfort(into payload: inout MutableRawSpan) -> EncodedAudio? { nil }
}
