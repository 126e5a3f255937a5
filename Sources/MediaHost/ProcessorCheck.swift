//  ProcessorCheck.swift: whether this machine has the instructions that the build assumes (x86-64-v3).

import Foundation

enum ProcessorCheck {
  /// Flags of /proc/cpuinfo that x86-64-v3 adds (System V ABI for x86-64, micro-architecture levels).
  static let needed = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]

  /// - Returns: what is missing; empty also where it cannot be told, or on another architecture.
  static func missingFeatures() -> [String] {
    #if arch(x86_64)
      guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return [] }
      return missingFeatures(in: text)
    #else
      return []
    #endif
  }

  static func missingFeatures(in cpuinfo: String) -> [String] {
    guard let line = cpuinfo.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) else { return [] }
    let flags = Set(line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ":" }))
    return needed.filter { !flags.contains(Substring($0)) }
  }
}
