//  MediaHostObserver.swift: the media host's own figures during a run, from the lines it writes once a second.

import Foundation
import Media

/// What the media host measured of itself while the load ran; one host, all of its workers.
struct MediaHostMeasure: Codable {
  /// Of the process, user and system, per leg, in percent of one core.
  var cpuPercentPerLeg: Double
  var cpuCores: Double
  /// Deadline minus finish of a tick: milliseconds; worst second of any worker, `p50` of the median second.
  var slackP50Milliseconds: Double
  var slackP99Milliseconds: Double
  var slackP999Milliseconds: Double
  var slackMinimumMilliseconds: Double
  var lateTicks: Int
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
  private struct Summary: Decodable {
    var count: UInt64
    var minimum: Double
    var p50: Double
    var p99: Double
    var p999: Double
  }
  private struct Line: Decodable {
    var time: Double
    var worker: Int
    var packetsIn: UInt64
    var packetsOut: UInt64
    var decodes: UInt64
    var encodes: UInt64
    var drops: [String: UInt64]
    var lateTicks: UInt64
    var slack: Summary
    var residence: Summary
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

  /// - Returns: `nil` when the host wrote less than two seconds' lines.
  func measure(legs: Int) throws -> MediaHostMeasure? {
    let text = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    let decoder = JSONDecoder()
    let lines = text.split(separator: "\n").compactMap { try? decoder.decode(Line.self, from: Data($0.utf8)) }
    let byWorker = Dictionary(grouping: lines, by: \.worker)
    guard let earliest = lines.min(by: { $0.time < $1.time }), let latest = lines.max(by: { $0.time < $1.time }),
      latest.time - earliest.time >= 1
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
    let ticking = lines.filter { $0.slack.count > 0 }
    func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] / 1_000 }
    func worst(_ values: [Double]) -> Double { (values.min() ?? 0) / 1_000 }
    let mixing = lines.filter { $0.residence.count > 0 }
    return MediaHostMeasure(
      cpuPercentPerLeg: cores / Double(max(1, legs)) * 100, cpuCores: cores,
      slackP50Milliseconds: median(ticking.map(\.slack.p50)), slackP99Milliseconds: median(ticking.map(\.slack.p99)),
      slackP999Milliseconds: worst(ticking.map(\.slack.p999)),
      slackMinimumMilliseconds: worst(ticking.map(\.slack.minimum)),
      lateTicks: Int(rate(\.lateTicks) * seconds),
      residenceP50Milliseconds: median(mixing.map(\.residence.p50)),
      residenceP99Milliseconds: median(mixing.map(\.residence.p99)),
      encodesPerSecond: rate(\.encodes), decodesPerSecond: rate(\.decodes), packetsInPerSecond: rate(\.packetsIn),
      packetsOutPerSecond: rate(\.packetsOut), drops: Int(rate { $0.drops.values.reduce(0, +) } * seconds))
  }
}
