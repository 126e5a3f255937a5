//  Provenance.swift: what a figure was measured of and on.

import Foundation

enum Provenance {
  /// The commit of the sources that this program was built from, as far as they are still where they were, with `-dirty`
  /// for changes; else that of the folder around the program; else `unknown`.
  static func commit() -> String {
    let source = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent().path
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map {
      URL(fileURLWithPath: $0).deletingLastPathComponent().path
    }
    for folder in [source, program].compactMap({ $0 }) where FileManager.default.fileExists(atPath: folder) {
      if let commit = git(["-C", folder, "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]) {
        return commit
      }
    }
    return "unknown"
  }

  static func processor() -> String {
    guard let lines = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return "unknown" }
    let name = lines.split(separator: "\n").first { $0.hasPrefix("model name") }
    return name?.split(separator: ":", maxSplits: 1).last?.trimmingCharacters(in: .whitespaces) ?? "unknown"
  }

  private static func git(_ arguments: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["git"] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = (try? output.fileHandleForReading.readToEnd()) ?? Data()
    process.waitUntilExit()
    let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return process.terminationStatus == 0 && !text.isEmpty ? text : nil
  }
}
