//  TransactionTable.swift: the transactions of a layer in slots, found by key, by flow and by deadline.
import Primitives

/// Slots are reused, ids are not: an id carries the slot's generation.
struct TransactionTable: Sendable {
  enum Machine: Sendable {
    case inviteClient(InviteClientTransaction)
    case nonInviteClient(NonInviteClientTransaction)
    case inviteServer(InviteServerTransaction)
    case nonInviteServer(NonInviteServerTransaction)
  }

  enum Key: Sendable {
    case server(ServerTransactionKey)
    case client(ClientTransactionKey)
  }

  struct Armed: Sendable {
    var timer: TransactionTimer
    var deadline: Instant
  }

  struct Entry: Sendable {
    var machine: Machine
    let key: Key
    let merge: MergeKey?
    let isMerged: Bool
    /// Of a client: what it sends, and makes ACK and CANCEL of.
    let request: SIPMessage?
    /// Its outputs concern only the layer: a CANCEL.
    let isInternal: Bool
    var flow: SIPFlow
    /// Of a server on a stream: where to answer once the connection is closed.
    var alternative: SIPFlow?
    /// Of a server: the last response.
    var kept: [UInt8] = []
    /// Of a server: what its keys hold of the request, which a stranger may have made long.
    var keyBytes = 0
    /// Of an INVITE client that was refused.
    var ack: [UInt8] = []
    var pendingCancel: [(SIPHeaderName, String)]?
    var repeating: Armed?
    var ending: Armed?

    var isServer: Bool {
      switch machine {
      case .inviteServer, .nonInviteServer: true
      case .inviteClient, .nonInviteClient: false
      }
    }

    /// An INVITE server that has refused and waits for ACK.
    var awaitsACK: Bool {
      if case .inviteServer(let machine) = machine, case .completed = machine.state { return true }
      return false
    }

    /// Whether a response of this status would be sent in the present state.
    func accepts(status: Int) -> Bool {
      switch machine {
      case .inviteServer(let machine):
        switch machine.state {
        case .proceeding: true
        case .accepted: (200...299).contains(status)
        case .initial, .completed, .confirmed, .terminated: false
        }
      case .nonInviteServer(let machine): machine.state == .trying || machine.state == .proceeding
      case .inviteClient, .nonInviteClient: false
      }
    }

    fileprivate var deadline: Instant? {
      switch (repeating?.deadline, ending?.deadline) {
      case (let left?, let right?): min(left, right)
      case (let left, let right): left ?? right
      }
    }
  }

  private var slots: [Entry?] = []
  private var generations: [UInt32] = []
  private var free: [Int] = []
  private var servers: [ServerTransactionKey: Int] = [:]
  private var clients: [ClientTransactionKey: Int] = [:]
  private var merges: [MergeKey: Int] = [:]
  private var deadlines = DeadlineHeap<Int>()
  private(set) var keptBytes = 0

  var serverCount: Int { servers.count }
  var clientCount: Int { clients.count }

  subscript(slot: Int) -> Entry? { slots.indices.contains(slot) ? slots[slot] : nil }

  func id(_ slot: Int) -> TransactionID {
    TransactionID(slot: UInt32(truncatingIfNeeded: slot), generation: generations[slot])
  }
  /// `nil` for an id whose transaction is over.
  func slot(_ id: TransactionID) -> Int? {
    let slot = Int(id.slot)
    guard slots.indices.contains(slot), slots[slot] != nil, generations[slot] == id.generation else { return nil }
    return slot
  }
  func server(_ key: ServerTransactionKey) -> Int? { servers[key] }
  func client(_ key: ClientTransactionKey) -> Int? { clients[key] }

  /// Those that send over a flow, in slot order so that outputs are repeatable. The shell reports a connection that fails
  /// under every flow that it was used as; one that names no connection may have moved to another connection since.
  func indices(using flow: SIPFlow) -> [Int] {
    slots.indices.filter { slot in
      guard let used = slots[slot]?.flow else { return false }
      return used.transport == flow.transport && used.remote == flow.remote && used.connection == flow.connection
    }
  }

  // MARK: Entries

  mutating func insert(
    server key: ServerTransactionKey, merge: MergeKey?, machine: Machine, flow: SIPFlow, alternative: SIPFlow?
  ) -> Int {
    let isMerged = merge.map { merges[$0] != nil } ?? false
    let slot = place(
      Entry(
        machine: machine, key: .server(key), merge: isMerged ? nil : merge, isMerged: isMerged, request: nil,
        isInternal: false, flow: flow, alternative: alternative))
    servers[key] = slot
    if let merge, !isMerged { merges[merge] = slot }
    let keyBytes = key.byteCount + (isMerged ? 0 : merge?.byteCount ?? 0)
    slots[slot]?.keyBytes = keyBytes
    keptBytes += keyBytes
    return slot
  }

