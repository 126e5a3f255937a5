//  AudioEncoding.swift: the audio encodings Parley can negotiate.

/// An encoding name of `a=rtpmap` that Parley speaks.
public enum AudioEncoding: String, CaseIterable, Hashable, Sendable {
  case opus, g722, pcmu, pcma

  /// As written in `a=rtpmap`; compared without case (RFC 4855 §3).
  public var name: String {
    switch self {
    case .opus: "opus"
    case .g722: "G722"
    case .pcmu: "PCMU"
    case .pcma: "PCMA"
    }
  }

  /// Of RTP timestamps. G.722 counts at 8 kHz though it samples at 16 (RFC 3551 §4.5.2).
  public var clockRate: UInt32 { self == .opus ? 48_000 : 8_000 }

  /// The payload type that needs no `a=rtpmap` (RFC 3551 §6); `nil` for Opus.
  public var staticPayloadType: UInt8? {
    switch self {
    case .opus: nil
    case .g722: 9
    case .pcmu: 0
    case .pcma: 8
    }
  }
}
