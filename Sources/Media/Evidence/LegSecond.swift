//  LegSecond.swift: what is known of one leg's second, in 64 bytes: the evidence that says whose fault a bad second was.
//  Walk: MediaWorker.sampleEvidence → LegSecond ⇢ queue ⇢ the control thread's history

import Primitives

/// What a leg was, and what befell it, in its second.
@frozen public struct LegFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Signalling lets the peer send to us.
  @inlinable public static var receives: LegFlags { LegFlags(rawValue: 1 << 0) }
  /// Signalling lets us send to the peer.
  @inlinable public static var sends: LegFlags { LegFlags(rawValue: 1 << 1) }
  /// Muted by its Focus.
  @inlinable public static var ingressBlocked: LegFlags { LegFlags(rawValue: 1 << 2) }
  /// Deafened by its Focus.
  @inlinable public static var egressBlocked: LegFlags { LegFlags(rawValue: 1 << 3) }
  /// An authentic packet has come, ever.
  @inlinable public static var wasHeard: LegFlags { LegFlags(rawValue: 1 << 4) }
  /// Nothing authentic has come for the leg's media time-out.
  @inlinable public static var isSilent: LegFlags { LegFlags(rawValue: 1 << 5) }
  /// There is an address to send to, and no other leg has proved it to be its own.
  @inlinable public static var hasPath: LegFlags { LegFlags(rawValue: 1 << 6) }
  /// The peer has said goodbye by RTCP.
  @inlinable public static var saidGoodbye: LegFlags { LegFlags(rawValue: 1 << 7) }
  /// It has no key: plain RTP.
  @inlinable public static var isPlain: LegFlags { LegFlags(rawValue: 1 << 8) }
  /// Its worker dropped packets of any leg for want of a buffer, or because the socket took none.
  @inlinable public static var hostDropped: LegFlags { LegFlags(rawValue: 1 << 9) }
  /// Another worker's, or a new one's, from this second on: the leg has moved.
  @inlinable public static var moved: LegFlags { LegFlags(rawValue: 1 << 10) }
}

/// One leg's second. Counts are of that second, and stay at their largest value instead of wrapping.
///
/// Taken by the meeting's own ticks, a fiftieth of its legs in each, so that a meeting of thousands does not stop for its
/// bookkeeping; a second may therefore be a little more or less than 50 ticks, and says how many.
@frozen public struct LegSecond: Hashable, Sendable, BitwiseCopyable {
  public var leg: UInt32
  /// Its end, in whole seconds of the monotonic clock.
  public var second: UInt32 = 0
  public var flags: LegFlags = []
  /// Ticks of 20 ms that it covers.
  public var ticks: UInt8 = 0
  /// Its loudest tick, −127…0 dBov: measured where it was decoded, else estimated.
  public var level: Int8 = -127

  // What was heard of it.
  /// Ticks in which its voice was in the mix.
  public var mixed: UInt8 = 0
  /// Ticks wholly or partly invented, because packets were lost or late.
  public var concealed: UInt8 = 0
  /// Packets rebuilt from in-band FEC.
  public var recovered: UInt8 = 0
  /// Pitch periods inserted or removed to follow the delay.
  public var stretched: UInt8 = 0
  /// Times its play-out began anew.
  public var restarts: UInt8 = 0
  /// Ticks in which what it was sent had to be turned down by the limiter.
  public var limited: UInt8 = 0

  // In
  public var duplicate: UInt8 = 0
  public var reordered: UInt8 = 0
  public var received: UInt16 = 0
  /// Expected less received, by sequence numbers; negative when late ones have come after all, or duplicates.
  public var lost: Int16 = 0
  /// After their play-out time.
  public var late: UInt16 = 0
  /// Packets that reached the leg and were not used for any other reason: not authentic, replayed, too many, unreadable.
  public var refused: UInt16 = 0
  /// Inter-arrival jitter (RFC 3550 §6.4.1), 1/10 ms.
  public var jitter: UInt16 = 0
  /// Network to play-out at the end of the second, 1/10 ms; 0 when it was not decoded.
  public var delay: UInt16 = 0
  /// Since its last authentic packet, RTCP included, 1/100 s.
  public var quiet: UInt16 = 0
  /// RTCP packets from the peer.
  public var control: UInt8 = 0

  // Ours
  /// What its worker leaves out because of overload: 0 nothing, 1 encoders work less, 2 and more: 1, 2 … talkers fewer.
  public var overload: UInt8 = 0
  /// Its meeting's worst tick: from when it was due to when its packets had left, 1/10 ms. 200 is a tick too late.
  public var lateness: UInt16 = 0

  // Out
  /// RTP packets; those of the next two included.
  public var sent: UInt16 = 0
  /// A single talker's packets, passed on as they are.
  public var forwarded: UInt8 = 0
  /// Packets of silence, to keep the stream alive.
  public var comfort: UInt8 = 0
  /// Packets made for it that could not be sent.
  public var unsent: UInt16 = 0
  /// Ticks in which there was something for it to hear.
  public var audible: UInt8 = 0

  // What the peer reports of our packets (RTCP).
  /// Reports about our stream in this second.
  public var remoteReports: UInt8 = 0
  /// Of its last report, in 1/256.
  public var remoteFractionLost: UInt8 = 0
  /// Since its last report, seconds; 255: longer, or there never was one.
  public var remoteAge: UInt8 = 255
  /// Of its last report, 1/10 ms.
  public var remoteJitter: UInt16 = 0
  /// 1/10 ms; 0 while unknown.
  public var roundTrip: UInt16 = 0
  /// Packets that came at the peer between its last two reports.
  public var remoteReceived: UInt16 = 0
  /// Packets that we had sent between its last two reports.
  public var remoteExpected: UInt16 = 0
  /// How the leg is probably heard here (G.107), mean opinion score in 1/50; 0 while unknown.
  public var opinion: UInt8 = 0
  public var reserved: UInt8 = 0
  public var reserved2: UInt16 = 0
  public var reserved3: UInt32 = 0

  @inlinable public init(leg: LegID) { self.leg = leg.rawValue }

  /// Received and lost; never negative.
  @inlinable public var expected: Int { max(0, Int(received) + Int(lost)) }
}
