//  SearchRunner.swift: carries a `CapacitySearch` out: calls phones in, measures, starts anew after a step that failed.

import Foundation
import Primitives
import Simulation

/// What is measured: its own for each fresh start, or always the same.
protocol HostUnderTest: AnyObject {
  var target: LoadTarget { get }
  /// The media host's `--report` file.
  var reportPath: String? { get }
  func stop()
}

/// The bounds of a search.
struct SearchSettings {
  var first: Int
  var granularity: Int
  var maximum: Int
  var tolerance = 0.04
  /// Measured at each step, after everybody's mix has settled.
  var seconds = 5.0
  var confirmationSeconds = 15.0
  var timeLimitSeconds = 900.0
  var gate = QualityGate()
}

final class SearchRunner {
  private let settings: SearchSettings
  private let load: LoadOptions
  private let engine: EngineOptions
  private let interruption: Interruption
  private let makeHost: () throws -> any HostUnderTest
  private let mediaPort: () throws -> UInt16
  private var host: (any HostUnderTest)?
  private var observer: MediaHostObserver?
  private var session: LoadSession?
  private var library: VoiceLibrary?
  private var steps: [CapacityStep] = []

  /// After the calls are up and before anything is judged: what the calls' set-up left behind is worked off.
  private static let pauseSeconds = 1.0

  init(
    _ settings: SearchSettings, load: LoadOptions, engine: EngineOptions, interruption: Interruption,
    mediaPort: @escaping () throws -> UInt16, makeHost: @escaping () throws -> any HostUnderTest
  ) {
    self.settings = settings
    self.load = load
    self.engine = engine
    self.interruption = interruption
    self.mediaPort = mediaPort
    self.makeHost = makeHost
  }

  /// - Throws: when interrupted, or when something cannot be started. Everything started is stopped in any case.
  func run(commit: String, processor: String) throws -> CapacityReport {
    defer { reset() }
    var search = CapacitySearch(
      first: settings.first, granularity: settings.granularity, maximum: settings.maximum,
      tolerance: settings.tolerance)
    let started = Date()
    while let step = search.next {
      if Date().timeIntervalSince(started) > settings.timeLimitSeconds {
        search.giveUp()
        break
      }
      let (count, isConfirmation) =
        switch step {
        case .measure(let count): (count, false)
        case .confirm(let count): (count, true)
        }
      let report = try measure(count, isConfirmation ? settings.confirmationSeconds : settings.seconds)
      let taken = CapacityStep(report, isConfirmation: isConfirmation)
      steps.append(taken)
      ProgressLine.show(taken.row)
      ProgressLine.end()
      search.record(report.verdict)
      // What overload has left behind must not burden the next step; the same number is tried again as it is.
      if report.verdict != .passed, search.next != .measure(count) { reset() }
    }
    return CapacityReport(
      search: search, steps: steps, profile: load.profile?.rawValue ?? "custom", suite: load.suite, codec: load.codec,
      gate: settings.gate, seconds: Date().timeIntervalSince(started), commit: commit, processor: processor)
  }

  private func measure(_ count: Int, _ seconds: Double) throws -> LoadReport {
    if let session, session.wanted > count || !canGrow { reset() }
    let session = try self.session ?? open(count)
    if session.wanted < count { try session.call(upTo: count) }
    try interruption.wait(seconds: Self.pauseSeconds) { false }
    let (outcome, measured) = try session.measure(seconds: seconds, host: observer)
    return LoadReport(
      plan: session.plan, participants: count, patternName: load.patternName, progress: session.progress,
      outcome: outcome, host: measured, gate: settings.gate)
  }

  /// Where who talks does not depend on how many there are, more can join while the meetings go on.
  private var canGrow: Bool {
    load.patternName == "always" || load.profile?.meetingSize != nil || load.meetingSize != nil
  }

  private func open(_ count: Int) throws -> LoadSession {
    let host = try makeHost()
    self.host = host
    let plan = try load.plan(participants: canGrow ? settings.maximum : count, mediaPort: mediaPort())
    if library == nil {
      ProgressLine.show("encoding voices")
      library = VoiceLibrary(plan: plan, speech: try load.speech.map { try WaveSamples.read($0) })
    }
    observer = try host.reportPath.map { try MediaHostObserver(path: $0) }
    guard let library else { throw LoadExit.unavailable }
    do {
      let session = try LoadSession(
        plan: plan, library: library, options: engine, target: host.target, interruption: interruption)
      self.session = session
      return session
    } catch {
      throw ProgressLine.fail("cannot open media port \(plan.mediaPort): \(error)")
    }
  }

  private func reset() {
    // A host of our own goes too: nobody needs a goodbye.
    if host?.isOurs == true { session?.stop() } else { session?.end() }
    session = nil
    observer = nil
    host?.stop()
    host = nil
  }
}

extension HostUnderTest {
  /// Started by this process, for one session.
  var isOurs: Bool { self is LocalDeployment }
}
