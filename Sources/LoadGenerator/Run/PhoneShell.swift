//  PhoneShell.swift: the shell around `VirtualPhones`: SIP by the edge, media by the engine, and the pace of the calls.

import NIOCore
import Primitives
import SIP
import SIPEdge
import Simulation
import Synchronization

/// What became of the calls, readable from any thread.
struct CallProgress: Sendable {
  var dialled = 0
  var connected = 0
  var refused = 0
  /// Calls that ended before they were hung up.
  var lost = 0
  var ended = 0
  var firstRefusal: String?
  var joinTimes: [Interval] = []
}

/// Confined to the edge's event loop, but for `progress`.
final class PhoneShell: SIPEdgeHandler {
  private let edge: SIPEdge
  private let engine: MediaEngine
  private let plan: LoadPlan
  private let target: @Sendable (_ meeting: Int) -> String
  private let proxy: SIPFlow
  private let progress: ProgressBoard
  private var phones: VirtualPhones
  private var outputs: [VirtualPhonesOutput] = []
  private var nextCall = Instant.never
  private var isUp: [Bool]
  private var isAnswered: [Bool]
  private var waiting = 0
  /// Phones below this number call.
  private var goal = 0
  private var isHangingUp = false

  init(
    edge: SIPEdge, engine: MediaEngine, plan: LoadPlan, configuration: PhoneConfiguration, proxy: SIPFlow,
    progress: ProgressBoard, seed: [UInt8], target: @escaping @Sendable (_ meeting: Int) -> String
  ) {
    self.edge = edge
    self.engine = engine
    self.plan = plan
    self.proxy = proxy
    self.progress = progress
    self.target = target
    var listen: [SIPTransport: Primitives.SocketAddress] = [:]
    for listener in edge.addresses { listen[listener.transport] = listener.address }
    phones = VirtualPhones(configuration: configuration, listen: listen, random: RandomSource(seed: seed))
    isUp = Array(repeating: false, count: plan.participants)
    isAnswered = isUp
  }

  func receive(_ bytes: [UInt8], from flow: SIPFlow, now: Instant) {
    phones.receive(bytes, from: flow, now: now, into: &outputs)
    perform()
  }

  func transportFailed(_ flow: SIPFlow, now: Instant) {
    phones.transportFailed(flow, now: now, into: &outputs)
    perform()
  }

  func advance(to now: Instant) {
    phones.advance(to: now, into: &outputs)
    while nextCall <= now, waiting < plan.callsAtOnce { call(now) }
    perform()
  }

  var nextDeadline: Instant { min(phones.nextDeadline, waiting < plan.callsAtOnce ? nextCall : .never) }

  /// Lets all phones below `count` call that have not yet.
  func call(upTo count: Int, now: Instant) {
    goal = min(count, plan.participants)
    nextCall = now
    advance(to: now)
  }

  func hangUpAll(now: Instant) {
    isHangingUp = true
    nextCall = .never
    for phone in 0..<plan.participants where isUp[phone] {
      phones.hangUp(PhoneID(number: phone), now: now, into: &outputs)
      perform()
    }
  }

  private func call(_ now: Instant) {
    let phone = progress.state.withLock { $0.dialled }
    guard phone < goal else {
      nextCall = .never
      return
    }
    let media = Primitives.SocketAddress(ipv4: plan.address(of: phone), port: plan.mediaPort)
    _ = phones.call(target(plan.meeting(of: phone)), over: proxy, media: media, now: now, into: &outputs)
    progress.state.withLock { $0.dialled += 1 }
    waiting += 1
    // Calls that had to wait for answers are not made up for in a burst.
    nextCall = max(nextCall, now - .milliseconds(20)) + .nanoseconds(1_000_000_000 / Int64(max(1, plan.callsPerSecond)))
  }

  private func noteAnswer(_ phone: Int) {
    guard !isAnswered[phone] else { return }
    isAnswered[phone] = true
    waiting -= 1
  }

  private func perform() {
    let due = outputs
    outputs.removeAll(keepingCapacity: true)
    for output in due {
      switch output {
      case .transmit(let bytes, let flow): edge.send(bytes, to: flow)
      case .connected(let id, let negotiated, let after):
        engine.order(.start(phone: id.number, negotiated))
        noteAnswer(id.number)
        guard !isUp[id.number] else { continue }
        isUp[id.number] = true
        progress.state.withLock { state in
          state.connected += 1
          state.joinTimes.append(after)
        }
      case .refused(let id, let status, let warning):
        noteAnswer(id.number)
        progress.state.withLock { state in
          state.refused += 1
          if state.firstRefusal == nil { state.firstRefusal = "\(status) \(warning ?? "")" }
        }
      case .ended(let id, _):
        noteAnswer(id.number)
        if isUp[id.number] { engine.order(.stop(phone: id.number)) }
        isUp[id.number] = false
        progress.state.withLock { state in
          state.ended += 1
          if !isHangingUp { state.lost += 1 }
        }
      }
    }
  }
}

/// The progress of the calls, shared between the event loop and the command.
final class ProgressBoard: Sendable {
  let state = Mutex(CallProgress())
  var now: CallProgress { state.withLock { $0 } }
}
