//  SimulatedNetwork.swift: decides when each packet arrives, how often, or never; from a seed.

import Primitives

/// One machine of a simulation.
public enum SimulatedNode: Hashable, Sendable, CustomStringConvertible {
  case frontEnd
  case host(Int)
  case phone(Int)

  public var description: String {
    switch self {
    case .frontEnd: "front end"
    case .host(let number): "host \(number)"
    case .phone(let number): "phone \(number)"
    }
  }

  /// A small number that is different for each node.
  var code: Int {
    switch self {
    case .frontEnd: 0
    case .host(let number): 1 + number
    case .phone(let number): 64 + number
    }
  }
}

public enum PathClass: Int, Hashable, Sendable, CaseIterable { case media, signalling, stream }

/// Nothing passes from one node to another, one way, for some time.
public struct Partition: Hashable, Sendable {
  /// `nil`: any node.
  public var from: SimulatedNode?
  public var to: SimulatedNode?
  /// `nil`: everything.
  public var path: PathClass?
  public var until: Instant

  public init(from: SimulatedNode?, to: SimulatedNode?, path: PathClass?, until: Instant) {
    self.from = from
    self.to = to
    self.path = path
    self.until = until
  }

  func holds(_ path: PathClass, _ from: SimulatedNode, _ to: SimulatedNode, _ now: Instant) -> Bool {
    now < until && (self.path ?? path) == path && (self.from ?? from) == from && (self.to ?? to) == to
  }
}

/// A network with a seed. Datagrams are lost, late, doubled and reordered; streams are late or broken.
public struct SimulatedNetwork: Sendable {
  private struct Path: Hashable {
    var kind: PathClass
    var from: SimulatedNode
    var to: SimulatedNode
  }
  private struct PathState {
    var isInBurst = false
    var lastArrival = Instant.zero
  }
  public enum StreamFate: Hashable, Sendable {
    case arrives(Instant)
    case breaks(Instant)
  }

  public private(set) var options: NetworkOptions
  private var random: RandomSource
  private var paths: [Path: PathState] = [:]
  private var partitions: [Partition] = []
  public private(set) var lost = 0
  public private(set) var duplicated = 0
  public private(set) var reordered = 0

  public init(options: NetworkOptions, random: RandomSource) {
    self.options = options
    self.random = random
  }

  /// No faults from now on, only delay.
  public mutating func heal() {
    partitions = []
    let media = options.media
    let signalling = options.signalling
    options.media = PathOptions()
    options.media.delay = media.delay
    options.media.jitter = min(media.jitter, 5_000)
    options.signalling = PathOptions()
    options.signalling.delay = signalling.delay
    options.stream.stalls = 0
    for path in paths.keys { paths[path]?.isInBurst = false }
  }

  public mutating func add(_ partition: Partition) { partitions.append(partition) }

  /// When a datagram arrives: nothing for a lost one, two instants for a doubled one.
  public mutating func fate(
    _ kind: PathClass, from: SimulatedNode, to: SimulatedNode, now: Instant
  ) -> (first: Instant?, second: Instant?) {
    let settings = kind == .media ? options.media : options.signalling
    let path = Path(kind: kind, from: from, to: to)
    var state = paths[path] ?? PathState()
    defer { paths[path] = state }
    if partitions.contains(where: { $0.holds(kind, from, to, now) }) {
      lost += 1
      return (nil, nil)
    }
    if state.isInBurst {
      state.isInBurst = !random.chance(settings.burstEnd)
      lost += 1
      return (nil, nil)
    }
    if settings.burstStart > 0 { state.isInBurst = random.chance(settings.burstStart) }
    if settings.loss > 0, random.chance(settings.loss) {
      lost += 1
      return (nil, nil)
    }
    var arrival = now + .microseconds(settings.delay + random.below(settings.jitter))
    if settings.reordering > 0, random.chance(settings.reordering) {
      arrival += .microseconds(settings.reorderDelay)
      reordered += 1
    } else {
      arrival = max(arrival, state.lastArrival)
      state.lastArrival = arrival
    }
    guard settings.duplication > 0, random.chance(settings.duplication) else { return (arrival, nil) }
    duplicated += 1
    return (arrival, arrival + .microseconds(random.below(5_000)))
  }

  /// When the next bytes of a stream arrive.
  ///
  /// - Parameter last: when the bytes before them do.
  public mutating func streamFate(
    from: SimulatedNode, to: SimulatedNode, after last: Instant, now: Instant
  ) -> StreamFate {
    var arrival = now + .microseconds(options.stream.delay + random.below(options.stream.jitter))
    if options.stream.stalls > 0, random.chance(options.stream.stalls) {
      arrival += .microseconds(options.stream.stallDelay)
    }
    for partition in partitions where partition.holds(.stream, from, to, now) {
      if partition.until - now > options.stream.patience { return .breaks(now + options.stream.patience) }
      arrival = max(arrival, partition.until + .microseconds(options.stream.stallDelay))
    }
    return .arrives(max(arrival, last))
  }

  /// Cuts a message into pieces, or leaves it whole.
  mutating func fragments(of bytes: [UInt8]) -> [[UInt8]] {
    guard options.stream.fragments, bytes.count > 2, random.chance(300) else { return [bytes] }
    let cut = 1 + random.below(bytes.count - 1)
    return [Array(bytes[..<cut]), Array(bytes[cut...])]
  }
}
