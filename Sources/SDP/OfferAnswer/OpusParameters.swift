//  OpusParameters.swift: the `fmtp` parameters of Opus (RFC 7587 §6.1).

/// What a receiver of Opus says it would like. All are hints to the sender.
public struct OpusParameters: Hashable, Sendable {
  /// `maxplaybackrate` in Hz, 8,000–48,000.
  public var maximumPlaybackRate: UInt32 = 48_000
  /// `maxaveragebitrate` in bit/s, 6,000–510,000; `nil`: the sender's choice.
  public var maximumAverageBitRate: UInt32?
  public var stereo = false
  /// `sprop-stereo`: what its writer will send.
  public var sendsStereo = false
  public var inBandFEC = false
  public var dtx = false
  public var constantBitRate = false

  public init() {}
}
