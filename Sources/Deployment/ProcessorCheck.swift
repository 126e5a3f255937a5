//  ProcessorCheck.swift: whether this machine has the instructions that the build assumes (x86-64-v3).

import Foundation

/// Asked by each program before anything else: without the answer it would end in an illegal instruction.
public enum ProcessorCheck {
  /// Flags of /proc/cpuinfo that x86-64-v3 adds (System V ABI for x86-64, micro-architecture levels).
  static let needed = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]

  /// What to tell the operator; `nil` when all is well, where it cannot be told, or on another architecture.
  public static func complaint() -> String? {
    #if arch(x86_64)
      guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
      return complaint(about: text)
    #else
      return nil
    #endif
  }

  /// - Parameter cpuinfo: the text of /proc/cpuinfo.
  public static func complaint(about cpuinfo: String) -> String? {
    guard let line = cpuinfo.split(separator: "\n").first(where: { $0.hasPrefix("flags") }) else { return nil }
    let flags = Set(line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ":" }))
    let missing = needed.filter { !flags.contains(Substring($0)) }
    if missing.isEmpty { return nil }
    return "this processor lacks \(missing.joined(separator: ", ")), which x86-64-v3 has and this build needs; "
      + "run it on a processor with AVX2 or build without -march=x86-64-v3"
  }
}
