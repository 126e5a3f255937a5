//  AudioReceiver.swift: one incoming audio stream: jitter buffer, decoders, concealment, time-stretching, 48 kHz out.
//  Walk: ReceiveStream → AudioReceiver → AudioMixer

import Codecs
import Primitives

/// What one tick of a stream was.
@frozen public enum AudioRendering: UInt8, Sendable, BitwiseCopyable {
  /// Decoded from what was received (in-band FEC included).
  case spoken
  /// Some of it was invented: packets were lost or late.
  case concealed
  /// Nothing but zeros: a pause, a muted sender, an outage that has faded out. The mixer may leave it out.
  case silent
}

/// Counters of one receiver over its life.
@frozen public struct AudioReceiverStatistics: Sendable, Hashable, BitwiseCopyable {
  /// Ticks that were wholly or partly concealed.
  public var framesConcealed: UInt64 = 0
  /// Packets rebuilt from the next one's in-band FEC.
  public var framesRecovered: UInt64 = 0
  public var packetsInserted: UInt64 = 0
  public var packetsLate: UInt64 = 0
  public var packetsDuplicate: UInt64 = 0
  public var packetsOverflowed: UInt64 = 0
  /// Payloads that a decoder refused.
  public var packetsUndecodable: UInt64 = 0
  public var decodes: UInt64 = 0
  /// Pitch periods removed and inserted by time-stretching.
  public var accelerations: UInt64 = 0
  public var decelerations: UInt64 = 0
  /// Times the play-out position was chosen anew: talk spurts, outages, clock jumps.
  public var restarts: UInt64 = 0
  /// Network-to-play-out delay now, and the target it follows, 48 kHz samples.
  public var delaySamples: Int32 = 0
  public var targetDelaySamples: Int32 = 0
  public init() {}
}

/// One incoming audio stream, from packets to 20 ms frames of mono PCM at 48 kHz.
///
/// Once per tick exactly one of `render` and `skip` is called. Buffers of accepted packets belong to the receiver until
/// it gives them back to the pool: in `render`, `skip`, `insert`, `reset`; at the end `reset` gives back all, and must be
/// called before the value is dropped. Allocates in `init` and `configure` only.
public struct AudioReceiver: ~Copyable {
  /// Samples of one tick: 20 ms at 48 kHz.
  public static let frameSamples = 960

  public private(set) var statistics = AudioReceiverStatistics()

  /// - Parameter formats: what the peer may send, at most `AudioLimits.formats`; later ones are ignored.
  public init(formats: [AudioFormat]) {}

  /// Renegotiated payload types. Decoders of formats that stay are kept; packets of others are released.
  public mutating func configure(formats: [AudioFormat], pool: inout PacketPool) {}

  /// Gives back every buffer and starts over: new SSRC, believed sequence jump, end of the leg. Statistics go on.
  public mutating func reset(pool: inout PacketPool) {}

  /// Takes one packet. On a throw the packet's buffer still belongs to the caller.
  ///
  /// - Throws: `.duplicate`, `.late`, `.overflow`, `.unknownPayloadType`, `.codecError` (a TOC that lies, more than 120 ms).
  public mutating func insert(_ packet: AudioPacket, now: Instant, pool: inout PacketPool) throws(DropReason) {
    throw .notAccepted
  }

  /// Loudness of the newest audio that arrived, −127…0 dBov, for choosing talkers without decoding; −127 when nothing
  /// arrived lately. From RFC 6464 when given, else from the payload itself.
  public func level(now: Instant) -> Int { -127 }

  /// One tick of a stream that is heard. `output` is filled wholly: 960 samples, mono, 48 kHz.
  public mutating func render(
    into output: inout MutableSpan<Int16>, now: Instant, pool: inout PacketPool
  ) -> AudioRendering {
    for index in 0..<output.count { output[index] = 0 }
    return .silent
  }

  /// One tick of a stream that is not heard: time passes, packets are released, no codec runs.
  /// The last few packets are kept, so that a promoted talker's first syllable is not cut.
  public mutating func skip(now: Instant, pool: inout PacketPool) {}
}
