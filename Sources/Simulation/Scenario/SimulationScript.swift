//  SimulationScript.swift: what people and accidents do in one run, and when.

import Primitives

/// One thing that happens. Phones that are in no state for it ignore it.
public enum ScriptEvent: Hashable, Sendable {
  case call(Int)
  case hangUp(Int)
  /// Battery gone: no BYE, no media.
  case vanish(Int)
  /// Switched on again, with nothing remembered.
  case restart(Int)
  case hold(Int, Bool)
  case talk(Int, Bool)
  /// - Parameter silently: nobody is told that its connections are gone.
  case killHost(Int, silently: Bool)
  /// A new process at the old address.
  case startHost(Int)
  /// Every connection between the front end and this host breaks.
  case breakStreams(host: Int)
  case partition(from: SimulatedNode?, to: SimulatedNode?, PathClass?, Interval)
  case heal
  /// From here on everything must be as it should; checked at the end of the calm.
  case calm
  case endOfCalm
  case shutDownHosts

  /// Takes media hosts or connections away.
  var isViolent: Bool {
    switch self {
    case .killHost, .breakStreams, .partition: true
    case .call, .hangUp, .vanish, .restart, .hold, .talk, .startHost, .heal, .calm, .endOfCalm, .shutDownHosts: false
    }
  }
}

/// Events in order of time.
public struct SimulationScript: Sendable, CustomStringConvertible {
  public private(set) var events: [(at: Interval, event: ScriptEvent)] = []
  public var end: Interval

  public init(end: Interval = .zero) { self.end = end }

  public var hasViolence: Bool { events.contains { $0.event.isViolent } }

  public mutating func add(_ event: ScriptEvent, at: Interval) {
    let place = events.lastIndex { $0.at <= at }.map { $0 + 1 } ?? 0
    events.insert((at, event), at: place)
  }

  public var description: String {
    events.map { "  \(Int($0.at.milliseconds)) ms: \($0.event)" }.joined(separator: "\n")
  }
}
