//  FaultFindingTests.swift: constructed seconds and whose fault they are.

import Media
import Primitives
import Testing

@Suite("Whose fault a bad second was")
struct FaultFindingTests {
  /// A talker's second in which all was well.
  static func good() -> LegSecond {
    var second = LegSecond(leg: LegID(rawValue: 7))
    second.flags = [.receives, .sends, .wasHeard, .hasPath]
    second.ticks = 50
    second.level = -20
    second.mixed = 50
    second.received = 50
    second.sent = 50
    second.audible = 50
    second.lateness = 8
    second.jitter = 12
    second.remoteAge = 2
    second.remoteExpected = 250
    second.remoteReceived = 250
    second.remoteJitter = 20
    return second
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var change: @Sendable (inout LegSecond) -> Void
    var culprit: Culprit?
    var causes: [FaultFinding.Cause]
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "all well", change: { _ in }, culprit: nil, causes: []),
    Case(
      name: "one concealed tick is no bad second",
      change: { ($0.lost, $0.concealed) = (1, 1) }, culprit: nil, causes: [.lossIn]),
    Case(
      name: "loss that FEC has mended is none", change: { ($0.lost, $0.recovered) = (5, 5) }, culprit: nil, causes: []),
    Case(
      name: "loss on the way in", change: { ($0.lost, $0.received, $0.concealed) = (10, 40, 10) },
      culprit: .networkIn, causes: [.lossIn]),
    Case(
      name: "late packets, our ticks on time", change: { ($0.late, $0.concealed, $0.jitter) = (8, 8, 600) },
      culprit: .networkIn, causes: [.lateIn]),
    Case(
      name: "late packets because our tick was late", change: { ($0.late, $0.concealed, $0.lateness) = (8, 8, 900) },
      culprit: .ours, causes: [.tickLate, .tickLate]),
    Case(
      name: "loss and late tick: most of it is lost packets",
      change: { ($0.lost, $0.concealed, $0.lateness, $0.audible) = (20, 20, 450, 0) }, culprit: .networkIn,
      causes: [.lossIn]),
    Case(
      name: "packets dropped by this host are not the network's",
      change: {
        ($0.lost, $0.concealed) = (10, 10)
        $0.flags.insert(.hostDropped)
      }, culprit: .ours, causes: [.hostShort, .hostShort]),
    Case(
      name: "gaps in what the phone sent", change: { ($0.received, $0.concealed) = (35, 15) }, culprit: .farEnd,
      causes: [.gapInSending]),
    Case(
      name: "loss and gaps mixed, the worse first",
      change: { ($0.received, $0.lost, $0.concealed) = (35, 4, 15) }, culprit: .farEnd,
      causes: [.gapInSending, .lossIn]),
    Case(
      name: "nothing any more", change: { ($0.received, $0.quiet, $0.mixed) = (0, 240, 0) }, culprit: .networkIn,
      causes: [.nothingIn]),
    Case(
      name: "nothing on hold",
      change: {
        ($0.received, $0.quiet, $0.mixed) = (0, 1_000, 0)
        $0.flags.remove(.receives)
      }, culprit: nil, causes: []),
    Case(
      name: "packets with a wrong key", change: { ($0.received, $0.refused, $0.mixed) = (0, 50, 0) },
      culprit: .farEnd, causes: [.refused]),
    Case(name: "a microphone at full scale", change: { $0.level = 0 }, culprit: .farEnd, causes: [.clipped]),
    Case(
      name: "a phone whose clock runs wild", change: { $0.stretched = 12 }, culprit: .farEnd, causes: [.clockDrift]),
    Case(name: "packets that we could not send", change: { $0.unsent = 6 }, culprit: .ours, causes: [.sendFailed]),
    Case(
      name: "the phone reports loss", change: { $0.remoteFractionLost = 26 }, culprit: .networkOut,
      causes: [.lossOut]),
    Case(
      name: "an old report of loss tells nothing", change: { ($0.remoteFractionLost, $0.remoteAge) = (26, 30) },
      culprit: nil, causes: []),
    Case(
      name: "the phone reports uneven arrivals", change: { $0.remoteJitter = 800 }, culprit: .networkOut,
      causes: [.jitterOut]),
    Case(
      name: "the phone reports that nothing came", change: { $0.remoteReceived = 0 }, culprit: .networkOut,
      causes: [.nothingArrivesThere]),
    Case(
      name: "both ways bad, out worse",
      change: { ($0.lost, $0.concealed, $0.remoteFractionLost) = (3, 3, 128) }, culprit: .networkOut,
      causes: [.lossOut, .lossIn]),
    Case(
      name: "overload has taken a loud talker out of the mix",
      change: { ($0.overload, $0.mixed, $0.level) = (3, 0, -20) }, culprit: .ours, causes: [.fewerTalkers]),
    Case(
      name: "saturated counters",
      change: {
        ($0.lost, $0.received, $0.concealed, $0.late) = (.max, .max, .max, .max)
        ($0.refused, $0.unsent, $0.stretched, $0.lateness) = (.max, .max, .max, .max)
        ($0.ticks, $0.remoteJitter) = (.max, .max)
      }, culprit: .ours, causes: [.tickLate, .lossIn, .sendFailed, .jitterOut]),
  ]

  @Test("constructed seconds", arguments: cases)
  func table(_ row: Case) {
    var second = Self.good()
    row.change(&second)

    let verdict = FaultVerdict([Self.good(), second])
    let findings = FaultFinding.find(in: second, after: Self.good())

    #expect(verdict.culprit == row.culprit, "\(findings)")
    if row.name != "saturated counters" { #expect(findings.map(\.cause) == row.causes) }
    #expect(findings.allSatisfy { (1...Int(second.ticks) * 20).contains($0.damageMilliseconds) })
    #expect(verdict.badSeconds == (row.culprit == nil ? 0 : 1) && verdict.seconds == 2)
  }

  @Test("a minute: the share of each, the worst culprit in front")
  func minute() {
    var history = Array(repeating: Self.good(), count: 60)
    for index in 10..<20 { (history[index].lost, history[index].concealed) = (5, 5) }
    history[30].unsent = 50

    let verdict = FaultVerdict(history)

    #expect(verdict.culprit == .ours || verdict.culprit == .networkIn)
    #expect(verdict.badSeconds == 11 && verdict.shares.count == 2)
    #expect(verdict.shares.map(\.damageMilliseconds) == [1_000, 1_000])
  }

  @Test("a pause in which nothing was sent is no fault; an outage is; one that lasts is", arguments: [0, 200, nil])
  func pause(lost: Int16?) {
    var history = Array(repeating: Self.good(), count: 20)
    for index in 10..<(lost == nil ? 20 : 15) {
      (history[index].received, history[index].mixed) = (0, 0)
      history[index].quiet = UInt16(index - 9) * 100
    }
    if let lost { history[15].lost = lost }

    let verdict = FaultVerdict(history)

    #expect(verdict.culprit == (lost == 0 ? nil : .networkIn))
    #expect(verdict.badSeconds == (lost == 0 ? 0 : lost == nil ? 9 : 4) && verdict.seconds == 20)
  }

  @Test("no history is no verdict") func empty() {
    let verdict = FaultVerdict([])
    #expect(verdict.culprit == nil && verdict.seconds == 0 && verdict.shares.isEmpty)
    #expect(Audibility(leg: LegID(rawValue: 1), history: [LegSecond]()).voice == .neverHeard)
  }
}

