//  ScenarioGenerator.swift: a whole scenario out of a seed.

import Media
import Primitives
import SDP
import SIP

/// What seeds may choose from.
public struct ScenarioSpace: Sendable {
  public var phones = 3...10
  public var meetings = 1...3
  /// How long things happen before the calm, milliseconds.
  public var chaosMilliseconds = 8_000...16_000
  public var codecs: [AudioEncoding] = [.opus, .g722, .pcmu, .pcma]
  public var isFaithful: Bool
  public var hostsMayDie = true

  public init(isFaithful: Bool) { self.isFaithful = isFaithful }
}

extension SimulationOptions {
  /// The same seed and space give the same options, always.
  public init(seed: UInt64, in space: ScenarioSpace) {
    var random = RandomSource(seed: seed &* 2 &+ (space.isFaithful ? 0 : 1))
    let network = space.isFaithful ? NetworkOptions.faithful(from: &random) : NetworkOptions.faulty(from: &random)
    let meetings = space.meetings.lowerBound + random.below(space.meetings.count)
    let phones = max(meetings, space.phones.lowerBound + random.below(space.phones.count))
    let hosts = 1 + random.below(2)
    self.init(
      seed: seed, network: network, phones: [], meetings: meetings, hosts: hosts,
      workersPerHost: 1 + random.below(2), script: SimulationScript())
    // One codec for all in some runs, so that everybody can share an encoder; a mixture in the others.
    let common = random.chance(300) ? space.codecs[random.below(space.codecs.count)] : nil
    let suites = CryptoSuite.allCases
    self.phones = (0..<phones).map { number in
      PhoneTraits(
        meeting: number < meetings ? number : random.below(meetings),
        codec: common ?? space.codecs[random.below(space.codecs.count)], suite: suites[random.below(suites.count)],
        transport: random.chance(700) ? .udp : .tcp, quiet: random.chance(600) ? .frames : .dtx,
        rtcpMux: random.chance(700), levels: random.chance(600))
    }
    turnDelayMicroseconds = random.below(2_000)
    gracePeriod = .milliseconds(1_000 + random.below(3_000))
    mediaTimeout = .milliseconds(3_000 + random.below(2_000))
    if random.chance(500) { splitLegs = 1 + random.below(3) }
    var author = ScenarioAuthor(options: self, space: space, random: random)
    script = author.write()
  }
}

/// Writes a script: a warm-up, chaos, a calm in which all must come right, and everybody's leaving.
private struct ScenarioAuthor {
  let options: SimulationOptions
  let space: ScenarioSpace
  var random: RandomSource
  var script = SimulationScript()
  private var isUp: [Bool]
  private var isGone: [Bool]
  private var isHeld: [Bool]
  private var talks: [Bool]
  private var deadHost: Int?
  /// When the last thing that takes long to be noticed is over.
  private var settled = Interval.zero

  init(options: SimulationOptions, space: ScenarioSpace, random: RandomSource) {
    self.options = options
    self.space = space
    self.random = random
    let count = options.phones.count
    isUp = Array(repeating: false, count: count)
    isGone = isUp
    isHeld = isUp
    talks = isUp
  }

  mutating func write() -> SimulationScript {
    var now = 1_000
    // Most are there early, the rest come late.
    for phone in options.phones.indices where random.chance(700) {
      script.add(.call(phone), at: .milliseconds(now))
      isUp[phone] = true
      now += random.below(300)
    }
    for meeting in 0..<options.meetings where random.chance(800) {
      let candidates = options.phones.indices.filter { options.phones[$0].meeting == meeting && isUp[$0] }
      if let phone = candidates.first { changeTalk(phone, at: .milliseconds(now)) }
    }
    let chaos = space.chaosMilliseconds.lowerBound + random.below(space.chaosMilliseconds.count)
    let end = now + chaos
    while now < end {
      now += 100 + random.below(900)
      act(at: now)
    }
    return finish(at: end)
  }

