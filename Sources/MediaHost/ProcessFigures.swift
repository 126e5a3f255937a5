//  ProcessFigures.swift: what the kernel says of this process.

import Foundation

extension ProcessFigures {
  static var current: ProcessFigures {
    var figures = ProcessFigures()
    figures.cpuSeconds = ReportWriter.processCPUSeconds()
    // The second number is resident pages (proc(5)).
    if let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) {
      let pages = text.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0
      figures.residentBytes = pages &* UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
    return figures
  }
}
