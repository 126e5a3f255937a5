//  MeetingsCommand.swift: `parley meetings`: what the store remembers.

import ArgumentParser
import ConferenceStore
import Foundation

struct MeetingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "meetings", abstract: "Lists the most recent meetings, and with --people who called in.")

  @Option(name: .customLong("config"), help: "The configuration file that names the store.")
  var file: String?
  @Option(help: "The store's file, instead of the configured one.")
  var store: String?
  @Option(help: "How many meetings.")
  var limit = 20
  @Flag(help: "Also who called in, when, and why they left.")
  var people = false

  func run() throws {
    let configured = try store ?? ConfigurationFile(path: file).load().frontEnd.storePath()
    guard let path = configured else {
      StandardError.write("the configured store is memory: it keeps nothing")
      throw ExitStatus.configuration
    }
    guard FileManager.default.fileExists(atPath: path) else {
      StandardError.write("there is no store at \(path) yet")
      throw ExitStatus.unavailable
    }
    let store = try SQLiteConferenceStore(path: path)
    for conference in try store.conferences(limit: max(1, min(limit, 10_000))) {
      let end = conference.endedMicroseconds.map { "\(Self.time($0)), \(conference.cause ?? "")" } ?? "running"
      print(
        "\(conference.name)  \(Self.time(conference.startedMicroseconds)) – \(end)  \(conference.participants) callers"
          + (conference.server.map { " on \($0)" } ?? ""))
      guard people else { continue }
      for person in try store.participations(in: conference.id) {
        let left = person.leftMicroseconds.map { "\(Self.time($0)), \(person.cause ?? "")" } ?? "still there"
        let arrow = person.admitted ? "–" : "refused"
        print("    \(person.user)  \(Self.time(person.joinedMicroseconds)) \(arrow) \(left)")
      }
    }
  }

  private static func time(_ microseconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(microseconds) / 1e6).ISO8601Format()
  }
}
