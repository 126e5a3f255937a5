//  FaultFinding.swift: whose fault a leg's bad second was, from its 64 bytes of evidence.
//  Walk: LegSecond → FaultFinding.find → parley why

/// Who could mend it.
@frozen public enum Culprit: String, CaseIterable, Sendable {
  /// This host.
  case ours
  /// Between the participant and this host.
  case networkIn
  /// Between this host and the participant.
  case networkOut
  /// The participant's phone.
  case farEnd
}

/// Which of the two directions suffered, seen from this host.
@frozen public enum MediaDirection: String, Sendable {
  /// What the others hear of the participant.
  case inbound
  /// What the participant hears.
  case outbound
}

/// One cause of damage in one second.
public struct FaultFinding: Hashable, Sendable {
  /// What went wrong; the raw value is for programs.
  public enum Cause: String, CaseIterable, Sendable {
    case tickLate, sendFailed, hostShort, fewerTalkers
    case lossIn, lateIn, nothingIn
    case lossOut, jitterOut, nothingArrivesThere
    case refused, gapInSending, clipped, clockDrift, mediaStopped

    public var culprit: Culprit {
      switch self {
      case .tickLate, .sendFailed, .hostShort, .fewerTalkers: .ours
      case .lossIn, .lateIn, .nothingIn: .networkIn
      case .lossOut, .jitterOut, .nothingArrivesThere: .networkOut
      case .refused, .gapInSending, .clipped, .clockDrift, .mediaStopped: .farEnd
      }
    }

    /// In the operator's words.
    public var text: String {
      switch self {
      case .tickLate: "the mixing tick left late"
      case .sendFailed: "packets were made and could not be sent"
      case .hostShort: "the host dropped packets for want of a buffer or because its socket took none"
      case .fewerTalkers: "the host was overloaded and mixed fewer talkers"
      case .lossIn: "packets were lost on the way in"
      case .lateIn: "packets came too late to be played"
      case .nothingIn: "nothing came in any more, not even RTCP"
      case .lossOut: "the participant reports lost packets"
      case .jitterOut: "the participant reports packets that come unevenly"
      case .nothingArrivesThere: "the participant reports that nothing came"
      case .refused: "packets came that were not authentic, repeated or unreadable"
      case .gapInSending: "the phone left gaps in what it sent"
      case .clipped: "the participant's voice is at full scale: the microphone is too loud"
      case .clockDrift: "the phone's clock runs at another speed than ours"
      case .mediaStopped: "the phone sends no audio, though its RTCP still comes"
      }
    }
  }

  public var cause: Cause
  public var direction: MediaDirection
  /// Audio that it spoiled, estimated; at most the second.
  public var damageMilliseconds: Int

  public var culprit: Culprit { cause.culprit }
}

extension FaultFinding {
  /// Where a value begins to be a fault. What is below is heard by nobody, or is what concealment is for.
  public enum Threshold {
    /// Worst tick, 1/10 ms: later than a tick and a jitter buffer's least depth.
    public static let lateness = 400
    /// In 1/256 of the packets: 2 %.
    public static let remoteLoss = 5
    /// 1/10 ms: above it, buffers of phones run dry.
    public static let remoteJitter = 500
    /// Reports older than this tell nothing about the second: RTCP comes at most so seldom (RFC 3550 §6.2), and a half.
    public static let reportSeconds = 7
    /// 1/100 s without any packet.
    public static let quiet = 150
    /// dBov.
    public static let clipped = -1
    /// Pitch periods a second that only a clock explains when nothing was lost: 300 ppm are one in 20 s; this is a phone
    /// that plays at another rate.
    public static let stretches = 8
    /// A second with less damage is no bad one: one concealed tick in fifty.
    public static let badMilliseconds = 40
  }

  /// The causes of what went wrong in one second, the worst first; empty for a good one.
  ///
  /// Concealed ticks are shared out: packets that never came are the network's; those that came too late are ours when
  /// our own tick was late or packets were dropped here, else the network's; what neither explains are gaps in what was
  /// sent.
  ///
  /// - Parameter before: the second before it, if known.
  public static func find(in second: LegSecond, after before: LegSecond? = nil) -> [FaultFinding] {
    var found = inbound(second, after: before)
    found += outbound(second)
    return found.filter { $0.damageMilliseconds > 0 }.sorted { $0.damageMilliseconds > $1.damageMilliseconds }
  }

