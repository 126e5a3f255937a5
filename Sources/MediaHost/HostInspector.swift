//  HostInspector.swift: the operator's questions, answered from the control core and the legs' evidence.
//  Walk: AdminServer ⇢ MediaHostRuntime → HostInspector → Deployment.HostAPI

import AVConferencing
import Deployment
import Foundation
import Media
import Primitives

/// Looks at everything and changes nothing. On the control thread.
struct HostInspector {
  /// Seconds of a leg that are sent in full.
  static let worstSeconds = 5
  static let lastSeconds = 5
  /// Names that are offered for one that is unknown.
  static let nearestNames = 5

  let host: String
  let core: AVConferencingServer
  let history: EvidenceHistory
  let workers: [WorkerHistory]
  let clock: ClockAnchor

  /// What is said when nothing fits; becomes 404.
  struct Unknown: Error {
    var failure: HostAPI.Failure
  }

  /// - Parameter route: not `metrics`, which needs no control thread, nor `drain`, which changes something.
  func answer(_ route: AdminRoute) -> AdminAnswer {
    do throws(Unknown) {
      switch route {
      case .metrics, .drain: return .text(404, "not here")
      case .legs: return Self.json(legs())
      case .meetings: return Self.json(meetings())
      case .why(let leg, let seconds): return Self.json(try why(leg, seconds: seconds))
      case .audibility(let meeting): return Self.json(try audibility(meeting))
      case .capacity: return Self.json(capacity())
      }
    } catch {
      return Self.json(error.failure, status: 404)
    }
  }

