//  DeploymentConfiguration.swift: what the operator sets, for both processes, in one file.

import Primitives
import Yams

/// The configuration file: a section for each process; every key has a default, so an empty file is a demonstration on
/// loopback. `PARLEY_FRONT_END_LISTEN` and its like override single keys.
public struct DeploymentConfiguration: Equatable, Sendable {
  public var frontEnd = FrontEndConfiguration()
  public var mediaHost = MediaHostConfiguration()

  public init() {}

  /// - Parameters:
  ///   - yaml: the file's text, or `nil` for the defaults.
  ///   - environment: the process's variables.
  /// - Throws: every complaint at once.
  public init(yaml: String?, environment: [String: String]) throws(ConfigurationError) {
    var root: Node?
    if let yaml {
      guard yaml.utf8.count <= 1 << 20 else {
        throw ConfigurationError([ConfigurationComplaint(key: "file", expected: "at most 1 MiB", found: nil, line: nil)]
        )
      }
      do {
        root = try Yams.compose(yaml: yaml)
      } catch {
        throw ConfigurationError([
          ConfigurationComplaint(key: "file", expected: "YAML: \(error)", found: nil, line: nil)
        ])
      }
    }
    var complaints: [ConfigurationComplaint] = []
    if let root, root.mapping == nil, root.null == nil {
      complaints.append(
        ConfigurationComplaint(
          key: "file", expected: "sections front-end and media-host", found: root.string, line: nil))
    }
    for (key, _) in root?.mapping ?? [:] where !["front-end", "media-host"].contains(key.string) {
      complaints.append(
        ConfigurationComplaint(
          key: key.string ?? "?", expected: "a section front-end or media-host", found: key.string,
          line: key.mark?.line))
    }
    var reader = ConfigurationReader(section: "front-end", of: root, environment: environment)
    frontEnd = FrontEndConfiguration(from: &reader)
    complaints += reader.complaints
    reader = ConfigurationReader(section: "media-host", of: root, environment: environment)
    mediaHost = MediaHostConfiguration(from: &reader)
    complaints += reader.complaints
    if !complaints.isEmpty { throw ConfigurationError(complaints) }
  }
}

/// Everything that is wrong with a configuration.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible, Sendable {
  public var complaints: [ConfigurationComplaint]
  init(_ complaints: [ConfigurationComplaint]) { self.complaints = complaints }
  public var description: String { complaints.map(\.description).joined(separator: "\n") }
}

/// Section `front-end`: the control plane.
public struct FrontEndConfiguration: Equatable, Sendable {
  /// SIP over UDP and TCP.
  public var listen = SocketAddress(ipv4: 0x7f00_0001, port: 5060)
  /// Hosts that are ours in a Request-URI, without port.
  public var domains = ["127.0.0.1", "localhost"]
  /// Any `sip:NAME@DOMAIN` is a meeting.
  public var openMeetings = true
  /// Path of the SQLite file; `state` is one in the user's state folder, `memory` keeps nothing after the end.
  public var store = "state"
  /// How long an empty meeting stays.
  public var gracePeriod = Interval.seconds(10)
  public var maximumParticipants = 1_000
  /// Addresses that may register as media hosts.
  public var mediaHosts = ["127.0.0.1"]

  public init() {}

  init(from reader: inout ConfigurationReader) {
    listen = reader.address("listen", default: listen)
    domains = reader.list("domains", "a host name or address", default: domains) { $0.isEmpty ? nil : $0.lowercased() }
    openMeetings = reader.flag("open-meetings", default: openMeetings)
    store = reader.text("store", default: store)
    gracePeriod = reader.interval("grace-period", in: .zero ... .seconds(86_400), default: gracePeriod)
    maximumParticipants = reader.number("maximum-participants", in: 1...100_000, default: maximumParticipants)
    mediaHosts = reader.list("media-hosts", "an IP address", default: mediaHosts) {
      SocketAddress(host: $0, port: 0) == nil ? nil : $0
    }
    reader.complainAboutUnknownKeys()
  }
}

