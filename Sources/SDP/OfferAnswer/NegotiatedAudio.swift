//  NegotiatedAudio.swift: what an offer and its answer amount to, for one audio stream.

import Primitives

/// The outcome of offer and answer, seen from us. A media leg is configured from this alone.
public struct NegotiatedAudio: Hashable, Sendable {
  /// Which `m=` line carries it, from 0.
  public var mediaIndex: Int
  /// Where signalling says the peer receives RTP; unspecified (0.0.0.0 or ::) while it holds the old way.
  public var remoteMedia: SocketAddress
  /// Where the peer receives RTCP; equal to `remoteMedia` when `rtcpMux`.
  public var remoteControl: SocketAddress
  public var rtcpMux: Bool
  /// What both sides do with RTCP beyond reports.
  public var controlFeatures = ControlFeatures()
  public var security: Security
  /// What the peer may send us, with the payload types it will use; 1–4 formats, the preferred one first.
  public var receive: [Format]
  /// What we send, with the payload type the peer expects, and (Opus) what the peer likes.
  public var send: Format
  /// Every format that the peer takes from us, preferred first; contains `send`.
  public var sendable: [Format]
  /// 10, 20, 40 or 60: how much audio one of our packets carries.
  public var packetMilliseconds: Int
  /// At most one for each clock rate.
  public var telephoneEvents: [TelephoneEvent]
  /// The id of RFC 6464's header extension, 1–14, both ways.
  public var audioLevelExtension: UInt8?
  /// Seen from us: `sends` when the peer accepts media now, `receives` when it may send.
  public var direction: MediaDirection
  /// The peer's `a=label` of the stream (RFC 4574).
  public var remoteLabel: String?

  /// One encoding with its payload type in one direction.
  public struct Format: Hashable, Sendable {
    public var encoding: AudioEncoding
    /// 0–127.
    public var payloadType: UInt8
    /// About the receiver of this format: of `send` the peer's wishes, of `receive` ours.
    public var opus: OpusParameters

    public init(encoding: AudioEncoding, payloadType: UInt8, opus: OpusParameters = OpusParameters()) {
      self.encoding = encoding
      self.payloadType = payloadType
      self.opus = opus
    }
  }

  /// RFC 4733 events of one clock rate.
  public struct TelephoneEvent: Hashable, Sendable {
    /// 8,000 or 48,000 Hz.
    public var clockRate: UInt32
    public var receivePayloadType: UInt8
    public var sendPayloadType: UInt8

    public init(clockRate: UInt32, receivePayloadType: UInt8, sendPayloadType: UInt8) {
      self.clockRate = clockRate
      self.receivePayloadType = receivePayloadType
      self.sendPayloadType = sendPayloadType
    }
  }

  public enum Security: Hashable, Sendable {
    case plain
    /// `send` and `receive` are key ‖ salt of `suite`; `receiveMKI` is the identifier that the peer's packets
    /// carry, empty as a rule. We never send one.
    case sdes(suite: CryptoSuite, send: [UInt8], receive: [UInt8], receiveMKI: [UInt8])
  }
}
