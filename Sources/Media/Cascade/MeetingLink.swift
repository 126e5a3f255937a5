//  MeetingLink.swift: what one part of a split meeting knows of the others.

import Primitives

/// Another worker with a part of the meeting.
struct LinkPeer: BitwiseCopyable {
  /// What it said longer ago, 200 ms, does not keep anybody out: it stands still.
  static let staleTicks: Int64 = 10

  let worker: Int
  private(set) var candidates = LinkCandidates()
  private var newest = Int64.min / 2
  private var told: InlineArray<8, Int64> = InlineArray(repeating: .min)

  init(worker: Int) { self.worker = worker }

  mutating func take(_ candidates: LinkCandidates, tick: Int64) {
    told[Int(truncatingIfNeeded: tick & 7)] = tick
    guard tick >= newest else { return }
    newest = tick
    self.candidates = candidates
  }

  /// It has said who it heard in that tick.
  func hasTold(_ tick: Int64) -> Bool { told[Int(truncatingIfNeeded: tick & 7)] == tick }

  func isFresh(at tick: Int64) -> Bool { tick &- newest <= Self.staleTicks }
}

struct MeetingLink: ~Copyable {
  var peers: BoundedList<LinkPeer>
  var reportsTalkers: Bool
  var voices = RemoteVoices()
  /// This part's own, of the present tick.
  var own = LinkCandidates()

  init(_ parts: MeetingParts) {
    peers = BoundedList(capacity: MediaWorkerLimits.linkedPeers)
    reportsTalkers = parts.reportsTalkers
    update(parts)
  }

  /// Peers that stay keep what they have said.
  mutating func update(_ parts: MeetingParts) {
    reportsTalkers = parts.reportsTalkers
    for index in stride(from: peers.count - 1, through: 0, by: -1) where !parts.peers.contains(peers[index].worker) {
      peers.swapRemove(at: index)
    }
    for worker in parts.peers where index(of: worker) == nil { peers.append(LinkPeer(worker: worker)) }
  }

  func index(of worker: Int) -> Int? {
    for index in 0..<peers.count where peers[index].worker == worker { return index }
    return nil
  }

  /// A message of kind `.candidates`.
  mutating func take(_ message: borrowing LinkMessage, peer: Int) {
    var candidates = LinkCandidates()
    let block = message.block.span
    for index in 0..<min(Int(message.count), LinkCandidates.capacity) {
      let candidate = LinkCandidate(index, of: block)
      candidates.append(candidate)
      if candidate.isHeard { voices.announce(candidate.leg, tick: message.tick) }
    }
    peers[peer].take(candidates, tick: message.tick)
  }

  /// One of this part's legs is in the mix of the present tick, for the last time if it leaves.
  mutating func heard(_ leg: UInt32, isLeaving: Bool) {
    for index in 0..<own.count where own[index].leg == leg {
      own[index].isHeard = true
      own[index].isLeaving = isLeaving
      return
    }
    var candidate = LinkCandidate()
    candidate.leg = leg
    candidate.score = .min  // it keeps nobody out
    candidate.isHeard = true
    candidate.isLeaving = isLeaving
    own.append(candidate)
  }

  mutating func mix(
    tick: Int64, into scratch: inout MixScratch, latency: inout TickLatency
  ) -> RemoteVoices.Mixed {
    voices.mix(tick: tick, peers: peers, into: &scratch, latency: &latency)
  }

  /// How many candidates of other parts come before one of ours with this score. Of equals the part on the worker with
  /// the lower number comes first, so that all parts agree.
  func ahead(of score: Int32, worker: Int, tick: Int64) -> Int {
    var ahead = 0
    for index in 0..<peers.count where peers[index].isFresh(at: tick) {
      ahead &+= peers[index].candidates.ahead(of: score, winsTies: peers[index].worker < worker)
    }
    return ahead
  }
}
