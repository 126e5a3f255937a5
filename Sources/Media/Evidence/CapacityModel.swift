//  CapacityModel.swift: how many more legs of which kind fit onto a worker, from what its work costs now.
//  Walk: WorkerReport.costs → CapacityModel.room → parley capacity

import Primitives

/// What one worker did over a span, as the difference of two reports.
public struct WorkerLoadSample: Sendable, Hashable {
  public var seconds: Double = 0
  public var costs = WorkerCosts()
  /// CPU time of the worker's thread; 0 where it is not measured.
  public var cpuSeconds: Double = 0
  public var forwarded: UInt64 = 0
  public var legs = 0
  public var meetings = 0
  public var largestMeeting = 0
  /// The worst second's 99.9 % slack, ms.
  public var slackP999Milliseconds: Double = 20
  public init() {}

  /// - Returns: `nil` when they are not of one worker in order.
  public init?(from earlier: WorkerReport, to now: WorkerReport, seconds: Double, slackP999Milliseconds: Double) {
    guard seconds > 0, now.packetsIn >= earlier.packetsIn, now.cpuMicroseconds >= earlier.cpuMicroseconds,
      now.costs.turns >= earlier.costs.turns
    else { return nil }
    self.seconds = seconds
    costs = now.costs - earlier.costs
    cpuSeconds = Double(now.cpuMicroseconds - earlier.cpuMicroseconds) / 1e6
    forwarded = now.forwards &- earlier.forwards
    legs = now.legs
    meetings = now.meetings
    largestMeeting = now.largestMeeting
    self.slackP999Milliseconds = slackP999Milliseconds
  }
}

/// Microseconds that each kind of work takes.
public struct WorkPrices: Sendable, Hashable {
  /// A turn of the worker's loop: waking, looking at clocks, queues and sockets.
  public var turn = 28.0
  public var packetIn = 2.6
  /// One leg in one tick: who is heard, and what is due.
  public var legTick = 0.1
  /// One talker in one tick: jitter buffer and decoder.
  public var decode = 42.0
  public var encode = 155.0
  public var packetOut = 4.0

  /// As measured where this was built (AES-GCM, 48 kHz Opus at complexity 5): for a worker that has nothing to do yet.
  public static var typical: WorkPrices { WorkPrices() }
  public init() {}
}

/// Kinds of legs that room is asked for.
@frozen public enum LegKind: String, CaseIterable, Sendable {
  /// One who sends quiet frames, in the largest meeting that is here.
  case listener
  /// In new meetings of 10, of whom three always talk.
  case threeOfTenTalk
  /// In new meetings of 10, of whom one talks at a time.
  case oneOfTenTalks

  public var text: String {
    switch self {
    case .listener: "listeners in the largest meeting"
    case .threeOfTenTalk: "legs in meetings of 10, 3 of whom talk"
    case .oneOfTenTalks: "legs in meetings of 10, one talks at a time"
    }
  }
}

/// Prices, and what is left to spend.
///
/// A worker's second is turns, packets, ticks, decodes and encodes, each at its price. A worker can be filled until
/// `timeShare` of its time, because packets and ticks come unevenly, and a meeting until its tick, sent one leg after the
/// other, would use up all but `slackMilliseconds` of the 20 ms.
public struct CapacityModel: Sendable, Hashable {
  public static let timeShare = 0.92
  public static let slackMilliseconds = 2.0
  /// A price is believed when so much was counted for it.
  static let enough: UInt64 = 200
  /// Turns in a second outside of ticks, while packets come densely: one a millisecond (`ReceivePacing`).
  static let denseTurns = 1_000.0
  static let phases = 32.0
  static let ticks = 50.0

  public enum Basis: String, Sendable { case measured, typical }
  public enum Limit: String, Sendable { case time, tick }

  public struct Room: Sendable, Hashable {
    public var legs: Int
    public var limitedBy: Limit
  }

  public private(set) var prices = WorkPrices.typical
  public private(set) var basis = Basis.typical
  public let load: WorkerLoadSample
  private let share: Double
  /// Of the time that the worker wanted it was given this share; the rest went to other programs or the hypervisor.
  private let granted: Double
  private let packetsInPerLeg: Double
  private let encodesForOneTalker: Double