  private static func json(_ document: some Encodable, status: Int = 200) -> AdminAnswer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(document) else { return .text(500, "the answer cannot be written as JSON") }
    return AdminAnswer(status: status, contentType: "application/json", body: Array(data) + [10])
  }

  // MARK: Legs

  /// The legs that are here, and those that have gone lately.
  private var allLegs: [LegDescription] {
    var legs = core.legDescriptions
    let present = Set(legs.map(\.leg))
    legs += history.descriptions.filter { !present.contains($0.leg) }
    return legs
  }

  func legs() -> HostAPI.Legs {
    HostAPI.Legs(host: host, legs: allLegs.map { Self.document($0, isOpen: core.description(of: $0.leg) != nil) })
  }

  private static func document(_ leg: LegDescription, isOpen: Bool) -> HostAPI.Leg {
    HostAPI.Leg(
      leg: leg.leg.rawValue, conference: leg.conference, user: leg.user, endpoint: leg.endpoint, callID: leg.callID,
      worker: leg.worker, codec: leg.codec.map { "\($0)" }, suite: leg.suite?.name, isOpen: isOpen)
  }

  /// - Parameter name: a leg's number, a Call-ID, a participant's URI, or its user part.
  private func leg(named name: String) throws(Unknown) -> LegDescription {
    let legs = allLegs
    if let number = UInt32(name), let leg = legs.first(where: { $0.leg.rawValue == number }) { return leg }
    if let leg = legs.last(where: { $0.callID == name }) { return leg }
    let matches = legs.filter { NameSearch.names($0.user, name) }
    let present = matches.filter { core.description(of: $0.leg) != nil }
    // Of several calls of one person the present one is meant; of those that have gone, the last.
    if present.count > 1 {
      throw Unknown(
        failure: HostAPI.Failure(
          error: "\(name) has \(present.count) legs here: name one by its number",
          nearest: present.prefix(Self.nearestNames).map { "\($0.leg.rawValue) in \($0.conference)" }))
    }
    if let leg = present.first ?? matches.last { return leg }
    let names = legs.flatMap { ["\($0.leg.rawValue)", $0.user, $0.callID] }
    throw Unknown(
      failure: HostAPI.Failure(
        error: "no leg \(name) is here, and none was in the last ten minutes",
        nearest: NameSearch.nearest(to: name, among: names, count: Self.nearestNames)))
  }

  func why(_ name: String, seconds: Int) throws(Unknown) -> HostAPI.Why {
    let leg = try leg(named: name)
    let seconds = history.history(of: leg.leg, last: seconds)
    let verdict = FaultVerdict(seconds)
    let judged = zip(seconds, verdict.findings).map { (second: $0, findings: $1) }
    let bad = judged.filter { FaultVerdict.isBad($0.findings) }.sorted { $0.findings.damage > $1.findings.damage }
    return HostAPI.Why(
      host: host, leg: Self.document(leg, isOpen: core.description(of: leg.leg) != nil), secondsSeen: verdict.seconds,
      secondsBad: verdict.badSeconds, culprit: verdict.culprit?.rawValue,
      causes: verdict.shares.map { share in
        HostAPI.Cause(
          cause: share.cause.rawValue, culprit: share.cause.culprit.rawValue, direction: share.direction.rawValue,
          text: share.cause.text, seconds: share.seconds, damageMilliseconds: share.damageMilliseconds)
      },
      worst: bad.prefix(Self.worstSeconds).map(document), last: judged.suffix(Self.lastSeconds).map(document))
  }

  private func document(_ judged: (second: LegSecond, findings: [FaultFinding])) -> HostAPI.Second {
    let second = judged.second
    let end = Instant(nanoseconds: Int64(second.second) * 1_000_000_000)
    var document = HostAPI.Second(time: Double(clock.wallTime(at: end).microseconds) / 1e6)
    document.received = Int(second.received)
    document.lost = Int(second.lost)
    document.late = Int(second.late)
    document.refused = Int(second.refused)
    document.reordered = Int(second.reordered)
    document.concealedMilliseconds = Int(second.concealed) * 20
    document.jitterMilliseconds = Double(second.jitter) / 10
    document.levelDBov = Int(second.level)
    document.inMixMilliseconds = Int(second.mixed) * 20
    document.worstTickMilliseconds = Double(second.lateness) / 10
    document.sent = Int(second.sent)
    document.unsent = Int(second.unsent)
    document.audibleMilliseconds = Int(second.audible) * 20
    if second.remoteAge < 255 {
      document.remoteReportAgeSeconds = Int(second.remoteAge)
      document.remoteLossShare = Double(second.remoteFractionLost) / 256
      document.remoteJitterMilliseconds = Double(second.remoteJitter) / 10
    }
    if second.opinion > 0 { document.opinion = Double(second.opinion) / 50 }
    document.roundTripMilliseconds = Double(second.roundTrip) / 10
    document.causes = judged.findings.map { finding in
      HostAPI.Cause(
        cause: finding.cause.rawValue, culprit: finding.culprit.rawValue, direction: finding.direction.rawValue,
        text: finding.cause.text, seconds: 1, damageMilliseconds: finding.damageMilliseconds)
    }
    return document
  }

  // MARK: Meetings

  func meetings() -> HostAPI.Meetings {
    HostAPI.Meetings(
      host: host,
      meetings: core.meetingDescriptions.map { meeting in
        HostAPI.Meeting(
          meeting: meeting.meeting.rawValue, conference: meeting.conference, workers: meeting.workers,
          legs: meeting.legs.count)
      })
  }

  /// - Parameter name: a meeting's number, its URI, or the URI's user part.
  func audibility(_ name: String) throws(Unknown) -> HostAPI.Audibility {
    let meetings = core.meetingDescriptions
    let found =
      UInt32(name).flatMap { number in meetings.first { $0.meeting.rawValue == number } }
      ?? meetings.first { NameSearch.names($0.conference, name) }
    guard let meeting = found else {
      throw Unknown(
        failure: HostAPI.Failure(
          error: "no meeting \(name) is here",
          nearest: NameSearch.nearest(to: name, among: meetings.map(\.conference), count: Self.nearestNames)))
    }
    let participants = meeting.legs.compactMap { id -> HostAPI.Participant? in
      guard let leg = core.description(of: id), leg.isOpen else { return nil }
      let audibility = Media.Audibility(leg: id, history: history.history(of: id, last: Media.Audibility.window))
      return HostAPI.Participant(
        leg: id.rawValue, user: leg.user, endpoint: leg.endpoint, voice: audibility.voice.rawValue,
        voiceText: audibility.voice.text, voiceIsOpen: audibility.voice.isOpen,
        voiceIsFault: audibility.voice.isFault, ear: audibility.ear.rawValue, earText: audibility.ear.text,
        earIsOpen: audibility.ear.isOpen, earIsFault: audibility.ear.isFault)
    }
    return HostAPI.Audibility(
      host: host, conference: meeting.conference, windowSeconds: Media.Audibility.window, participants: participants)
  }

  // MARK: Capacity

  func capacity() -> HostAPI.Capacity {
    HostAPI.Capacity(
      host: host,
      workers: workers.enumerated().map { number, worker in
        let model = CapacityModel(worker.sample)
        let prices = model.prices
        return HostAPI.WorkerCapacity(
          worker: number, legs: model.load.legs, meetings: model.load.meetings, busyShare: model.busy,
          slackP999Milliseconds: model.load.slackP999Milliseconds, basis: model.basis.rawValue,
          prices: [
            "turn": prices.turn, "packetIn": prices.packetIn, "legTick": prices.legTick, "decode": prices.decode,
            "encode": prices.encode, "packetOut": prices.packetOut,
          ],
          room: LegKind.allCases.map { kind in
            let room = model.room(for: kind)
            return HostAPI.Room(
              kind: kind.rawValue, text: kind.text, legs: room.legs, limitedBy: room.limitedBy.rawValue)
          })
      }, legsConfiguredFree: max(0, core.configuration.maximumLegs - core.counts.legs))
  }
}