/// Section `media-host`: the data plane of this machine.
public struct MediaHostConfiguration: Equatable, Sendable {
  /// Names the host to the Conferencing Server Factory; unique in the pool.
  public var name = "mh1"
  /// SIP over TCP and UDP, for the front end.
  public var listen = SocketAddress(ipv4: 0x7f00_0001, port: 5070)
  /// Where to register.
  public var frontEnd = SocketAddress(ipv4: 0x7f00_0001, port: 5060)
  /// What phones are told to send media to.
  public var mediaAddress = "127.0.0.1"
  /// The first worker's media port, even; each worker takes two.
  public var mediaPort = 40_000
  /// The CPUs to pin workers to, one each; empty: all but one, at least one.
  public var workers: [Int] = []
  public var maximumLegs = 2_000
  /// Participants of one meeting on one worker, and percent of its time, from which on further ones go to another worker.
  public var splitLegs = 1_000
  public var splitBusy = 60
  /// A participant whose media stops for this long is reported, and removed by the Focus.
  public var mediaTimeout = Interval.seconds(30)
  /// What encrypts, one of `srtpChoices`.
  public var srtp = "auto"
  public var plainRTP = false
  /// Where figures are served to Prometheus, and to the operator's command on this machine; `nil`: nowhere.
  public var metrics: SocketAddress? = MediaHostConfiguration.defaultMetrics
  /// SCHED_FIFO for the workers' threads, 1–99; 0: as every other thread.
  public var realtimePriority = 0
  /// Soft talkers are raised and loud ones lowered towards −23 dBov.
  public var automaticGain = false

  public static let defaultMetrics = SocketAddress(ipv4: 0x7f00_0001, port: 9_108)
  /// The fastest that runs here; Intel's library; OpenSSL; libsrtp2.
  public static let srtpChoices = ["auto", "ipsec-mb", "evp", "reference"]

  public init() {}

  init(from reader: inout ConfigurationReader) {
    name = reader.value("name", "1 to 63 letters, digits, '-' or '.'", default: name) { text in
      let allowed = text.utf8.allSatisfy {
        (48...57).contains($0) || (97...122).contains($0 | 32) || $0 == 45 || $0 == 46
      }
      return (1...63).contains(text.utf8.count) && allowed ? text : nil
    }
    listen = reader.address("listen", default: listen)
    frontEnd = reader.address("front-end", default: frontEnd)
    mediaAddress = reader.host("media-address", default: mediaAddress)
    mediaPort = reader.value("media-port", "an even port from 1024 to 65000", default: mediaPort) {
      Int($0).flatMap { (1_024...65_000).contains($0) && $0 % 2 == 0 ? $0 : nil }
    }
    workers = reader.list("workers", "a CPU number", default: workers) {
      Int($0).flatMap { (0..<1_024).contains($0) ? $0 : nil }
    }
    maximumLegs = reader.number("maximum-legs", in: 1...100_000, default: maximumLegs)
    splitLegs = reader.number("split-legs", in: 1...100_000, default: splitLegs)
    splitBusy = reader.number("split-busy", in: 1...100, default: splitBusy)
    mediaTimeout = reader.interval("media-timeout", in: .seconds(1) ... .seconds(3_600), default: mediaTimeout)
    srtp = reader.value("srtp", "auto, ipsec-mb, evp or reference", default: srtp) {
      Self.srtpChoices.contains($0) ? $0 : nil
    }
    plainRTP = reader.flag("plain-rtp", default: plainRTP)
    metrics = reader.value("metrics", "an address and port such as 127.0.0.1:9108, or \"\" for none", default: metrics)
    {
      (text: String) -> SocketAddress?? in
      if text.isEmpty { return .some(nil) }
      return SocketAddress(text).map { .some($0) }
    }
    realtimePriority = reader.number("realtime-priority", in: 0...99, default: realtimePriority)
    automaticGain = reader.flag("automatic-gain", default: automaticGain)
    reader.complainAboutUnknownKeys()
  }
}

extension DeploymentConfiguration: CustomStringConvertible {
  /// The configuration as the file that would bring it about.
  public var description: String {
    """
    front-end:
      listen: "\(frontEnd.listen)"
      domains: [\(frontEnd.domains.map { "\"\($0)\"" }.joined(separator: ", "))]
      open-meetings: \(frontEnd.openMeetings)
      store: "\(frontEnd.store)"
      grace-period: \(frontEnd.gracePeriod.nanoseconds / 1_000_000)ms
      maximum-participants: \(frontEnd.maximumParticipants)
      media-hosts: [\(frontEnd.mediaHosts.map { "\"\($0)\"" }.joined(separator: ", "))]
    media-host:
      name: \(mediaHost.name)
      listen: "\(mediaHost.listen)"
      front-end: "\(mediaHost.frontEnd)"
      media-address: "\(mediaHost.mediaAddress)"
      media-port: \(mediaHost.mediaPort)
      workers: [\(mediaHost.workers.map(String.init).joined(separator: ", "))]
      maximum-legs: \(mediaHost.maximumLegs)
      split-legs: \(mediaHost.splitLegs)
      split-busy: \(mediaHost.splitBusy)
      media-timeout: \(mediaHost.mediaTimeout.nanoseconds / 1_000_000)ms
      srtp: \(mediaHost.srtp)
      plain-rtp: \(mediaHost.plainRTP)
      metrics: "\(mediaHost.metrics.map { "\($0)" } ?? "")"
      realtime-priority: \(mediaHost.realtimePriority)
      automatic-gain: \(mediaHost.automaticGain)
    """
  }
}
