//  MediaOutcome.swift: what the media thread measured in one judged stretch of time.

import Media
import Simulation

/// Counts are of the judged time alone.
package struct MediaOutcome: Sendable {
  /// All phones together.
  package var total = PhoneReport()
  package var interarrival = IntervalHistogram()
  /// Mouth to ear, of marks, the look-ahead of the talker's encoder included.
  package var delay = LatencySummary()
  package var marksHeard: UInt64 = 0
  package var judgedSeconds = 0.0
  /// Of phones that hear somebody all the time: what the clock says they must get, what they got, what of it in time.
  package var expectedWhileJudged: UInt64 = 0
  package var receivedWhileJudged: UInt64 = 0
  package var onTimeWhileJudged: UInt64 = 0
  /// The worst leg's share in time of what was due to it.
  package var worstOnTimeShare = 1.0
  /// Meetings in which at least one window was judged, and all there were.
  package var meetingsHeard = 0
  package var meetings = 0
  /// Of the media thread.
  package var cpuSeconds = 0.0
  /// The kernel took no more, or our own receive buffer was full: not the media host's fault.
  package var sendFailures: UInt64 = 0
  package var receiveDrops: UInt64 = 0
  /// Packets that left more than 10 ms after their time, of all that left.
  package var lateFrames: UInt64 = 0
  package var framesSent: UInt64 = 0
  /// Microseconds by which packets left late.
  package var lateness = LatencySummary()
  package var badTagsSent: UInt64 = 0
  package var floodSent: UInt64 = 0

  package init() {}

  package var onTimeShare: Double? {
    expectedWhileJudged == 0 ? nil : min(1, Double(onTimeWhileJudged) / Double(expectedWhileJudged))
  }
  package var receivedShare: Double? {
    expectedWhileJudged == 0 ? nil : Double(receivedWhileJudged) / Double(expectedWhileJudged)
  }
}

extension PhoneReport {
  private static var counters: [WritableKeyPath<PhoneReport, UInt64>] {
    [
      \.sent, \.received, \.onTime, \.expected, \.gaps, \.duplicates, \.rejected, \.verified, \.undecodable,
      \.controlReceived, \.windowsJudged, \.windowsExact, \.windowsMissing, \.windowsForeign, \.windowsOwn,
    ]
  }

  package mutating func add(_ other: PhoneReport) {
    lost &+= other.lost
    for counter in Self.counters { self[keyPath: counter] &+= other[keyPath: counter] }
  }

  /// What was counted since `earlier`; all of it when counting began anew in between.
  package func since(_ earlier: PhoneReport) -> PhoneReport {
    var growth = self
    guard sent >= earlier.sent, expected >= earlier.expected else { return growth }
    growth.lost &-= earlier.lost
    for counter in Self.counters {
      growth[keyPath: counter] = self[keyPath: counter] - min(earlier[keyPath: counter], self[keyPath: counter])
    }
    return growth
  }
}