  mutating func insert(
    client key: ClientTransactionKey, machine: Machine, request: SIPMessage, flow: SIPFlow, isInternal: Bool
  ) -> Int {
    let slot = place(
      Entry(
        machine: machine, key: .client(key), merge: nil, isMerged: false, request: request, isInternal: isInternal,
        flow: flow))
    clients[key] = slot
    return slot
  }

  private mutating func place(_ entry: Entry) -> Int {
    if let slot = free.popLast() {
      slots[slot] = entry
      return slot
    }
    slots.append(entry)
    generations.append(0)
    return slots.count - 1
  }

  mutating func remove(_ slot: Int) {
    guard let entry = slots[slot] else { return }
    switch entry.key {
    case .server(let key): servers[key] = nil
    case .client(let key): clients[key] = nil
    }
    if let merge = entry.merge { merges[merge] = nil }
    keptBytes -= entry.kept.count + entry.keyBytes
    deadlines.remove(slot)
    slots[slot] = nil
    generations[slot] &+= 1
    free.append(slot)
  }

  mutating func handle(_ slot: Int, _ input: ClientTransactionInput, _ actions: inout [TransactionAction]) {
    switch slots[slot]?.machine {
    case .inviteClient(var machine)?:
      machine.handle(input, into: &actions)
      slots[slot]?.machine = .inviteClient(machine)
    case .nonInviteClient(var machine)?:
      machine.handle(input, into: &actions)
      slots[slot]?.machine = .nonInviteClient(machine)
    case .inviteServer?, .nonInviteServer?, nil: break
    }
  }

  mutating func handle(_ slot: Int, _ input: ServerTransactionInput, _ actions: inout [TransactionAction]) {
    switch slots[slot]?.machine {
    case .inviteServer(var machine)?:
      machine.handle(input, into: &actions)
      slots[slot]?.machine = .inviteServer(machine)
    case .nonInviteServer(var machine)?:
      machine.handle(input, into: &actions)
      slots[slot]?.machine = .nonInviteServer(machine)
    case .inviteClient?, .nonInviteClient?, nil: break
    }
  }

  mutating func setKept(_ slot: Int, _ bytes: [UInt8]) {
    keptBytes += bytes.count - (slots[slot]?.kept.count ?? 0)
    slots[slot]?.kept = bytes
  }
  mutating func setACK(_ slot: Int, _ bytes: [UInt8]) { slots[slot]?.ack = bytes }
  mutating func setPendingCancel(_ slot: Int, _ headers: [(SIPHeaderName, String)]) {
    slots[slot]?.pendingCancel = headers
  }
  mutating func takePendingCancel(_ slot: Int) -> [(SIPHeaderName, String)]? {
    let headers = slots[slot]?.pendingCancel
    if headers != nil { slots[slot]?.pendingCancel = nil }
    return headers
  }
  mutating func redirect(_ slot: Int, to flow: SIPFlow) {
    slots[slot]?.flow = flow
    slots[slot]?.alternative = nil
  }

  /// A client that named no connection uses the one by which its response came from now on.
  mutating func adopt(_ slot: Int, _ flow: SIPFlow) {
    guard let used = slots[slot]?.flow, used.connection == 0, flow.connection != 0, used.remote == flow.remote,
      used.transport == flow.transport
    else { return }
    slots[slot]?.flow = flow
  }

  // MARK: Timers

  mutating func start(_ slot: Int, _ timer: TransactionTimer, _ deadline: Instant) {
    if timer.repeats {
      slots[slot]?.repeating = Armed(timer: timer, deadline: deadline)
    } else {
      slots[slot]?.ending = Armed(timer: timer, deadline: deadline)
    }
    schedule(slot)
  }

  mutating func stop(_ slot: Int, _ timer: TransactionTimer) {
    if timer.repeats {
      slots[slot]?.repeating = nil
    } else {
      slots[slot]?.ending = nil
    }
    schedule(slot)
  }

  private mutating func schedule(_ slot: Int) {
    if let deadline = slots[slot]?.deadline {
      deadlines.set(slot, at: deadline)
    } else {
      deadlines.remove(slot)
    }
  }

  var nextDeadline: Instant { deadlines.nextDeadline }

  /// The next timer that is due, no longer running. One that ends a state goes before one that repeats.
  mutating func takeDueTimer(_ now: Instant) -> (slot: Int, timer: TransactionTimer)? {
    guard let slot = deadlines.takeDue(at: now), let entry = slots[slot] else { return nil }
    let due = [entry.ending, entry.repeating].compactMap { $0 }.first { $0.deadline <= now }
    guard let due else { return nil }
    stop(slot, due.timer)
    return (slot, due.timer)
  }
}