  private static func inbound(_ second: LegSecond, after before: LegSecond?) -> [FaultFinding] {
    guard second.flags.contains(.receives), second.flags.contains(.wasHeard),
      !second.flags.contains(.saidGoodbye)
    else { return [] }
    var found: [FaultFinding] = []
    func add(_ cause: Cause, _ milliseconds: Int) {
      found.append(
        FaultFinding(cause: cause, direction: .inbound, damageMilliseconds: min(milliseconds, length(of: second))))
    }
    let isOurs = second.flags.contains(.hostDropped)
    var concealed = Int(second.concealed) * 20
    let lost = min(concealed, max(0, Int(second.lost)) * 20)
    if lost > 0 { add(isOurs ? .hostShort : .lossIn, lost) }
    concealed -= lost
    let late = min(concealed, Int(second.late) * 20)
    if late > 0 { add(isOurs ? .hostShort : second.isLate ? .tickLate : .lateIn, late) }
    concealed -= late
    if concealed > 0 { add(second.isLate ? .tickLate : .gapInSending, concealed) }
    if second.refused > 0, second.received == 0 || Int(second.refused) > Int(second.received) / 10 {
      add(.refused, Int(second.refused) * 20)
    }
    if second.received == 0 {
      // A pause of a phone that sends nothing in silence looks the same: `FaultVerdict` tells them apart afterwards.
      if second.isQuiet {
        add(.nothingIn, length(of: second))
      } else if second.control > 0, before?.mixed ?? 0 > 0 {
        add(.mediaStopped, length(of: second))
      }
    }
    if second.mixed > 0, Int(second.level) >= Threshold.clipped { add(.clipped, Int(second.mixed) * 20 / 2) }
    if Int(second.stretched) >= Threshold.stretches, second.lost <= 0, second.late == 0, second.restarts == 0,
      second.jitter < 200
    {
      add(.clockDrift, Int(second.stretched) * 5)
    }
    if second.overload >= 2, second.mixed == 0, Int(second.level) > TalkerChoice.threshold + 20 {
      add(.fewerTalkers, length(of: second))
    }
    return found
  }

  private static func outbound(_ second: LegSecond) -> [FaultFinding] {
    guard second.flags.contains(.sends), !second.flags.contains(.egressBlocked) else { return [] }
    var found: [FaultFinding] = []
    func add(_ cause: Cause, _ milliseconds: Int) {
      found.append(
        FaultFinding(cause: cause, direction: .outbound, damageMilliseconds: min(milliseconds, length(of: second))))
    }
    let audible = Int(second.audible) * 20
    if second.unsent > 0 { add(.sendFailed, Int(second.unsent) * 20) }
    if second.isLate, audible > 0 {
      add(.tickLate, min(audible, Int(second.lateness) / 10))
    } else if second.flags.contains(.hostDropped), audible > 0 {
      add(.hostShort, 20)
    }
    guard Int(second.remoteAge) <= Threshold.reportSeconds else { return found }
    if second.remoteExpected >= 10, second.remoteReceived == 0 {
      add(.nothingArrivesThere, length(of: second))
    } else if Int(second.remoteFractionLost) >= Threshold.remoteLoss {
      add(.lossOut, Int(second.remoteFractionLost) * length(of: second) / 256)
    }
    if Int(second.remoteJitter) >= Threshold.remoteJitter { add(.jitterOut, Int(second.remoteJitter) / 10) }
    return found
  }

  private static func length(of second: LegSecond) -> Int { Int(second.ticks) * 20 }
}

extension LegSecond {
  var isLate: Bool { Int(lateness) >= FaultFinding.Threshold.lateness }
  var isQuiet: Bool { Int(quiet) >= FaultFinding.Threshold.quiet }
}

/// A leg's last minutes, judged.
public struct FaultVerdict: Hashable, Sendable {
  public struct Share: Hashable, Sendable {
    public var cause: FaultFinding.Cause
    public var direction: MediaDirection
    public var seconds = 0
    public var damageMilliseconds = 0
  }

  public var seconds: Int { findings.count }
  public var badSeconds = 0
  /// Of each second.
  public private(set) var findings: [[FaultFinding]] = []
  /// By damage, the worst first.
  public var shares: [Share] = []
  /// Whose fault most of it was; `nil` when no second was bad.
  public var culprit: Culprit?

  /// Packets that may be missing after a pause without its having been more than a pause.
  static let lostInPause = 5

  /// Seconds in which nothing came are judged when something comes again: sequence numbers that go on show that nothing
  /// was sent, which is the phone's right; those that have jumped, that it was lost.
  ///
  /// - Parameter history: oldest first.
  public init(_ history: [LegSecond]) {
    var damage: [Culprit: Int] = [:]
    var quietSince: Int?
    for (index, second) in history.enumerated() {
      let found = FaultFinding.find(in: second, after: index > 0 ? history[index - 1] : nil)
      findings.append(found)
      if found.contains(where: { $0.cause == .nothingIn }) {
        quietSince = quietSince ?? index
      } else if let begin = quietSince, second.received > 0 {
        if Int(second.lost) <= Self.lostInPause {
          for quiet in begin..<index { findings[quiet].removeAll { $0.cause == .nothingIn } }
        }
        quietSince = nil
      }
    }
    for found in findings { count(found, &damage) }
    shares.sort { $0.damageMilliseconds > $1.damageMilliseconds }
    // Of equals the one that stands first: what is ours is named before what is others'.
    culprit = Culprit.allCases.filter { damage[$0] != nil }.max { damage[$0] ?? 0 < damage[$1] ?? 0 }
  }

  private mutating func count(_ findings: [FaultFinding], _ damage: inout [Culprit: Int]) {
    guard Self.isBad(findings) else { return }
    badSeconds += 1
    for finding in findings {
      damage[finding.culprit, default: 0] += finding.damageMilliseconds
      let place = shares.firstIndex { $0.cause == finding.cause && $0.direction == finding.direction }
      if let place {
        shares[place].seconds += 1
        shares[place].damageMilliseconds += finding.damageMilliseconds
      } else {
        shares.append(
          Share(
            cause: finding.cause, direction: finding.direction, seconds: 1,
            damageMilliseconds: finding.damageMilliseconds))
      }
    }
  }

  public static func isBad(_ findings: [FaultFinding]) -> Bool {
    findings.reduce(0) { $0 + $1.damageMilliseconds } >= FaultFinding.Threshold.badMilliseconds
  }
}
