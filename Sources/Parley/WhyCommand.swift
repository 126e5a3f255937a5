//  WhyCommand.swift: `parley why LEG`: whose fault a participant's bad seconds were, and the evidence.

import ArgumentParser
import Deployment
import Foundation

struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Says whose fault a participant's bad audio was: ours, the network's (in or out), or the far end's.",
    discussion: """
      LEG is a leg's number (as in the media host's log), a Call-ID, or a participant's URI. Ten minutes are remembered, \
      also of those who have left. A second is bad when 40 ms of it or more were spoiled. Without LEG the legs are listed.

      Exit status: 0 no bad second, 1 some, 67 no such leg, 69 no media host answers.
      """)

  @Argument(help: "The leg.")
  var leg: String?
  @Option(help: "How far to look back, 1 to 600.")
  var seconds = 60
  @OptionGroup var options: HostOptions

  func validate() throws {
    guard (1...600).contains(seconds) else { throw ValidationError("--seconds takes a number from 1 to 600") }
  }

  func run() throws {
    guard let leg else { return try list() }
    let query = [("leg", leg), ("seconds", "\(seconds)")]
    guard let why = try HostClient.find(options, path: "/api/why", query: query, as: HostAPI.Why.self) else { return }
    print(WhyReport(why).text)
    if why.secondsBad > 0 { throw ExitCode(1) }
  }

  private func list() throws {
    for host in try HostClient.all(options, path: "/api/legs", as: HostAPI.Legs.self) {
      if host.legs.isEmpty { print("\(host.host): no legs") }
      for leg in host.legs {
        let state = leg.isOpen ? "" : "  (gone)"
        print("\(leg.leg)  \(leg.user)  in \(leg.conference)  \(leg.codec ?? "–")  \(leg.callID)\(state)")
      }
    }
  }
}

/// The verdict as text.
struct WhyReport {
  let text: String

  init(_ why: HostAPI.Why) {
    var lines = [
      "leg \(why.leg.leg) of \(why.leg.user) in \(why.leg.conference), worker \(why.leg.worker) of \(why.host)"
        + (why.leg.isOpen ? "" : ", which has ended")
    ]
    if why.secondsSeen == 0 {
      lines.append("nothing is known of it yet: its first second has not passed, or it is gone for ten minutes")
    } else if why.secondsBad == 0 {
      lines.append(
        "verdict: nothing was wrong here or on the way in \(Self.count(why.secondsSeen, "second")); "
          + "what was heard badly was the far end's phone, or was not reported by it")
    } else {
      lines.append(
        "verdict: \(Self.name(why.culprit)) – \(why.secondsBad) of \(Self.count(why.secondsSeen, "second")) bad")
      for cause in why.causes {
        let side = cause.direction == "inbound" ? "what others hear" : "what the participant hears"
        lines.append(
          "  \(Self.name(cause.culprit)): \(cause.text) (\(side); \(Self.count(cause.seconds, "second")), "
            + "about \(cause.damageMilliseconds) ms spoiled)")
      }
    }
    if !why.worst.isEmpty { lines.append("worst seconds") }
    lines += why.worst.map(Self.line)
    if !why.last.isEmpty { lines.append("last seconds") }
    lines += why.last.map(Self.line)
    text = lines.joined(separator: "\n")
  }

  static func name(_ culprit: String?) -> String {
    switch culprit {
    case "ours": "ours"
    case "networkIn": "the network on the way in"
    case "networkOut": "the network on the way out"
    case "farEnd": "the far end"
    default: culprit ?? "nobody's"
    }
  }

  private static func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }

  private static func line(_ second: HostAPI.Second) -> String {
    let time = Date(timeIntervalSince1970: second.time).ISO8601Format(.init(timeZoneSeparator: .omitted)).suffix(9)
    var text =
      "  \(time)  in \(second.received) (lost \(second.lost), late \(second.late), refused \(second.refused)) "
      + "jitter \(number(second.jitterMilliseconds)) ms, concealed \(second.concealedMilliseconds) ms, "
      + "level \(second.levelDBov) dBov, in the mix \(second.inMixMilliseconds) ms; worst tick "
      + "\(number(second.worstTickMilliseconds)) ms; out \(second.sent) (unsent \(second.unsent))"
    if let opinion = second.opinion { text += "; opinion score \(number(opinion))" }
    if let age = second.remoteReportAgeSeconds {
      text +=
        "; reported \(age) s ago: loss \(number(second.remoteLossShare * 100)) %, jitter "
        + "\(number(second.remoteJitterMilliseconds)) ms"
      if second.roundTripMilliseconds > 0 { text += ", round trip \(number(second.roundTripMilliseconds)) ms" }
    } else {
      text += "; no report from the phone"
    }
    return text
  }

  private static func number(_ value: Double) -> String { String(format: "%.1f", value) }
}
