//  MediaWorkerConfiguration.swift: what a worker is told once, when it is made.

import MediaTransport
import Primitives

public struct MediaWorkerConfiguration: Sendable {
  /// Number of this worker on its host, 0…`MediaWorkerLimits.workers - 1`: its sockets are 2 × this, and the next.
  public var worker = 0
  public var limits = MediaWorkerLimits()
  /// Where the monotonic and the calendar clock meet, for NTP time in sender reports.
  public var clock: ClockAnchor
  /// For RTCP's intervals only; SSRCs and keys come with each leg.
  public var random: RandomSource
  public var srtp = SRTPBackend.evp
  /// What the worker measures its own work with; `nil`: it does not.
  public var stopwatch: Stopwatch?
  /// A single talker's Opus packets go to listeners whom they suit as they are. Off: everything is decoded and mixed.
  public var forwards = true
  /// Legs without encryption are refused unless set.
  public var allowsPlain = false

  /// A meeting's tick moves to where its talkers' packets wait least.
  public var alignsTicks = false
  /// Talkers are brought to one loudness, where their leg says nothing else.
  public var automaticGain = false

  public init(clock: ClockAnchor, random: RandomSource) {
    self.clock = clock
    self.random = random
  }
}
