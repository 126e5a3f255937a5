//  ParleyCommand.swift: the operator's command.

import ArgumentParser

@main
struct ParleyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parley",
    abstract: "A conferencing appliance: phones call a meeting's address and hear each other.",
    subcommands: [
      RunCommand.self, ConfigCommand.self, MeetingsCommand.self, WhyCommand.self, AudibilityCommand.self,
      CapacityCommand.self,
    ])
}

/// Exit statuses of BSD's sysexits, which init systems and scripts know.
enum ExitStatus {
  /// EX_NOUSER: nobody of that name.
  static let unknownName = ExitCode(67)
  static let unavailable = ExitCode(69)
  static let protocolError = ExitCode(76)
  static let configuration = ExitCode(78)
}
