//  ConfigCommand.swift: `parley config check`: is this configuration file right, and what does it amount to?

import ArgumentParser
import Deployment
import Foundation

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Looks at the configuration.", subcommands: [Check.self])

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks a configuration file and prints what would be in force, environment included.")

    @Argument(help: "The configuration file; none means the defaults.")
    var file: String?

    func run() throws {
      let deployment = try ConfigurationFile(path: file).load()
      print(deployment.description)
    }
  }
}

/// The configuration file as the commands take it.
struct ConfigurationFile {
  var path: String?

  /// - Throws: `ExitStatus.configuration` after each complaint was printed.
  func load() throws -> DeploymentConfiguration {
    do {
      let yaml = try path.map { try String(contentsOfFile: $0, encoding: .utf8) }
      return try DeploymentConfiguration(yaml: yaml, environment: ProcessInfo.processInfo.environment)
    } catch let error as ConfigurationError {
      StandardError.write("\(path ?? "configuration"):\n\(error.description)")
    } catch {
      StandardError.write("cannot read \(path ?? "the configuration"): \(error.localizedDescription)")
    }
    throw ExitStatus.configuration
  }
}

enum StandardError {
  static func write(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
  }
}