@Suite("Room for more legs")
struct CapacityModelTests {
  /// A worker that has spent exactly these prices for ten seconds on one meeting.
  private func load(legs: Int, talkers: Int, prices: WorkPrices) -> WorkerLoadSample {
    var load = WorkerLoadSample()
    load.seconds = 10
    (load.legs, load.meetings, load.largestMeeting) = (legs, 1, legs)
    let ticks: UInt64 = 500
    load.costs.turns = 10_500
    load.costs.meetingTicks = ticks
    load.costs.legTicks = ticks * UInt64(legs)
    load.costs.packetsIn = ticks * UInt64(legs)
    load.costs.packetsOut = ticks * UInt64(legs)
    load.costs.talkerTicks = ticks * UInt64(talkers)
    load.costs.encodes = ticks * UInt64(talkers + 1)
    func nanoseconds(_ count: UInt64, _ price: Double) -> UInt64 { UInt64(Double(count) * price * 1_000) }
    load.costs.receiveNanoseconds =
      nanoseconds(load.costs.packetsIn, prices.packetIn) + nanoseconds(load.costs.turns, prices.turn)
    load.costs.tickNanoseconds = nanoseconds(load.costs.legTicks, prices.legTick)
    load.costs.decodeNanoseconds = nanoseconds(load.costs.talkerTicks, prices.decode)
    load.costs.encodeNanoseconds = nanoseconds(load.costs.encodes, prices.encode)
    load.costs.sendNanoseconds = nanoseconds(load.costs.packetsOut, prices.packetOut)
    load.cpuSeconds = Double(load.costs.totalNanoseconds) / 1e9
    let tick =
      prices.legTick * Double(legs) + prices.packetOut * Double(legs) + prices.decode * Double(talkers)
      + prices.encode * Double(talkers + 1)
    load.slackP999Milliseconds = 20 - tick / 1_000 - 1
    return load
  }

