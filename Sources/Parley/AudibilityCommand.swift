//  AudibilityCommand.swift: `parley audibility MEETING`: who hears whom, and where a way is cut.

import ArgumentParser
import Deployment

struct AudibilityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audibility",
    abstract: "Shows who hears whom in a meeting, from counters of the last three seconds.",
    discussion: """
      MEETING is a meeting's URI, its user part, or its number. A row is who listens, a column who talks:

        #  hears: is in the mix, and reports say that it arrives      +  is in the mix that is sent
        .  would hear, nobody talks there now                        -  not, by somebody's wish (mute, hold)
        X  does not hear: a fault, named below

      Whether what is sent arrives is known when the phone reports by RTCP, which most do every five seconds. Without \
      MEETING the meetings are listed.

      Exit status: 0 no fault, 1 a fault, 67 no such meeting, 69 no media host answers.
      """)

  @Argument(help: "The meeting.")
  var meeting: String?
  @OptionGroup var options: HostOptions

  func run() throws {
    guard let meeting else { return try list() }
    let found = try HostClient.find(
      options, path: "/api/audibility", query: [("meeting", meeting)], as: HostAPI.Audibility.self)
    guard let found else { return }
    let report = AudibilityReport(found)
    print(report.text)
    if report.hasFault { throw ExitCode(1) }
  }

  private func list() throws {
    for host in try HostClient.all(options, path: "/api/meetings", as: HostAPI.Meetings.self) {
      if host.meetings.isEmpty { print("\(host.host): no meetings") }
      for meeting in host.meetings {
        let workers = meeting.workers.map(String.init).joined(separator: ", ")
        print("\(meeting.meeting)  \(meeting.conference)  \(meeting.legs) legs, worker \(workers) of \(host.host)")
      }
    }
  }
}

/// The matrix as text.
struct AudibilityReport {
  /// A matrix with more rows is not printed: its faults are.
  static let matrixSize = 30

  let text: String
  let hasFault: Bool

  init(_ audibility: HostAPI.Audibility) {
    let people = audibility.participants
    var lines = ["\(audibility.conference) on \(audibility.host): \(people.count) participants"]
    if people.count <= Self.matrixSize, !people.isEmpty {
      let width = "\(people.map(\.leg).max() ?? 0)".count
      let names = people.map { "\($0.leg)".leftPadded(to: width) }
      lines.append(String(repeating: " ", count: width) + " │ " + names.joined(separator: " "))
      for (row, listener) in people.enumerated() {
        let cells = people.map { talker in
          let cell = talker.leg == listener.leg ? " " : Self.cell(listener, hearing: talker)
          return cell.leftPadded(to: width)
        }
        lines.append("\(names[row]) │ \(cells.joined(separator: " "))   \(listener.user)")
      }
    }
    var faults: [String] = []
    for person in people {
      if person.voiceIsFault { faults.append("  \(person.leg) \(person.user) \(person.voiceText)") }
      if person.earIsFault { faults.append("  \(person.leg) \(person.user) \(person.earText)") }
    }
    hasFault = !faults.isEmpty
    lines.append(hasFault ? "faults" : "no fault")
    lines += faults
    let talkers = people.filter { $0.voice == "talking" || $0.voice == "broken" }
    if !talkers.isEmpty { lines.append("heard now: \(talkers.map { "\($0.leg) \($0.user)" }.joined(separator: ", "))") }
    let unsure = people.filter { $0.ear == "sent" }.count
    if unsure > 0 { lines.append("\(unsure) of \(people.count) have not reported yet whether they receive") }
    text = lines.joined(separator: "\n")
  }

  static func cell(_ listener: HostAPI.Participant, hearing talker: HostAPI.Participant) -> String {
    if !talker.voiceIsOpen { return talker.voiceIsFault ? "X" : "-" }
    if !listener.earIsOpen { return listener.earIsFault ? "X" : "-" }
    guard talker.voice == "talking" || talker.voice == "broken" else { return "." }
    return listener.ear == "sent" ? "+" : "#"
  }
}

extension String {
  func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
