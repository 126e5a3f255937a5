//  RTCPSchedule.swift: when to send the next RTCP compound (RFC 3550 §6.2, §6.3, A.7).

import Primitives

/// The transmission timer of one RTP session, with timer reconsideration. A value: time and randomness are given.
public struct RTCPSchedule: Sendable {
  /// RFC 3550 §6.2.
  public static let defaultMinimum = Interval.seconds(5)

  /// Octets per second that RTCP of the whole session may use: 5 % of the session's bandwidth (RFC 3550 §6.2).
  public var bandwidth: Double
  /// The least deterministic interval; a session may go below 5 s down to 360 / (kbit/s) (RFC 3550 §6.2).
  public var minimum: Interval
  /// We sent RTP since the second last report.
  public var isSender = false

  public private(set) var members = 2
  public private(set) var senders = 0
  /// When the timer next expires.
  public private(set) var deadline: Instant
  private var membersBefore = 2
  private var previous: Instant
  /// Mean compound size in octets, UDP and IP headers included (RFC 3550 §6.3.3).
  public private(set) var averageSize: Double
  private var isInitial = true
  /// Whether an early compound may go out before the next regular one (RFC 4585 §3.5.2 `allow_early`).
  public private(set) var allowsEarly = true

  /// Octets of IP and UDP header that each compound costs beside its own (RFC 3550 §6.2).
  public static let headerCount = 28

  /// - Parameters:
  ///   - sessionBandwidth: bits per second of media; at least 1.
  ///   - firstSize: octets that the first compound will probably have.
  public init(
    sessionBandwidth: Int, minimum: Interval = defaultMinimum, firstSize: Int = 72, now: Instant,
    random: inout RandomSource
  ) {
    bandwidth = Double(max(sessionBandwidth, 1)) / 8 * 0.05
    self.minimum = minimum
    averageSize = Double(min(max(firstSize, 0), RTPLimits.packetCount) + Self.headerCount)
    previous = now
    deadline = now
    deadline = now + interval(random: &random)
  }

  /// The session's other members, ourselves included, and who of them sends.
  public mutating func setMembers(_ count: Int, senders: Int) {
    members = min(max(count, 1), RTPLimits.sessionMembers)
    self.senders = min(max(senders, 0), members)
  }

  /// A compound arrived: its size changes the mean (RFC 3550 §6.3.3).
  public mutating func received(count: Int) { average(count) }

  /// A member left: the timer is shortened in proportion (RFC 3550 §6.3.4).
  public mutating func memberLeft(now: Instant) {
    setMembers(members - 1, senders: senders)
    guard members < membersBefore else { return }
    let share = Double(members) / Double(membersBefore)
    deadline = now + scaled(deadline - now, share)
    previous = now - scaled(now - previous, share)
    membersBefore = members
  }

  /// The timer expired: reconsider with today's group (RFC 3550 §6.3.6).
  ///
  /// - Returns: `true` when a compound is due now: send it, then call `sent`. `false` before the deadline, and when the
  ///   group grew so that the deadline moves.
  public mutating func isDue(now: Instant, random: inout RandomSource) -> Bool {
    guard now >= deadline else { return false }
    let next = previous + interval(random: &random)
    membersBefore = members
    if next <= now { return true }
    deadline = next
    return false
  }

  /// Something cannot wait for the regular time: one early compound, then none until a regular one was sent, which is
  /// put off by as much as the early one cost (RFC 4585 §3.5.2, between two parties, where nobody else may say it first).
  ///
  /// - Returns: `true` when it may be sent now: send it, then call `sentEarly` instead of `sent`.
  public mutating func beginEarly(now: Instant, random: inout RandomSource) -> Bool {
    guard allowsEarly, now < deadline else { return false }
    allowsEarly = false
    let step = interval(random: &random)
    deadline = max(deadline, previous + step + step)
    return true
  }

  /// An early compound was sent: it counts for the mean size, not for the timer.
  public mutating func sentEarly(count: Int) { average(count) }

  /// A compound was sent: the next deadline is set.
  public mutating func sent(count: Int, now: Instant, random: inout RandomSource) {
    average(count)
    previous = now
    isInitial = false
    allowsEarly = true
    deadline = now + interval(random: &random)
    membersBefore = members
  }

  private mutating func average(_ count: Int) {
    averageSize = Double(min(max(count, 0), RTPLimits.packetCount) + Self.headerCount) / 16 + averageSize * 15 / 16
  }

  /// The randomised interval of RFC 3550 A.7.
  private func interval(random: inout RandomSource) -> Interval {
    var seconds = max(deterministicInterval.seconds, 0.001)
    // Uniform in 0.5…1.5, then less e − 3/2: reconsideration lengthens the mean by as much (RFC 3550 §6.3.1).
    seconds *= Double(random.nextWord()) / 4_294_967_296 + 0.5
    return .nanoseconds(Int64(min(seconds / 1.21828, 86_400) * 1e9))
  }

  /// Before randomisation: n · size / bandwidth, not below the minimum, which is halved before the first packet.
  public var deterministicInterval: Interval {
    var share = bandwidth
    var sharing = members
    // Senders have a quarter of the bandwidth to themselves while they are at most a quarter (RFC 3550 §6.2).
    if senders > 0, senders * 4 <= members {
      share *= isSender ? 0.25 : 0.75
      sharing = isSender ? senders : members - senders
    }
    let least = isInitial ? minimum.seconds / 2 : minimum.seconds
    let seconds = max(averageSize * Double(max(sharing, 1)) / max(share, 0.001), least)
    return .nanoseconds(Int64(min(seconds, 86_400) * 1e9))
  }

  private func scaled(_ interval: Interval, _ share: Double) -> Interval {
    .nanoseconds(Int64(min(max(interval.seconds, 0), 86_400) * share * 1e9))
  }
}