  @Test(
    "what a meeting of 300 costs tells where a meeting of thousands ends, within a tenth", arguments: [100, 300, 900])
  func listeners(legs: Int) {
    var prices = WorkPrices.typical
    prices.turn *= 1.4 / prices.packetIn  // dear in proportion
    (prices.packetIn, prices.packetOut, prices.legTick) = (1.4, 2.9, 0.2)
    let model = CapacityModel(load(legs: legs, talkers: 3, prices: prices))

    let room = model.room(for: .listener)

    // 0.92 s less turns, three decoders and four encoders, by what each leg takes.
    let fixed = 480 * prices.turn + 50 * (3 * prices.decode + 4 * prices.encode)
    let truth = (0.92e6 - fixed) / (50 * (prices.packetIn + prices.packetOut + prices.legTick))
    #expect(model.basis == .measured)
    #expect(abs(Double(legs + room.legs) - truth) < truth / 10, "\(legs + room.legs) of \(truth)")
    #expect(room.limitedBy == .time)
  }

  @Test("where sending is dear, the tick ends it before the time does")
  func tick() {
    var prices = WorkPrices.typical
    prices.turn *= 0.2 / prices.packetIn
    (prices.packetIn, prices.packetOut) = (0.2, 5)
    let model = CapacityModel(load(legs: 500, talkers: 3, prices: prices))

    let room = model.room(for: .listener)

    #expect(room.limitedBy == .tick)
    let truth = (18_000 - 1_000 - 3 * prices.decode - 4 * prices.encode) / (prices.packetOut + prices.legTick)
    #expect(abs(Double(500 + room.legs) - truth) < truth / 10, "\(500 + room.legs) of \(truth)")
  }

  @Test("small meetings cost their decoders and encoders; forwarding saves the encoder")
  func kinds() {
    var load = load(legs: 100, talkers: 3, prices: .typical)
    let three = CapacityModel(load).room(for: .threeOfTenTalk).legs
    let one = CapacityModel(load).room(for: .oneOfTenTalks).legs
    load.forwarded = 1_000
    let forwarding = CapacityModel(load).room(for: .oneOfTenTalks).legs

    #expect(three < one && one < forwarding && three > 50)
  }

  @Test("a worker that has nothing to do is judged by typical prices; a full one has no room")
  func edges() {
    let idle = CapacityModel(WorkerLoadSample())
    var full = load(legs: 4_000, talkers: 3, prices: .typical)
    full.cpuSeconds = 9.9

    #expect(idle.basis == .typical && idle.busy == 0)
    #expect(idle.room(for: .listener).legs > 1_000)
    #expect(LegKind.allCases.allSatisfy { CapacityModel(full).room(for: $0).legs == 0 })
  }

  @Test("what other programs took from the CPU is no price of ours")
  func stolen() {
    var load = load(legs: 300, talkers: 3, prices: .typical)
    let honest = CapacityModel(load).prices.packetOut
    let alone = CapacityModel(load).room(for: .listener).legs
    load.costs.sendNanoseconds *= 2
    load.costs.receiveNanoseconds *= 2
    load.costs.tickNanoseconds *= 2
    load.costs.decodeNanoseconds *= 2
    load.costs.encodeNanoseconds *= 2

    #expect(abs(CapacityModel(load).prices.packetOut - honest) < honest / 100)
    // … but it is not there to be spent either.
    #expect(CapacityModel(load).room(for: .listener).legs < alone)
  }
}
