//  MediaHostObserver.swift: the media host's own figures during a run, from the lines it writes once a second.

import Foundation
import Media

/// What the media host measured of itself while the load ran; one host, all of its workers.
struct MediaHostMeasure: Codable, Sendable {
  /// Of the process, user and system, per leg, in percent of one core.
  var cpuPercentPerLeg: Double
  var cpuCores: Double
  /// Of the process: microseconds for each leg and 20 ms.
  var cpuMicrosecondsPerLegTick: Double
  /// The busiest worker's share of its time.
  var busy: Double
  /// Deadline minus finish of a tick: milliseconds; over all ticks, joined from the percentiles of the seconds.
  var slackP50Milliseconds: Double
  var slackP99Milliseconds: Double
  var slackP999Milliseconds: Double
  var slackMinimumMilliseconds: Double
  var lateTicks: Int
  /// The worst second's.
  var slackP999OfWorstSecondMilliseconds: Double
  /// Arrival to departure of a mixed packet.
  var residenceP50Milliseconds: Double
  var residenceP99Milliseconds: Double
  var encodesPerSecond: Double
  var decodesPerSecond: Double
  var packetsInPerSecond: Double
  var packetsOutPerSecond: Double
  var drops: Int

  var lines: [(name: String, value: String)] {
    [
      ("media host", String(format: "%.3f cores, %.4f %% of a core per leg", cpuCores, cpuPercentPerLeg)),
      (
        "tick slack",
        String(
          format: "p50 %.2f  p99 %.2f  p99.9 %.2f  least %.2f ms, %d late ticks", slackP50Milliseconds,
          slackP99Milliseconds, slackP999Milliseconds, slackMinimumMilliseconds, lateTicks)
      ),
      ("residence", String(format: "p50 %.1f  p99 %.1f ms", residenceP50Milliseconds, residenceP99Milliseconds)),
      (
        "codec calls",
        String(format: "%.0f encodes, %.0f decodes a second; %d drops", encodesPerSecond, decodesPerSecond, drops)
      ),
    ]
  }
}

/// Reads what a media host appends to its report file from now on.
final class MediaHostObserver {
  private struct Line: Decodable {
    var time: Double
    var worker: Int
    var packetsIn: UInt64
    var packetsOut: UInt64
    var decodes: UInt64
    var encodes: UInt64
    var drops: [String: UInt64]
    var lateTicks: UInt64
    var busy: Double
    var slack: SecondSummary
    var residence: SecondSummary
    var processCPUSeconds: Double
  }
  private let handle: FileHandle

  init(path: String) throws {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw CocoaError(.fileReadNoSuchFile, userInfo: [NSFilePathErrorKey: path])
    }
    self.handle = handle
    try handle.seekToEnd()
  }

  /// - Parameters:
  ///   - legs: in calls during that time.
  ///   - from: seconds since 1970; earlier lines do not count, nor do those after `to`. Each worker's first line is where
  ///     its counters start; it tells of time before `from`.
  /// - Returns: `nil` when the host wrote less than two lines.
  func measure(legs: Int, from: Double, to: Double) throws -> MediaHostMeasure? {
    let text = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    let decoder = JSONDecoder()
    let lines = text.split(separator: "\n").compactMap { try? decoder.decode(Line.self, from: Data($0.utf8)) }
      .filter { (from...to).contains($0.time) }
    let byWorker = Dictionary(grouping: lines, by: \.worker)
    guard let earliest = lines.min(by: { $0.time < $1.time }), let latest = lines.max(by: { $0.time < $1.time }),
      latest.time - earliest.time >= 0.9
    else { return nil }
    let seconds = latest.time - earliest.time
    let cores = (latest.processCPUSeconds - earliest.processCPUSeconds) / seconds
    /// Growth of a counter over all workers, a second.
    func rate(_ counter: (Line) -> UInt64) -> Double {
      byWorker.values.reduce(0) { sum, lines in
        guard let first = lines.first, let last = lines.last else { return sum }
        return sum + Double(counter(last) - min(counter(first), counter(last)))
      } / seconds
    }
    let inside = byWorker.values.flatMap { $0.dropFirst() }
    let ticking = inside.map(\.slack).filter { $0.count > 0 }
    let mixing = inside.map(\.residence).filter { $0.count > 0 }
    func slack(_ share: Double) -> Double { SummaryMerge.value(atShare: share, of: ticking, isSlack: true) / 1_000 }
    func residence(_ share: Double) -> Double {
      SummaryMerge.value(atShare: share, of: mixing, isSlack: false) / 1_000
    }
    return MediaHostMeasure(
      cpuPercentPerLeg: cores / Double(max(1, legs)) * 100, cpuCores: cores,
      cpuMicrosecondsPerLegTick: cores * 20_000 / Double(max(1, legs)), busy: inside.map(\.busy).max() ?? 0,
      slackP50Milliseconds: slack(0.5), slackP99Milliseconds: slack(0.99), slackP999Milliseconds: slack(0.999),
      slackMinimumMilliseconds: (ticking.map(\.minimum).min() ?? 0) / 1_000,
      lateTicks: Int(rate(\.lateTicks) * seconds),
      slackP999OfWorstSecondMilliseconds: (ticking.map(\.p999).min() ?? 0) / 1_000,
      residenceP50Milliseconds: residence(0.5), residenceP99Milliseconds: residence(0.99),
      encodesPerSecond: rate(\.encodes), decodesPerSecond: rate(\.decodes), packetsInPerSecond: rate(\.packetsIn),
      packetsOutPerSecond: rate(\.packetsOut), drops: Int(rate { $0.drops.values.reduce(0, +) } * seconds))
  }
}
