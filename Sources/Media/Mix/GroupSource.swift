//  GroupSource.swift: what an encode group hears: the mix, or one talker whose packets are forwarded; and the way between.
//  Walk: MediaWorker.chooseSources → GroupSource → EncodeGroup

import Primitives
import RTP

/// What an encode group's listeners hear in one tick.
enum Hearing: BitwiseCopyable {
  case silence
  case mix
  /// This leg's packets, as they are.
  case forward(Int)
}

/// The state of one encode group between forwarding and mixing.
///
///     mixed ──one talker alone, and a quiet moment──▶ forwarded
///     mixed (silent) ──one begins to talk──▶ forwarded
///     forwarded ──another talks, or his packets do not suit──▶ mixed
///     forwarded ──he is silent and another begins──▶ forwarded (the other)
///     forwarded ──he stops──▶ mixed (silent)
struct GroupSource: BitwiseCopyable {
  /// One talker must have been alone for so long (200 ms) before a mix gives way to his packets.
  static let shortestAlone: Int32 = 10
  /// Loudness below which a moment is quiet for a switch, dBov. So is one that is 20 dB softer than usual; after a second
  /// alone 10 dB are enough, after two 6. Who never pauses stays mixed: in the middle of a tone a listener's decoder, which begins
  /// afresh, would leave 20 ms of it out.
  static let quiet = -50
  static let patience: Int32 = 50
  /// A run of packets whose time went so far (100 ms) from ours is counted anew.
  static let largestSkew: Int64 = 4_800

  /// The leg whose packets are handed on; −1 for the mix.
  private(set) var forwarded = -1
  /// Who was the only one to be heard, and for how many ticks in a row.
  private var alone = -1
  private var aloneTicks: Int32 = 0

  // Where the talker's timestamps lie in our time.
  private var timeline: UInt32 = 0
  private var anchorTimestamp: UInt32 = 0
  private var anchorTick: Int64 = 0
  private var isAnchored = false
  private var lastSequence: UInt16 = 0
  private var lastTimestamp: UInt32 = 0

  /// Counts the ticks in which nobody but `leg` is heard; −1 for several or nobody.
  mutating func note(alone leg: Int) {
    aloneTicks = leg >= 0 && leg == alone ? min(aloneTicks &+ 1, 1 << 20) : 0
    alone = leg
  }

  /// Now is a moment at which a mix of `alone` may give way to his packets.
  ///
  /// - Parameters:
  ///   - level: of what is heard now and next, dBov.
  ///   - loudness: his usual one.
  func mayForward(level: Int, loudness: Int) -> Bool {
    guard aloneTicks >= Self.shortestAlone else { return false }
    if level <= Self.quiet { return true }
    let softer = aloneTicks >= 2 &* Self.patience ? 6 : aloneTicks >= Self.patience ? 10 : 20
    return level <= loudness &- softer
  }

  /// - Parameter timeline: not used before by this worker, and not 0.
  mutating func begin(_ leg: Int, timeline: UInt32) {
    forwarded = leg
    self.timeline = timeline
    isAnchored = false
  }

  mutating func end() {
    forwarded = -1
    alone = -1
    aloneTicks = 0
  }

  /// The same legs under other numbers, and ticks that are counted otherwise: the meeting has moved.
  mutating func renumber(_ new: (Int32) -> Int32, shift ticks: Int64) {
    forwarded = Int(new(Int32(truncatingIfNeeded: forwarded)))
    alone = Int(new(Int32(truncatingIfNeeded: alone)))
    anchorTick &+= ticks
  }

  /// How a forwarded packet is written: its first sample relative to the tick's.
  mutating func place(_ packet: AudioPacket, byteCount: Int, samples: Int, tick: Int64) -> EncodedAudio {
    var offset: Int64 = 0
    var lost: UInt16 = 0
    if isAnchored {
      offset =
        Int64(Int32(bitPattern: packet.timestamp &- anchorTimestamp)) &- (tick &- anchorTick) &* 960
      let step = packet.sequence &- lastSequence
      // As long as they are many: else the sender paused, or counts anew.
      let elapsed = packet.timestamp &- lastTimestamp
      if step > 1, step <= 10, elapsed == UInt32(step) &* UInt32(clamping: samples) { lost = step &- 1 }
    }
    if !isAnchored || abs(offset) > Self.largestSkew {
      if isAnchored { timeline &+= 1 << 16 }
      isAnchored = true
      anchorTimestamp = packet.timestamp
      anchorTick = tick
      offset = 0
      lost = 0
    }
    lastSequence = packet.sequence
    lastTimestamp = packet.timestamp
    return EncodedAudio(
      byteCount: byteCount, duration: UInt32(clamping: samples), timestampOffset: Int32(clamping: offset),
      lostBefore: lost, timeline: timeline)
  }
}