  public init(_ load: WorkerLoadSample) {
    self.load = load
    let costs = load.costs
    let measured = Double(costs.totalNanoseconds) / 1e9
    // What other programs and the hypervisor took while the stopwatch ran is no price of ours.
    let scale = load.cpuSeconds > 0 && measured > load.cpuSeconds ? load.cpuSeconds / measured : 1
    granted = scale
    func price(_ nanoseconds: UInt64, _ count: UInt64, otherwise standard: Double) -> Double {
      count >= Self.enough ? Double(nanoseconds) / 1e3 * scale / Double(count) : standard
    }
    var prices = WorkPrices.typical
    prices.legTick = price(costs.tickNanoseconds, costs.legTicks, otherwise: prices.legTick)
    prices.decode = price(costs.decodeNanoseconds, costs.talkerTicks, otherwise: prices.decode)
    prices.encode = price(costs.encodeNanoseconds, costs.encodes, otherwise: prices.encode)
    prices.packetOut = price(costs.sendNanoseconds, costs.packetsOut, otherwise: prices.packetOut)
    // What lies between the stopwatch's intervals and the thread's time is the price of waiting: it belongs to turns.
    let receiving = Double(costs.receiveNanoseconds) / 1e3 * scale
    let waiting = max(0, load.cpuSeconds - measured) * 1e6
    if costs.packetsIn >= Self.enough, costs.turns > 0 {
      let turns = Double(costs.turns)
      let packets = Double(costs.packetsIn)
      // One equation, two prices: their proportion is taken from the typical machine.
      let scaled = (receiving + waiting) / (turns * prices.turn + packets * prices.packetIn)
      prices.turn *= scaled
      prices.packetIn *= scaled
      basis = .measured
    }
    self.prices = prices
    packetsInPerLeg =
      load.legs > 0 && load.seconds > 0 && costs.packetsIn >= Self.enough
      ? min(Self.ticks * 2, Double(costs.packetsIn) / load.seconds / Double(load.legs)) : Self.ticks
    share =
      load.seconds > 0
      ? (load.cpuSeconds > 0 ? load.cpuSeconds : measured) / load.seconds : 0
    // A worker that forwards a single talker's packets does not encode them.
    encodesForOneTalker = load.forwarded > 0 ? 0 : 1
  }

  /// Share of the worker's time that is spent, 0…1.
  public var busy: Double { min(1, share) }

  /// How many more of a kind fit, if nothing else comes.
  public func room(for kind: LegKind) -> Room {
    let each = microsecondsPerSecond(of: kind)
    let byTime = max(0, spare(for: kind) / each)
    guard kind == .listener, load.largestMeeting > 0 else { return Room(legs: Int(byTime), limitedBy: .time) }
    let byTick = listenersByTick
    return byTick < byTime ? Room(legs: Int(byTick), limitedBy: .tick) : Room(legs: Int(byTime), limitedBy: .time)
  }

  /// CPU microseconds that a leg of a kind takes in a second.
  public func microsecondsPerSecond(of kind: LegKind) -> Double {
    let ticks = Self.ticks
    let carried = ticks * (prices.legTick + prices.packetOut)
    switch kind {
    case .listener: return carried + packetsInPerLeg * prices.packetIn
    case .threeOfTenTalk:
      // Of ten: three decoded; one mix for seven, and each talker's own.
      return carried + ticks * (prices.packetIn + (3 * prices.decode + 4 * prices.encode) / 10)
    case .oneOfTenTalks:
      // The talker himself is sent nothing, or comfort.
      return ticks * (prices.legTick + 0.9 * prices.packetOut)
        + ticks * (prices.packetIn + (prices.decode + encodesForOneTalker * prices.encode) / 10)
    }
  }

  /// Microseconds of a second that may still be spent; turns become fewer for each packet as packets become dense.
  private func spare(for kind: LegKind) -> Double {
    let turnsNow = load.seconds > 0 ? Double(load.costs.turns) / load.seconds : 0
    let phases = kind == .listener ? min(Self.phases, Double(max(1, load.meetings))) : Self.phases
    // While a tick lasts there are no turns.
    let inTicks = Self.timeShare * (1 - Self.ticks * prices.packetIn / microsecondsPerSecond(of: kind))
    let turnsThen = Self.denseTurns * max(0, 1 - inTicks) + phases * Self.ticks
    return (Self.timeShare * granted - share) * 1e6 - (turnsThen - turnsNow) * prices.turn
  }

  /// A meeting's tick lasts as long as its last leg waits for its packet.
  private var listenersByTick: Double {
    let costs = load.costs
    guard costs.legTicks > 0, costs.meetingTicks > 0 else { return .infinity }
    let fixed =
      Double(costs.decodeNanoseconds + costs.encodeNanoseconds) / 1e3 / Double(costs.meetingTicks)
    let each = prices.legTick + prices.packetOut
    let now = fixed + Double(load.largestMeeting) * each
    // What the tick waits for besides itself: packets that are being received, other meetings of its phase.
    let waiting = max(0, (20 - load.slackP999Milliseconds) * 1e3 - now)
    return max(0, ((20 - Self.slackMilliseconds) * 1e3 - now - waiting) / each)
  }
}
