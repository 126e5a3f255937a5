//  ReportWriter.swift: `--report`: every worker's second as one line of JSON, for the load tool and the benchmarks.

import Foundation
import Media
import Primitives

/// Writes one object per report, flushed at once.
///
/// `packetsIn`, `packetsOut`, `decodes`, `encodes`, `drops` and `lateTicks` count since the worker's start; `busy`,
/// `slack` and `residence` (microseconds) are of the last second; `processCPUSeconds` is user and system time of the
/// whole process since its start.
final class ReportWriter: Sendable {
  private let file: FileHandle

  /// - Parameter path: a file to write anew; `-` is standard output.
  /// - Throws: what the system says when the file cannot be made.
  init(path: String) throws {
    if path == "-" {
      file = .standardOutput
      return
    }
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  func write(_ report: WorkerReport, time: Double) {
    // A report that cannot be written is lost: the media goes on.
    try? file.write(contentsOf: Data((Self.line(report, time: time, cpu: Self.processCPUSeconds()) + "\n").utf8))
  }

  static func line(_ report: WorkerReport, time: Double, cpu: Double) -> String {
    let drops = DropReason.allCases.compactMap { reason in
      report.drops[reason] > 0 ? "\"\(reason)\":\(report.drops[reason])" : nil
    }
    let busy = report.busy.isFinite ? report.busy : 0
    var relief = "\"overload\":\"\(report.overload)\",\"overloadRaised\":\(report.overloadRaised)"
    relief += ",\"overloadLowered\":\(report.overloadLowered)"
    relief += ",\"packetsSentOn\":\(report.packetsSentOn),\"legsAway\":\(report.legsAway)"
    return "{\"time\":\(time),\"worker\":\(report.worker),\"meetings\":\(report.meetings),\"legs\":\(report.legs),"
      + "\"packetsIn\":\(report.packetsIn),\"packetsOut\":\(report.packetsOut),\"decodes\":\(report.decodes),"
      + "\"encodes\":\(report.encodes),\"forwards\":\(report.forwards),\"switches\":\(report.switches),"
      + "\"drops\":{\(drops.joined(separator: ","))},"
      + "\"poolCapacity\":\(report.poolCapacity),\"poolAvailable\":\(report.poolAvailable),\"busy\":\(busy),"
      + "\(relief),\"lateTicks\":\(report.lateTicks),\"slack\":\(object(report.slack)),"
      + "\"links\":{\"overflow\":\(report.linkOverflow),\"framesLost\":\(report.linkFramesLost),"
      + "\"framesLate\":\(report.linkFramesLate)},"
      + "\"residence\":\(object(report.residence)),\"processCPUSeconds\":\(cpu)}"
  }

  private static func object(_ summary: LatencySummary) -> String {
    "{\"count\":\(summary.count),\"minimum\":\(summary.minimum),\"p50\":\(summary.p50),\"p99\":\(summary.p99),"
      + "\"p999\":\(summary.p999),\"maximum\":\(summary.maximum)}"
  }

  static func processCPUSeconds() -> Double {
    var usage = rusage()
    guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
  }
}
