//  RunningParley.swift: front end and media hosts as an operator runs them: the built programs, on ports of their own.

import Foundation

/// The programs beside this test binary.
enum Program {
  static func path(_ name: String) throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
    guard FileManager.default.isExecutableFile(atPath: path) else { throw HarnessError("\(path) has not been built") }
    return path
  }
}

/// One front end and any number of media hosts on loopback. All end with it.
final class RunningParley {
  struct Settings {
    var mediaTimeoutSeconds = 3
    var gracePeriodSeconds = 1
    var plainRTP = false
    var maximumLegs = 200
    var srtp = "auto"
    var mediaHosts = 1
    var openMeetings = true
  }

  let sipPort: UInt16
  let directory: ScratchDirectory
  private(set) var frontEnd: ChildProcess
  private(set) var mediaHosts: [MediaHost] = []
  private let settings: Settings

  final class MediaHost {
    let name: String
    let sipPort: UInt16
    let mediaPort: UInt16
    let metricsPort: UInt16
    let process: ChildProcess
    init(name: String, sipPort: UInt16, mediaPort: UInt16, metricsPort: UInt16, process: ChildProcess) {
      self.metricsPort = metricsPort
      self.name = name
      self.sipPort = sipPort
      self.mediaPort = mediaPort
      self.process = process
    }
  }

  init(_ settings: Settings = Settings()) throws {
    self.settings = settings
    directory = try ScratchDirectory()
    sipPort = FreePort.pair()
    let file = try directory.write(
      "front-end.yaml",
      """
      front-end:
        listen: 127.0.0.1:\(sipPort)
        domains: [127.0.0.1, conf.example.com]
        open-meetings: \(settings.openMeetings)
        store: \(directory.path("parley.sqlite"))
        grace-period: \(settings.gracePeriodSeconds)s
      """)
    frontEnd = try ChildProcess(
      "parley-front-end", Program.path("parley-front-end"), ["--config", file, "--log-level", "debug"])
    try frontEnd.waitForLine(containing: "ready")
    for number in 1...max(1, settings.mediaHosts) where settings.mediaHosts > 0 {
      try startMediaHost("mh\(number)", maximumLegs: settings.maximumLegs)
    }
  }

  deinit {
    for host in mediaHosts { host.process.kill() }
    frontEnd.kill()
    for host in mediaHosts { _ = try? host.process.waitForExit(seconds: 5) }
    _ = try? frontEnd.waitForExit(seconds: 5)
  }

  @discardableResult
  func startMediaHost(_ name: String, maximumLegs: Int) throws -> MediaHost {
    let hostPort = FreePort.pair()
    let mediaPort = FreePort.pair()
    let metricsPort = FreePort.pair()
    let file = try directory.write(
      "\(name).yaml",
      """
      media-host:
        name: \(name)
        listen: 127.0.0.1:\(hostPort)
        front-end: 127.0.0.1:\(sipPort)
        media-port: \(mediaPort)
        workers: [0]
        maximum-legs: \(maximumLegs)
        media-timeout: \(settings.mediaTimeoutSeconds)s
        plain-rtp: \(settings.plainRTP)
        srtp: \(settings.srtp)
        metrics: 127.0.0.1:\(metricsPort)
      """)
    let process = try ChildProcess(
      "parley-media-host \(name)", Program.path("parley-media-host"),
      ["--config", file, "--report", directory.path("\(name).report")])
    let host = MediaHost(
      name: name, sipPort: hostPort, mediaPort: mediaPort, metricsPort: metricsPort, process: process)
    mediaHosts.append(host)
    try process.waitForLine(containing: "ready")
    return host
  }

  func uri(_ meeting: String) -> String { "sip:\(meeting)@127.0.0.1:\(sipPort)" }

  /// Everything that either process logged, for a failing test.
  var log: String {
    ([frontEnd] + mediaHosts.map(\.process)).map { "--- \($0.name)\n\($0.output)" }.joined(separator: "\n")
  }

  /// Ends everything as an operator does and returns the exit statuses: front end first.
  func stop() throws -> [Int32] {
    frontEnd.kill()
    var statuses = [try frontEnd.waitForExit(seconds: 10)]
    for host in mediaHosts {
      host.process.kill()
      statuses.append(try host.process.waitForExit(seconds: 10))
    }
    return statuses
  }
}