extension [FaultFinding] {
  fileprivate var damage: Int { reduce(0) { $0 + $1.damageMilliseconds } }
}

/// A worker's reports of the last seconds: what prices are told from.
struct WorkerHistory {
  static let reports = 11
  private var entries: [(at: Instant, report: WorkerReport)] = []

  mutating func append(_ report: WorkerReport, now: Instant) {
    entries.append((now, report))
    if entries.count > Self.reports { entries.removeFirst() }
  }

  /// The span that is known.
  var sample: WorkerLoadSample {
    guard let first = entries.first, let last = entries.last else { return WorkerLoadSample() }
    let slack = entries.dropFirst().filter { $0.report.slack.count > 0 }.map { Int($0.report.slack.p999) }.min()
    return WorkerLoadSample(
      from: first.report, to: last.report, seconds: (last.at - first.at).seconds,
      slackP999Milliseconds: slack.map { Double($0) / 1e3 } ?? 20) ?? WorkerLoadSample()
  }
}

/// How a name that a person types is looked for.
enum NameSearch {
  /// Names that are compared letter by letter.
  static let candidates = 2_000

  /// A URI is named by itself, without its scheme, or by its user part.
  static func names(_ uri: String, _ name: String) -> Bool {
    if uri == name { return true }
    let bare = uri.split(separator: ":", maxSplits: 1).last.map(String.init) ?? uri
    return bare == name || bare.split(separator: "@").first.map(String.init) == name
  }

  /// Those that begin alike or differ in few letters, the best first.
  static func nearest(to name: String, among names: [String], count: Int) -> [String] {
    let wanted = Array(name.lowercased().utf8.prefix(64))
    let scored = Set(names.prefix(Self.candidates)).map { candidate -> (name: String, score: Int) in
      let bare = candidate.split(separator: ":", maxSplits: 1).last.map(String.init) ?? candidate
      let user = bare.split(separator: "@").first.map(String.init) ?? bare
      let score = min(
        distance(wanted, Array(user.lowercased().utf8.prefix(64))),
        distance(wanted, Array(bare.lowercased().utf8.prefix(64))))
      return (candidate, user.lowercased().hasPrefix(name.lowercased()) ? 0 : score)
    }
    return scored.sorted { ($0.score, $0.name) < ($1.score, $1.name) }.prefix(count).map(\.name)
  }

  /// Levenshtein's.
  private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
    var row = Array(0...other.count)
    for (i, a) in one.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in other.enumerated() {
        let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (a == b ? 0 : 1))
        diagonal = row[j + 1]
        row[j + 1] = next
      }
    }
    return row[other.count]
  }
}
