//  EvidenceHistory.swift: ten minutes of every leg's seconds, as the control thread keeps them.
//  Walk: WorkerThread.takeEvidence → EvidenceHistory → HostInspector

import AVConferencing
import Media

/// Seconds in chunks of a minute, so that a leg that has just come costs 4 KB and one that stays 42 KB; a leg that has
/// gone is remembered until its last second is ten minutes old.
///
/// Beyond `maximumChunks` in all the oldest minute of whichever leg goes first: with more legs than 3,000 the history
/// becomes shorter, the memory does not grow.
package struct EvidenceHistory {
  package static let seconds = 600
  static let chunkSeconds = 60
  static let chunksPerLeg = seconds / chunkSeconds + 1
  /// 32,768 × 60 × 64 B = 126 MB.
  package static let maximumChunks = 32_768
  /// Legs whose names are remembered after they have gone.
  static let maximumLegs = 65_536

  private struct Entry {
    var chunks: [[LegSecond]] = []
    var description: LegDescription?

    var newest: UInt32 { chunks.last?.last?.second ?? 0 }
  }

  private let maximumChunks: Int
  private var entries: [UInt32: Entry] = [:]
  /// Legs in the order in which chunks were made, `head` and older ones done with.
  private var order: [UInt32] = []
  private var head = 0
  package private(set) var chunks = 0

  package init(maximumChunks: Int = EvidenceHistory.maximumChunks) { self.maximumChunks = max(1, maximumChunks) }

  package var legs: Int { entries.count }

  /// Whose leg it is, for as long as its seconds are kept.
  package mutating func remember(_ description: LegDescription) {
    let leg = description.leg.rawValue
    guard entries[leg] != nil || entries.count < Self.maximumLegs else { return }
    entries[leg, default: Entry()].description = description
  }

  package mutating func append(_ second: LegSecond) {
    if entries[second.leg] == nil, entries.count >= Self.maximumLegs { return }
    let isFull = entries[second.leg]?.chunks.last.map { $0.count >= Self.chunkSeconds } ?? true
    if isFull {
      var chunk: [LegSecond] = []
      chunk.reserveCapacity(Self.chunkSeconds)
      entries[second.leg, default: Entry()].chunks.append(chunk)
      order.append(second.leg)
      chunks += 1
      if let count = entries[second.leg]?.chunks.count, count > Self.chunksPerLeg { dropOldestChunk(of: second.leg) }
      while chunks > maximumChunks, head < order.count { dropOldest() }
    }
    guard let last = entries[second.leg]?.chunks.indices.last else { return }
    entries[second.leg]?.chunks[last].append(second)
  }

  /// - Parameter count: at most `seconds`.
  /// - Returns: the newest ones, oldest first.
  package func history(of leg: LegID, last count: Int) -> [LegSecond] {
    guard let chunks = entries[leg.rawValue]?.chunks else { return [] }
    return Array(chunks.joined().suffix(max(0, min(count, Self.seconds))))
  }

  package func description(of leg: LegID) -> LegDescription? { entries[leg.rawValue]?.description }

  /// Everybody whose seconds are kept, by number.
  package var descriptions: [LegDescription] {
    entries.values.compactMap(\.description).sorted { $0.leg.rawValue < $1.leg.rawValue }
  }

  /// Forgets legs that have gone and whose last second is too old. To be called now and then.
  ///
  /// - Parameters:
  ///   - second: of the monotonic clock.
  ///   - isOpen: legs that are there are kept, whatever their age.
  package mutating func forget(before second: UInt32, keeping isOpen: (LegID) -> Bool) {
    let gone = entries.filter { leg, entry in entry.newest < second && !isOpen(LegID(rawValue: leg)) }
    for (leg, entry) in gone {
      chunks -= entry.chunks.count
      entries[leg] = nil
    }
    guard !gone.isEmpty || head > order.count / 2 else { return }
    order = order[head...].filter { entries[$0] != nil }
    head = 0
  }

  private mutating func dropOldest() {
    let leg = order[head]
    head += 1
    dropOldestChunk(of: leg)
    if head > 4_096, head > order.count / 2 {
      order.removeFirst(head)
      head = 0
    }
  }

  private mutating func dropOldestChunk(of leg: UInt32) {
    guard let entry = entries[leg], entry.chunks.count > 0 else { return }
    entries[leg]?.chunks.removeFirst()
    chunks -= 1
    if entry.chunks.count == 1, entry.description == nil { entries[leg] = nil }
  }
}
