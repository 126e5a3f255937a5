//  LoadCommand.swift: `parley-load`: virtual participants by real SIP, and what the media host carries.

import ArgumentParser
import Foundation

@main
struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley-load",
    abstract: "Calls virtual participants into meetings, lets them talk, and measures what each of them hears.",
    discussion: """
      Every participant is a SIP call with SRTP and an address of its own (127.16.0.1 and up); talkers send speech with \
      a pilot tone that names them, so that each listener knows whom it hears.

      Exit status 0 when the quality gate was passed, 1 when not, 2 when the load tool itself was too slow to tell, 64 \
      for wrong options, 69 when something cannot be had, 130 after Ctrl-C.
      """,
    subcommands: [RunCommand.self, CapacityCommand.self, RampCommand.self], defaultSubcommand: RunCommand.self)
}

/// Exit statuses of BSD's sysexits, and a shell's for SIGINT.
enum LoadExit {
  static let unavailable = ExitCode(69)
  static let interrupted = ExitCode(130)
}

/// What is said while a command works; the result alone goes to standard output.
enum ProgressLine {
  static func show(_ text: String) {
    let isTerminal = isatty(2) == 1
    FileHandle.standardError.write(Data((isTerminal ? "\r\u{1b}[K\(text)" : "\(text)\n").utf8))
  }

  static func end() {
    if isatty(2) == 1 { FileHandle.standardError.write(Data("\n".utf8)) }
  }

  /// - Returns: to be thrown.
  static func fail(_ text: String, _ status: ExitCode = LoadExit.unavailable) -> ExitCode {
    FileHandle.standardError.write(Data("parley-load: \(text)\n".utf8))
    return status
  }
}