  private mutating func act(at milliseconds: Int) {
    let phone = random.below(options.phones.count)
    let at = Interval.milliseconds(milliseconds)
    switch random.below(100) {
    case 0..<40: changeTalk(phone, at: at)
    case 40..<58: comeOrGo(phone, at: at)
    case 58..<66:
      guard isUp[phone] else { return }
      isHeld[phone].toggle()
      script.add(.hold(phone, isHeld[phone]), at: at)
    case 66..<74:
      guard isUp[phone], !isGone[phone] else { return }
      vanish(phone, at: at)
    case 74..<80:
      guard let phone = isGone.firstIndex(of: true) else { return }
      isGone[phone] = false
      script.add(.restart(phone), at: at)
      script.add(.call(phone), at: at + .milliseconds(50))
      isUp[phone] = true
    case 80..<86: hostAccident(at: at)
    case 86..<94: networkAccident(phone, at: at)
    default: break
    }
  }

  private mutating func changeTalk(_ phone: Int, at: Interval) {
    if !talks[phone], talkers(in: options.phones[phone].meeting) >= 3 { return }
    talks[phone].toggle()
    script.add(.talk(phone, talks[phone]), at: at)
  }

  private func talkers(in meeting: Int) -> Int {
    options.phones.indices.count { options.phones[$0].meeting == meeting && talks[$0] }
  }

  private mutating func comeOrGo(_ phone: Int, at: Interval) {
    guard !isGone[phone], !isUp[phone] || random.chance(400) else { return }
    script.add(isUp[phone] ? .hangUp(phone) : .call(phone), at: at)
    isUp[phone].toggle()
    isHeld[phone] = false
  }

  private mutating func vanish(_ phone: Int, at: Interval) {
    script.add(.vanish(phone), at: at)
    isGone[phone] = true
    isUp[phone] = false
    isHeld[phone] = false
    settled = max(settled, at + options.mediaTimeout + .seconds(3))
  }

  private mutating func hostAccident(at: Interval) {
    guard space.hostsMayDie else { return }
    if let dead = deadHost {
      deadHost = nil
      script.add(.startHost(dead), at: at)
      settled = max(settled, at + .seconds(8))
    } else if options.hosts > 1, random.chance(500) {
      let host = random.below(options.hosts)
      deadHost = host
      let silently = random.chance(300)
      script.add(.killHost(host, silently: silently), at: at)
      settled = max(settled, at + .seconds(silently ? 28 : 8))
    } else {
      script.add(.breakStreams(host: random.below(options.hosts)), at: at)
      settled = max(settled, at + .seconds(8))
    }
  }

  private mutating func networkAccident(_ phone: Int, at: Interval) {
    guard !space.isFaithful else { return }
    let length = Interval.milliseconds(100 + random.below(2_500))
    let path = PathClass(rawValue: random.below(4))
    let node = random.chance(700) ? SimulatedNode.phone(phone) : .host(random.below(options.hosts))
    let outward = random.chance(500)
    script.add(
      .partition(from: outward ? node : nil, to: outward ? nil : node, path, length), at: at)
    settled = max(settled, at + length + .seconds(8))
  }

  private mutating func finish(at milliseconds: Int) -> SimulationScript {
    var now = Interval.milliseconds(milliseconds)
    script.add(.heal, at: now)
    if let dead = deadHost { script.add(.startHost(dead), at: now) }
    // Somebody talks in the calm, or there would be nothing to hear.
    for meeting in 0..<options.meetings where talkers(in: meeting) == 0 {
      let candidates = options.phones.indices.filter {
        options.phones[$0].meeting == meeting && isUp[$0] && !isHeld[$0]
      }
      if let phone = candidates.first { script.add(.talk(phone, true), at: now + .milliseconds(100)) }
    }
    // UDP's retransmissions come every four seconds in the end (RFC 3261 §17.1.2.1).
    let calm = max(settled, now + .milliseconds(space.isFaithful ? 2_500 : 9_000))
    script.add(.calm, at: calm)
    now = calm + .seconds(3)
    script.add(.endOfCalm, at: now)
    now = now + .milliseconds(100)
    for phone in options.phones.indices {
      script.add(random.chance(850) ? .hangUp(phone) : .vanish(phone), at: now)
      now = now + .milliseconds(random.below(200))
    }
    // The media time-out of those who vanished, the grace period, then the timers of BYE (RFC 3261 §17: 32 s).
    now = now + options.mediaTimeout + options.gracePeriod + .seconds(8)
    // A phone that vanished while it held is missed only by its session timer (RFC 4028), of 90 seconds.
    script.add(.shutDownHosts, at: now + .seconds(90))
    script.end = now + .seconds(90 + 45)
    return script
  }
}
