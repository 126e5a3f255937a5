//  PathOptions.swift: what one class of packets suffers on its way.

import Primitives

/// The faults of a datagram path. All shares are in thousandths, all times in microseconds.
public struct PathOptions: Hashable, Sendable, CustomStringConvertible {
  /// Lost, one by one.
  public var loss = 0
  /// Begins a burst, in which every packet is lost; a burst ends after a packet with chance `burstEnd`.
  public var burstStart = 0
  public var burstEnd = 300
  /// Delivered twice.
  public var duplication = 0
  /// Held back by `reorderDelay`, so that later ones overtake it.
  public var reordering = 0
  public var reorderDelay = 30_000
  /// Every packet takes this long, and up to `jitter` longer.
  public var delay = 200
  public var jitter = 0

  public init() {}

  /// Whether every packet arrives exactly once and in order.
  public var isFaithful: Bool { loss == 0 && burstStart == 0 && duplication == 0 && reordering == 0 }

  public var description: String {
    "loss \(loss)‰, bursts \(burstStart)‰/\(burstEnd)‰, twice \(duplication)‰, reordered \(reordering)‰ by \(reorderDelay) µs, "
      + "delay \(delay)+\(jitter) µs"
  }
}

/// The faults of a reliable, ordered stream: it is late, or it breaks.
public struct StreamOptions: Hashable, Sendable, CustomStringConvertible {
  public var delay = 200
  public var jitter = 0
  /// Share of messages that wait for a retransmission below us, in thousandths.
  public var stalls = 0
  public var stallDelay = 220_000
  /// A stream that a partition holds up for longer than this is closed by both ends.
  public var patience = Interval.seconds(4)
  /// Cut messages into pieces, so that framing is exercised.
  public var fragments = false

  public init() {}

  public var description: String {
    "delay \(delay)+\(jitter) µs, stalls \(stalls)‰ by \(stallDelay) µs, patience \(Int(patience.milliseconds)) ms"
      + (fragments ? ", in fragments" : "")
  }
}

/// All faults of the network, chosen before a run.
public struct NetworkOptions: Hashable, Sendable, CustomStringConvertible {
  public var media = PathOptions()
  public var signalling = PathOptions()
  public var stream = StreamOptions()

  public init() {}

  public var isFaithful: Bool { media.isFaithful && signalling.isFaithful }

  public var description: String { "media: \(media); SIP over UDP: \(signalling); SIP over TCP: \(stream)" }

  /// Late at most: what is sent arrives, once, in order.
  public static func faithful(from random: inout RandomSource) -> NetworkOptions {
    var options = NetworkOptions()
    options.media.delay = 100 + random.below(40_000)
    options.media.jitter = random.below(8_000)
    options.signalling.delay = 100 + random.below(40_000)
    options.signalling.jitter = random.below(5_000)
    options.stream.delay = 50 + random.below(5_000)
    options.stream.jitter = random.below(2_000)
    options.stream.fragments = random.chance(500)
    return options
  }

  /// Some or all of the faults there are.
  public static func faulty(from random: inout RandomSource) -> NetworkOptions {
    var options = faithful(from: &random)
    options.media.jitter = random.below(50_000)
    if random.chance(800) { options.media.loss = random.below(60) }
    if random.chance(500) { options.media.burstStart = random.below(6) }
    if random.chance(500) { options.media.duplication = random.below(40) }
    if random.chance(500) { options.media.reordering = random.below(40) }
    options.media.reorderDelay = 10_000 + random.below(60_000)
    options.signalling.jitter = random.below(60_000)
    if random.chance(800) { options.signalling.loss = random.below(200) }
    if random.chance(400) { options.signalling.burstStart = random.below(30) }
    if random.chance(600) { options.signalling.duplication = random.below(150) }
    if random.chance(600) { options.signalling.reordering = random.below(150) }
    options.signalling.reorderDelay = 10_000 + random.below(700_000)
    if random.chance(600) { options.stream.stalls = random.below(50) }
    return options
  }
}

extension RandomSource {
  /// 0 ..< `bound`, and 0 when `bound` is not positive.
  mutating func below(_ bound: Int) -> Int {
    bound > 0 ? Int(truncatingIfNeeded: (UInt64(nextWord()) * UInt64(truncatingIfNeeded: bound)) >> 32) : 0
  }
  /// - Parameter thousandths: 0 never, 1,000 always.
  mutating func chance(_ thousandths: Int) -> Bool { below(1_000) < thousandths }
}
