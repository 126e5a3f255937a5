//  MetricsText.swift: the host's figures in Prometheus's text format 0.0.4.

import Media
import Primitives

/// Builds one exposition: a family is announced with HELP and TYPE, then its samples follow together.
package struct MetricsText {
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  package enum Kind: String { case counter, gauge, histogram }

  package private(set) var text = ""

  package init() { text.reserveCapacity(32_768) }

  package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  /// - Parameter labels: values are escaped; names are ours.
  package mutating func sample(_ name: String, _ labels: [(name: String, value: String)] = [], _ value: Double) {
    text += name
    if !labels.isEmpty {
      text += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
    }
    text += " \(Self.number(value))\n"
  }

  package mutating func sample(_ name: String, _ labels: [(name: String, value: String)] = [], _ value: UInt64) {
    sample(name, labels, Double(value))
  }

  /// Samples of a histogram whose durations become seconds.
  package mutating func histogram(
    _ name: String, _ labels: [(name: String, value: String)] = [], _ histogram: DurationHistogram
  ) {
    for index in 0...DurationHistogram.bounds {
      let bound = histogram.limitMicroseconds(index).map { Self.number(Double($0) / 1e6) } ?? "+Inf"
      sample("\(name)_bucket", labels + [("le", bound)], histogram.cumulative(index))
    }
    sample("\(name)_sum", labels, Double(histogram.sumMicroseconds) / 1e6)
    sample("\(name)_count", labels, histogram.count)
  }

  static func escaped(_ value: String) -> String {
    var result = ""
    for character in value.unicodeScalars {
      switch character {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
    return "\(value)"
  }
}

/// What the process as a whole uses.
package struct ProcessFigures: Sendable {
  package var cpuSeconds: Double = 0
  package var residentBytes: UInt64 = 0
  package init() {}
}

extension HostFigures {
  /// Everything, as one scrape.
  package func exposition(process: ProcessFigures, served: UInt64, refused: UInt64, now: Instant) -> String {
    var text = MetricsText()
    appendHost(process, served: served, refused: refused, to: &text)
    appendPackets(to: &text)
    appendCodecs(to: &text)
    appendWork(now: now, to: &text)
    return text.text
  }

  private func appendHost(_ process: ProcessFigures, served: UInt64, refused: UInt64, to text: inout MetricsText) {
    text.family("parley_build_info", .gauge, "Always 1; how this process was built.")
    #if swift(>=6.3)
      let compiler = "6.3"
    #else
      let compiler = "6.2"
    #endif
    #if arch(x86_64)
      let architecture = "x86-64-v3"
    #else
      let architecture = "other"
    #endif
    text.sample("parley_build_info", [("swift", compiler), ("architecture", architecture)], 1.0)
    let gauges: [(String, String, Double)] = [
      ("parley_process_start_time_seconds", "When this process started, UNIX time.", startedAt),
      ("parley_process_resident_memory_bytes", "Memory of this process.", Double(process.residentBytes)),
      ("parley_host_legs", "Participants' calls on this host.", Double(counts.legs)),
      ("parley_host_meetings", "Meetings on this host.", Double(counts.meetings)),
      ("parley_host_registered", "1: a front end has this host.", isRegistered ? 1 : 0),
      ("parley_host_overloaded", "1: newcomers are refused.", isOverloaded ? 1 : 0),
      ("parley_host_evidence_legs", "Legs whose last seconds are remembered.", Double(evidenceLegs)),
      (
        "parley_host_evidence_bytes", "Memory of the legs' remembered seconds.",
        Double(evidenceChunks * EvidenceHistory.chunkSeconds * MemoryLayout<LegSecond>.stride)
      ),
    ]
    for (name, help, value) in gauges {
      text.family(name, .gauge, help)
      text.sample(name, [], value)
    }
    let counters: [(String, String, Double)] = [
      ("parley_process_cpu_seconds_total", "CPU time of this process.", process.cpuSeconds),
      ("parley_http_requests_total", "Requests that this server has answered.", Double(served)),
      ("parley_http_refused_total", "Connections and requests that it has refused.", Double(refused)),
    ]
    for (name, help, value) in counters {
      text.family(name, .counter, help)
      text.sample(name, [], value)
    }
    text.family(
      "parley_first_media_seconds", .histogram, "From a participant's call to its first authentic packet.")
    text.histogram("parley_first_media_seconds", [], firstMedia)
  }

  private func each(_ body: (WorkerReport, [(name: String, value: String)]) -> Void) {
    for (number, worker) in workers.enumerated() { body(worker.report, [("worker", "\(number)")]) }
  }

  private func appendPackets(to text: inout MetricsText) {
    text.family("parley_packets_total", .counter, "Datagrams that workers took in and sent.")
    each { report, labels in
      text.sample("parley_packets_total", labels + [("direction", "in")], report.packetsIn)
      text.sample("parley_packets_total", labels + [("direction", "out")], report.packetsOut)
    }
    text.family("parley_bytes_total", .counter, "Their bytes, without UDP and IP.")
    each { report, labels in
      text.sample("parley_bytes_total", labels + [("direction", "in")], report.bytesIn)
      text.sample("parley_bytes_total", labels + [("direction", "out")], report.bytesOut)
    }
    text.family("parley_drops_total", .counter, "Packets that were not used, by reason.")
    each { report, labels in
      for reason in DropReason.allCases where reason != .simulated {
        text.sample("parley_drops_total", labels + [("reason", Self.snake("\(reason)"))], report.drops[reason])
      }
    }
    text.family("parley_overload_steps_total", .counter, "Steps taken to leave out more (up) and less (down).")
    each { report, labels in
      text.sample("parley_overload_steps_total", labels + [("direction", "up")], report.overloadRaised)
      text.sample("parley_overload_steps_total", labels + [("direction", "down")], report.overloadLowered)
    }
    let counters: [(String, String, (WorkerReport) -> UInt64)] = [
      ("parley_forwarded_packets_total", "A single talker's packets passed on without decoding.", { $0.forwards }),
      ("parley_worker_turns_total", "Turns of the worker's loop.", { $0.costs.turns }),
      ("parley_late_ticks_total", "Ticks whose packets left after the next tick was due.", { $0.lateTicks }),
      (
        "parley_evidence_lost_total", "Legs' seconds that the control thread did not take in time.", { $0.evidenceLost }
      ),
    ]
    for (name, help, value) in counters {
      text.family(name, .counter, help)
      each { report, labels in text.sample(name, labels, value(report)) }
    }
  }

  private func appendCodecs(to text: inout MetricsText) {
    let counters: [(String, String, (WorkerReport) -> CodecCounters)] = [
      ("parley_decodes_total", "Packets that went through a decoder.", { $0.decodesByCodec }),
      ("parley_encodes_total", "Frames that went through an encoder.", { $0.encodesByCodec }),
    ]
    for (name, help, value) in counters {
      text.family(name, .counter, help)
      each { report, labels in
        for codec in AudioCodec.allCases {
          text.sample(name, labels + [("codec", "\(codec)")], value(report)[codec])
        }
      }
    }
  }

  private func appendWork(now: Instant, to text: inout MetricsText) {
    let gauges: [(String, String, (WorkerFigures) -> Double)] = [
      ("parley_worker_legs", "Legs of the worker.", { Double($0.report.legs) }),
      ("parley_worker_meetings", "Meetings of the worker.", { Double($0.report.meetings) }),
      ("parley_worker_busy_ratio", "Share of its last second that the worker did not wait.", { $0.report.busy }),
      ("parley_worker_pool_buffers", "Packet buffers of the worker.", { Double($0.report.poolCapacity) }),
      ("parley_worker_pool_free_buffers", "Those of them that are free.", { Double($0.report.poolAvailable) }),
      (
        "parley_worker_overload_step",
        "0: nothing left out; 1, 2: cheaper Opus; 3 to 5: fewer talkers; 6: no newcomers.",
        { Double($0.report.overload.rawValue) }
      ),
      ("parley_worker_stuck", "1: the watchdog misses the worker's reports.", { $0.isStuck ? 1 : 0 }),
      (
        "parley_worker_report_age_seconds", "Since the worker's last report.",
        { max(0, (now - $0.heardAt).seconds) }
      ),
    ]
    for (name, help, value) in gauges {
      text.family(name, .gauge, help)
      for (number, worker) in workers.enumerated() {
        text.sample(name, [("worker", "\(number)")], value(worker))
      }
    }
    let times: [(String, String, (WorkerReport) -> UInt64)] = [
      ("parley_worker_cpu_seconds_total", "CPU time of the worker's thread.", { $0.cpuMicroseconds &* 1_000 }),
      ("parley_worker_receive_seconds_total", "Receiving, decrypting and filing.", { $0.costs.receiveNanoseconds }),
      ("parley_worker_mix_seconds_total", "Choosing who is heard, and mixing.", { $0.costs.tickNanoseconds }),
      ("parley_worker_decode_seconds_total", "Jitter buffers and decoders.", { $0.costs.decodeNanoseconds }),
      ("parley_worker_encode_seconds_total", "Encoders.", { $0.costs.encodeNanoseconds }),
      ("parley_worker_send_seconds_total", "Writing, encrypting and sending.", { $0.costs.sendNanoseconds }),
    ]
    for (name, help, value) in times {
      text.family(name, .counter, help)
      each { report, labels in text.sample(name, labels, Double(value(report)) / 1e9) }
    }
    text.family("parley_tick_slack_seconds", .histogram, "What was left of a tick's 20 ms when its packets had left.")
    each { report, labels in text.histogram("parley_tick_slack_seconds", labels, report.slackHistogram) }
    text.family(
      "parley_residence_seconds", .histogram, "From a packet's arrival to the departure of the mix it is heard in.")
    each { report, labels in text.histogram("parley_residence_seconds", labels, report.residenceHistogram) }
  }

  /// `poolExhausted` → `pool_exhausted`.
  static func snake(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : "\($1)" }
  }
}
