//  AudioCapabilities.swift: what one side can do with audio, before it knows the peer.

/// Our side of an audio negotiation; a value that can be shared by all calls.
public struct AudioCapabilities: Hashable, Sendable {
  /// In our order of preference, used in offers; an answer keeps the offerer's order (RFC 3264 §6.1).
  public var encodings: [AudioEncoding] = [.opus, .g722, .pcmu, .pcma]
  /// What we say about the Opus we like to receive.
  public var opus: OpusParameters
  /// RFC 4733 events, at 8 kHz and (with Opus) 48 kHz.
  public var telephoneEvents = true
  /// In our order of preference: the first that the peer offers too is taken.
  public var suites: [CryptoSuite] = [.aeadAES256GCM, .aeadAES128GCM, .aes128CMSHA1Tag80, .aes128CMSHA1Tag32]
  /// Whether unencrypted RTP is acceptable, and what an offer of ours is when `suites` is empty.
  public var allowsPlainRTP = false
  public var rtcpMux = true
  /// 10, 20, 40 or 60: the packet length we like.
  public var packetMilliseconds = 20
  /// RFC 6464 client-to-mixer levels.
  public var audioLevelExtension = true

  public init() {
    opus = OpusParameters()
    opus.inBandFEC = true
  }
}
