//  PhoneConfiguration.swift: what a virtual phone speaks and says.

import Media
import Primitives
import SDP

/// How a virtual phone behaves; one value serves many phones.
public struct PhoneConfiguration: Sendable {
  public var capabilities = AudioCapabilities()
  /// What somebody who does not talk sends.
  public var quiet = Quiet.frames

  public enum Quiet: String, Sendable, CaseIterable {
    /// A packet every 20 ms of near silence, as most phones do.
    case frames
    /// Nothing but a comfort frame every 400 ms.
    case dtx
  }

  public init() {}
}

/// What one phone sends: its own voice and its quiet, in the format that was negotiated.
public struct PhoneVoice: Sendable {
  public var voice: VoiceClip
  public var quiet: VoiceClip

  public init(voice: VoiceClip, quiet: VoiceClip) {
    self.voice = voice
    self.quiet = quiet
  }
}

/// What one phone received, counted from its first packet to its last.
public struct PhoneReport: Sendable, Hashable {
  public var sent: UInt64 = 0
  public var received: UInt64 = 0
  /// Received at most `PhoneMedia.lateness` later than the leg's fastest packet, by their timestamps.
  public var onTime: UInt64 = 0
  /// By sequence numbers, from the first to the highest received.
  public var expected: UInt64 = 0
  public var lost: Int64 = 0
  /// Runs of missing sequence numbers.
  public var gaps: UInt64 = 0
  public var duplicates: UInt64 = 0
  /// SRTP, RTP or payload type was not what it must be.
  public var rejected: UInt64 = 0
  /// Authenticated; the others of a stream that is known were counted by their header.
  public var verified: UInt64 = 0
  public var undecodable: UInt64 = 0
  public var controlReceived: UInt64 = 0
  public var windowsJudged: UInt64 = 0
  /// Exactly those who talked were heard.
  public var windowsExact: UInt64 = 0
  /// A talker was not heard.
  public var windowsMissing: UInt64 = 0
  /// Somebody was heard who did not talk.
  public var windowsForeign: UInt64 = 0
  /// The phone heard itself.
  public var windowsOwn: UInt64 = 0

  public init() {}
}
