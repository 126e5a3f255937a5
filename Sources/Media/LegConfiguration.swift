//  LegConfiguration.swift: everything a worker needs to know of one participant's media, as negotiated elsewhere.

import MediaTransport
import Primitives

/// One participant's media on this host. Unique while the process lives; never reused.
@frozen public struct LegID: Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// One mix: the legs that hear each other.
@frozen public struct MeetingID: Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
}

@frozen public enum AudioCodec: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case opus, g722, pcmu, pcma

  /// Of RTP timestamps. G.722 samples at 16 kHz but counts at 8 kHz (RFC 3551 §4.5.2).
  @inlinable public var clockRate: Int { self == .opus ? 48_000 : 8_000 }
  /// Of the PCM that the codec takes and gives.
  @inlinable public var sampleRate: Int {
    switch self {
    case .opus: 48_000
    case .g722: 16_000
    case .pcmu, .pcma: 8_000
    }
  }
}

/// What the peer wants of our Opus encoder (RFC 7587 §6.1, its `fmtp` about what it receives).
@frozen public struct OpusPreferences: Hashable, Sendable, BitwiseCopyable {
  /// Bits per second, 6,000–510,000; `maxaveragebitrate`, or our default.
  public var bitRate: Int32 = 32_000
  /// What the peer takes at most, `maxaveragebitrate`: talkers' own packets up to it may be forwarded to it.
  public var acceptedBitRate: Int32 = 510_000
  /// `maxplaybackrate` in Hz.
  public var maximumPlaybackRate: Int32 = 48_000
  public var inBandFEC = false
  public var dtx = false
  public var constantBitRate = false
  public var stereo = false
  public init() {}
}

/// One audio format with the payload type it was given.
@frozen public struct AudioFormat: Hashable, Sendable, BitwiseCopyable {
  public var codec: AudioCodec
  /// 0–127.
  public var payloadType: UInt8
  public var opus = OpusPreferences()
  public init(codec: AudioCodec, payloadType: UInt8) {
    self.codec = codec
    self.payloadType = payloadType
  }
}

/// RFC 4733 events and the clock they count with.
@frozen public struct TelephoneEventFormat: Hashable, Sendable, BitwiseCopyable {
  public var payloadType: UInt8
  /// 8,000 or 48,000 Hz.
  public var clockRate: Int32
  public init(payloadType: UInt8, clockRate: Int32) {
    self.payloadType = payloadType
    self.clockRate = clockRate
  }
}

/// How a leg's packets are protected.
public enum LegSecurity: Hashable, Sendable {
  /// No encryption; accepted from the signalled address only.
  case plain
  /// SRTP with keys from signalling: ours to send with, the peer's to receive with.
  case srtp(send: SRTPMasterKey, receive: SRTPMasterKey)
}

public struct LegConfiguration: Hashable, Sendable {
  public var leg: LegID
  public var meeting: MeetingID
  /// Where signalling says the peer receives RTP. Replaced by the first source that authenticates.
  /// Unspecified (0.0.0.0, or port 0) means: send nothing until latched.
  public var remoteMedia: SocketAddress
  /// Where it receives RTCP; equal to `remoteMedia` when `rtcpMux`.
  public var remoteControl: SocketAddress
  public var rtcpMux: Bool
  /// A profile with feedback was agreed: reports may come sooner than every 5 s (RFC 4585).
  public var rtcpFeedback = false
  /// RTCP packets may come without a report before them (RFC 5506).
  public var rtcpReducedSize = false
  /// Extended reports were agreed (RFC 3611 §5); without, they are written once the peer has sent one.
  public var rtcpExtendedReports = false
  public var security: LegSecurity
  /// What the peer may send, in order of preference; at least one, at most 8.
  public var receive: [AudioFormat]
  /// What we send.
  public var send: AudioFormat
  /// 10, 20, 40 or 60: how much audio one of our packets carries.
  public var packetMilliseconds: Int
  /// At most 2: one for each clock rate.
  public var telephoneEvents: [TelephoneEventFormat]
  /// The id of RFC 6464's header extension, 1–14, in both directions.
  public var audioLevelExtension: UInt8?
  /// The peer accepts media from us (its `sendrecv` or `recvonly`).
  public var sends: Bool
  /// We accept media from the peer.
  public var receives: Bool
  /// Our RTP identity, chosen by the control core so that signalling can name it.
  public var ssrc: UInt32
  public var initialSequence: UInt16
  public var initialTimestamp: UInt32
  /// RTCP canonical name, at most 64 bytes of ASCII (RFC 7022).
  public var cname: String
  /// The leg is reported silent when nothing authentic arrived for this long while `receives`.
  public var mediaTimeout: Interval
  /// Whether the others hear this leg at the loudness of an average talker; `nil`: as the worker is configured.
  public var automaticGain: Bool?
  /// The worker whose address signalling has told the peer, 0…127; `nil`: the one that opens the leg.
  public var home: Int?

  public init(
    leg: LegID, meeting: MeetingID, remoteMedia: SocketAddress, remoteControl: SocketAddress, rtcpMux: Bool,
    security: LegSecurity, receive: [AudioFormat], send: AudioFormat, packetMilliseconds: Int = 20,
    telephoneEvents: [TelephoneEventFormat] = [], audioLevelExtension: UInt8? = nil, sends: Bool = true,
    receives: Bool = true, ssrc: UInt32, initialSequence: UInt16, initialTimestamp: UInt32, cname: String,
    mediaTimeout: Interval = .seconds(30)
  ) {
    self.leg = leg
    self.meeting = meeting
    self.remoteMedia = remoteMedia
    self.remoteControl = remoteControl
    self.rtcpMux = rtcpMux
    self.security = security
    self.receive = receive
    self.send = send
    self.packetMilliseconds = packetMilliseconds
    self.telephoneEvents = telephoneEvents
    self.audioLevelExtension = audioLevelExtension
    self.sends = sends
    self.receives = receives
    self.ssrc = ssrc
    self.initialSequence = initialSequence
    self.initialTimestamp = initialTimestamp
    self.cname = cname
    self.mediaTimeout = mediaTimeout
  }
}
