//  Forwarding.swift: where a worker sends on the datagrams of legs that have left it while their peers still send here.

import Primitives

/// One leg that is elsewhere now.
struct Emigrant: BitwiseCopyable {
  /// Addresses that one leg's peer may send from: media, control, as signalled and as proved, and a few it had before.
  static let flows = 8

  let leg: LegID
  /// Where it is.
  var worker: Int
  /// How often it had moved when it went there: an older message about it changes nothing.
  var moves: UInt32
  private(set) var flowCount = 0
  private var flows: InlineArray<8, Flow> = InlineArray(
    repeating: Flow(address: SocketAddress(high: 0, low: 0, port: 0), socket: 0))

  init(leg: LegID, worker: Int, moves: UInt32) {
    self.leg = leg
    self.worker = worker
    self.moves = moves
  }

  func flow(_ index: Int) -> Flow { flows[index] }

  /// - Returns: the flow whose place it takes, when all were taken: the oldest.
  mutating func add(_ flow: Flow) -> Flow? {
    if flowCount < Self.flows {
      flows[flowCount] = flow
      flowCount &+= 1
      return nil
    }
    let oldest = flows[0]
    for index in 1..<Self.flows { flows[index &- 1] = flows[index] }
    flows[Self.flows &- 1] = flow
    return oldest
  }
}

/// The legs that have left, by the addresses that their peers send from. Allocates in `init` only.
struct Forwarding: ~Copyable {
  private var emigrants: SlotTable<Emigrant>
  private var flows: FlatTable<Flow>
  private var slots: FlatTable<UInt32>
  /// Emigrants of this worker on each other one.
  private var counts: InlineArray<128, Int32> = InlineArray(repeating: 0)

  init(limit: Int, seed: UInt64) {
    emigrants = SlotTable(limit: limit, reserved: 64)
    flows = FlatTable(limit: limit * 4, seed: seed)
    slots = FlatTable(limit: limit, seed: ~seed)
  }

  var count: Int { emigrants.count }
  var flowCount: Int { flows.count }
  var room: Int { emigrants.limit - emigrants.count }

  func emigrants(on worker: Int) -> Int {
    worker >= 0 && worker < MediaWorkerLimits.workers ? Int(counts[worker]) : 0
  }

  /// Where a datagram from `flow` belongs, if it belongs elsewhere.
  func worker(of flow: Flow) -> Int? {
    guard let slot = flows[flow] else { return nil }
    return emigrants[slot].worker
  }

  func worker(of leg: LegID) -> Int? {
    guard let slot = slots[leg.rawValue] else { return nil }
    return emigrants[slot].worker
  }

  /// A leg leaves this worker. One that was here before keeps its flows.
  ///
  /// - Returns: `false` at the limit.
  mutating func add(_ leg: LegID, to worker: Int, moves: UInt32) -> Bool {
    if slots[leg.rawValue] != nil {
      follow(leg, to: worker, moves: moves)
      return true
    }
    guard !emigrants.isFull else { return false }
    slots.set(leg.rawValue, emigrants.insert(Emigrant(leg: leg, worker: worker, moves: moves)))
    counts[worker] &+= 1
    return true
  }

  /// A leg that left earlier went on from where it was. One that is not known any more was closed.
  mutating func follow(_ leg: LegID, to worker: Int, moves: UInt32) {
    guard worker >= 0, worker < MediaWorkerLimits.workers, let slot = slots[leg.rawValue],
      moves > emigrants[slot].moves
    else { return }
    counts[emigrants[slot].worker] &-= 1
    counts[worker] &+= 1
    emigrants[slot].worker = worker
    emigrants[slot].moves = moves
  }

  /// What comes from `flow` is the leg's from now on.
  mutating func claim(_ flow: Flow, for leg: LegID) {
    guard flow.address.port != 0, !flow.address.isUnspecified, let slot = slots[leg.rawValue], flows[flow] != slot
    else { return }
    if let holder = flows[flow] { forget(flow, of: holder) }
    guard flows.set(flow, slot) else { return }
    if let oldest = emigrants[slot].add(flow), flows[oldest] == slot { flows.remove(oldest) }
  }

  /// A leg of this worker wants the flow.
  mutating func release(_ flow: Flow) { flows.remove(flow) }

  private mutating func forget(_ flow: Flow, of slot: Int) {
    if flows[flow] == slot { flows.remove(flow) }
  }

  /// The leg is closed, or here again, or nothing comes for it any more.
  ///
  /// - Parameter moves: what is known of a later move stays.
  mutating func remove(_ leg: LegID, upTo moves: UInt32 = .max) {
    guard let slot = slots[leg.rawValue], emigrants[slot].moves <= moves else { return }
    for index in 0..<emigrants[slot].flowCount { forget(emigrants[slot].flow(index), of: slot) }
    counts[emigrants[slot].worker] &-= 1
    slots.remove(leg.rawValue)
    _ = emigrants.remove(slot)
  }
}
