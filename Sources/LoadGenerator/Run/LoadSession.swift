//  LoadSession.swift: phones that are in calls for a while: more can join, and any stretch of it can be measured.

import Foundation
import LinuxIO
import NIOPosix
import Primitives
import SDP
import SIP
import SIPEdge
import Simulation

/// Where the phones call.
struct LoadTarget: Sendable {
  var server: Primitives.SocketAddress
  /// The meeting's name; with several meetings a number is added.
  var meeting: String
  /// The server's address when `nil`.
  var domain: String?
}

/// One engine and one SIP edge. `end` must be called.
final class LoadSession {
  let plan: LoadPlan
  private let engine: MediaEngine
  private let edge: SIPEdge
  private let board = ProgressBoard()
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let interruption: Interruption
  private(set) var wanted = 0

  /// - Throws: `LinuxError` when the media port cannot be had, `SIPEdgeError` when SIP's cannot.
  init(
    plan: LoadPlan, library: VoiceLibrary, options: EngineOptions, target: LoadTarget, interruption: Interruption
  ) throws {
    self.plan = plan
    self.interruption = interruption
    engine = try MediaEngine(plan: plan, library: library, clock: MonotonicClock.anchor(), options: options)
    do {
      edge = try Self.startEdge(plan, engine, board, target, on: group)
    } catch {
      engine.finish()
      try? group.syncShutdownGracefully()
      throw error
    }
  }

  var progress: CallProgress { board.now }

  /// Calls in until `count` phones have called; waits until each was answered or refused.
  /// - Returns: whether all calls that ought to be up are up.
  @discardableResult
  func call(upTo count: Int) throws -> Bool {
    wanted = min(count, plan.participants)
    let goal = wanted
    let before = board.now
    edge.execute { handler, now in (handler as? PhoneShell)?.call(upTo: goal, now: now) }
    var shown = Date.distantPast
    try interruption.wait(seconds: Double(goal - before.dialled) / Double(plan.callsPerSecond) + 35) {
      let progress = board.now
      if Date().timeIntervalSince(shown) >= 0.5 {
        ProgressLine.show("calling: \(progress.connected) up, \(progress.refused) refused of \(goal)")
        shown = Date()
      }
      return progress.connected + progress.refused >= goal
    }
    return board.now.connected - board.now.lost >= goal
  }

  /// Judges what is heard for a while.
  ///
  /// - Parameter host: the media host's report, if there is one.
  /// - Throws: when interrupted, or when the media thread does not answer.
  func measure(seconds: Double, host: MediaHostObserver?) throws -> (MediaOutcome, MediaHostMeasure?) {
    engine.order(.judge)
    let settled = Date().timeIntervalSince1970 + Double(Judging.settling.milliseconds) / 1_000
    let start = Date()
    let whole = seconds + settled - start.timeIntervalSince1970
    var shown = 0.0
    try interruption.wait(seconds: whole) {
      let elapsed = Date().timeIntervalSince(start)
      if elapsed >= shown {
        ProgressLine.show(String(format: "talking %.0f of %.0f s, %d lost", elapsed, whole, board.now.lost))
        shown += 1
      }
      return false
    }
    let legs = board.now.connected - board.now.lost
    guard let outcome = engine.outcome() else { throw ProgressLine.fail("the media thread does not answer") }
    let ended = Date().timeIntervalSince1970
    let measured = try host?.measure(legs: legs, from: settled, to: ended + 0.2)
    return (outcome, measured)
  }

  /// Hangs up, waits a little for the goodbyes, and lets everything go.
  func end() {
    edge.execute { handler, now in (handler as? PhoneShell)?.hangUpAll(now: now) }
    let deadline = Date(timeIntervalSinceNow: 5)
    while board.now.ended < board.now.connected, Date() < deadline { Thread.sleep(forTimeInterval: 0.05) }
    stop()
  }

  /// Lets everything go at once: for when the other side is going too.
  func stop() {
    engine.finish()
    try? edge.stop().wait()
    try? group.syncShutdownGracefully()
  }

  private static func startEdge(
    _ plan: LoadPlan, _ engine: MediaEngine, _ board: ProgressBoard, _ target: LoadTarget,
    on group: MultiThreadedEventLoopGroup
  ) throws -> SIPEdge {
    var phones = PhoneConfiguration()
    phones.capabilities.encodings = plan.encodings
    phones.capabilities.suites = plan.suites
    phones.capabilities.allowsPlainRTP = plan.suites.isEmpty
    phones.quiet = plan.quiet
    let configuration = phones
    let domain = target.domain ?? target.server.host
    let name = target.meeting
    let server = target.server
    let several = plan.meetings > 1
    let local = Primitives.SocketAddress(ipv4: 0x7f00_0001, port: 0)
    var generator = SystemRandomNumberGenerator()
    let seed = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    return try SIPEdge.start(SIPEdgeConfiguration(listeners: [.init(.udp, local)]), on: group.next()) { edge in
      let from = edge.addresses.first?.address ?? local
      return PhoneShell(
        edge: edge, engine: engine, plan: plan, configuration: configuration,
        proxy: SIPFlow(transport: .udp, local: from, remote: server, connection: 0), progress: board, seed: seed
      ) { meeting in "sip:\(name)\(several ? "-\(meeting)" : "")@\(domain)" }
    }.wait()
  }
}
