//  SimulationReport.swift: what came of one run.

import Primitives

/// Something that must not be.
public struct SimulationViolation: Hashable, Sendable, CustomStringConvertible {
  public var at: Instant
  public var text: String
  public var description: String { "\(Int((at - Instant.zero).milliseconds)) ms: \(text)" }
}

/// What happened, counted; and what should not have.
public struct SimulationReport: Sendable, CustomStringConvertible {
  public var options: String
  public var violations: [SimulationViolation] = []
  /// Of every packet with its time, sender and receiver: equal for equal runs.
  public var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  public var signallingPackets = 0
  public var mediaPackets = 0
  /// Between the workers of one host: some in every tick of a meeting that has parts on several.
  public var linkMessages = 0
  public var events = 0
  public var callsConnected = 0
  public var callsRefused = 0
  public var callsEnded = 0
  public var windowsJudged = 0
  public var windowsInCalm = 0
  public var lastEvents: [String] = []

  /// Of `lastEvents`, in a description.
  static let printedEvents = 150

  public var hasFailed: Bool { !violations.isEmpty }

  /// The seed, the options, the violations and the last events: what is needed to understand a failure.
  public var description: String {
    var text = options + "\n"
    text +=
      "connected \(callsConnected), refused \(callsRefused), ended \(callsEnded); \(windowsJudged) windows judged, "
    text += "\(windowsInCalm) in the calm; \(signallingPackets) SIP messages, \(mediaPackets) media packets\n"
    if !violations.isEmpty {
      text += "last events:\n" + lastEvents.suffix(Self.printedEvents).map { "  \($0)\n" }.joined()
      text += "violations:\n" + violations.prefix(20).map { "  \($0)\n" }.joined()
    }
    return text
  }

  mutating func digest(_ bytes: [UInt8]) {
    for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }
  mutating func digest(_ number: Int) {
    digest = (digest ^ UInt64(truncatingIfNeeded: number)) &* 0x100_0000_01b3
  }
}
