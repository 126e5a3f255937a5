//  RemoteVoices.swift: talkers of other parts of a meeting, whose frames are added one tick after they were heard there.
//  Walk: MediaWorker.receive(_:from:now:) → RemoteVoices.take → (next tick) RemoteVoices.mix → MixScratch.add

import Primitives

/// What a frame is to the talk that it belongs to.
struct VoiceFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt8
  /// It has been faded in: the voice was not in the mix before.
  static let begins = VoiceFlags(rawValue: 1)
  /// It has been faded out: the voice will not be in the mix any more.
  static let ends = VoiceFlags(rawValue: 2)
}

/// The frames of up to eight talkers, each with a ring of eight ticks: a peer that runs ahead and a worker that makes up
/// for five late ticks lose nothing.
@safe struct RemoteVoices: ~Copyable {
  static let places = MediaWorkerLimits.maximumTalkers
  static let ring = 8

  private struct Voice: BitwiseCopyable {
    var leg: UInt32 = 0
    var worker = -1
    var isUsed = false
    /// It was in the mix of the tick before, and has not ended.
    var isActive = false
    /// Of each frame in the ring: the sender's tick.
    var ticks: InlineArray<8, Int64> = InlineArray(repeating: .min)
    var flags: InlineArray<8, UInt8> = InlineArray(repeating: 0)
    var arrivals: InlineArray<8, Instant> = InlineArray(repeating: .zero)
    /// Ticks in which the sender said that the voice was heard.
    var announced: InlineArray<8, Int64> = InlineArray(repeating: .min)
  }

  /// What a tick found.
  struct Mixed: BitwiseCopyable {
    var voices = 0
    /// Frames that should have been here.
    var lost = 0
  }

  private var voices = FixedBlock(count: places, repeating: Voice())
  private let memory: UnsafeMutablePointer<Int16>
  /// The oldest tick of a peer that is still of use.
  private var wanted = Int64.min

  init() {
    let count = Self.places * Self.ring * MixScratch.samples
    unsafe memory = UnsafeMutablePointer<Int16>.allocate(capacity: count)
    unsafe memory.initialize(repeating: 0, count: count)
  }

  deinit { unsafe memory.deallocate() }

  // Both indices are checked, so the frame lies inside the block.
  private func frame(_ place: Int, tick: Int64) -> UnsafeMutableBufferPointer<Int16> {
    let turn = Self.turn(tick)
    precondition(place >= 0 && place < Self.places)
    return unsafe UnsafeMutableBufferPointer(
      start: memory + (place &* Self.ring &+ turn) &* MixScratch.samples, count: MixScratch.samples)
  }

  private static func turn(_ tick: Int64) -> Int { Int(truncatingIfNeeded: tick & Int64(ring - 1)) }

  private mutating func place(of leg: UInt32, from worker: Int) -> Int? {
    var free = -1
    for index in 0..<Self.places {
      if voices[index].isUsed {
        if voices[index].leg == leg { return index }
      } else if free < 0 {
        free = index
      }
    }
    guard free >= 0 else { return nil }
    voices[free] = Voice()
    voices[free].isUsed = true
    voices[free].leg = leg
    voices[free].worker = worker
    return free
  }

  // MARK: What peers say

  enum Outcome: BitwiseCopyable { case taken, late, full }

  mutating func take(_ message: borrowing LinkMessage, from worker: Int) -> Outcome {
    guard message.tick >= wanted else { return .late }
    guard let place = place(of: message.leg, from: worker) else { return .full }
    let turn = Self.turn(message.tick)
    voices[place].worker = worker
    voices[place].ticks[turn] = message.tick
    voices[place].flags[turn] = message.flags
    voices[place].arrivals[turn] = message.arrival
    let frame = unsafe self.frame(place, tick: message.tick)
    let samples = message.block.span  // an InlineArray would be copied whole for each of its elements
    for index in 0..<MixScratch.samples { unsafe frame[index] = samples[index] }
    return .taken
  }

  /// A peer says that this leg's voice of that tick is on its way.
  mutating func announce(_ leg: UInt32, tick: Int64) {
    for index in 0..<Self.places where voices[index].isUsed && voices[index].leg == leg {
      voices[index].announced[Self.turn(tick)] = tick
    }
  }

  // MARK: The mix

  /// Adds to the total what peers heard in the tick before `tick`.
  ///
  /// A frame that is missing is bridged by the one before it, played backwards and faded out, so that nothing clicks; a
  /// voice that comes back after that is faded in.
  ///
  /// - Parameter peers: what they told of that tick.
  mutating func mix(
    tick: Int64, peers: borrowing BoundedList<LinkPeer>, into scratch: inout MixScratch, latency: inout TickLatency
  ) -> Mixed {
    var mixed = Mixed()
    let wanted = tick &- 1
    let turn = Self.turn(wanted)
    self.wanted = tick
    for place in 0..<Self.places where voices[place].isUsed {
      if voices[place].ticks[turn] == wanted {
        let flags = VoiceFlags(rawValue: voices[place].flags[turn])
        if !voices[place].isActive, !flags.contains(.begins) { fadeIn(place, tick: wanted) }
        add(place, tick: wanted, into: &scratch)
        latency.mixed(arrival: voices[place].arrivals[turn])
        mixed.voices &+= 1
        voices[place].isActive = !flags.contains(.ends)
        continue
      }
      let isMissing = voices[place].announced[turn] == wanted
      if isMissing { mixed.lost &+= 1 }
      if voices[place].isActive {
        voices[place].isActive = false
        if isMissing || !Self.hasTold(peers, voices[place].worker, wanted) {
          if !isMissing { mixed.lost &+= 1 }
          if conceal(place, tick: wanted) {
            add(place, tick: wanted, into: &scratch)
            mixed.voices &+= 1
          }
        }
      } else if !waits(place, after: wanted) {
        voices[place].isUsed = false
      }
    }
    return mixed
  }

  /// Something of it is still to come: it was announced or has come for a later tick.
  private func waits(_ place: Int, after tick: Int64) -> Bool {
    for turn in 0..<Self.ring where voices[place].ticks[turn] > tick || voices[place].announced[turn] > tick {
      return true
    }
    return false
  }

  private static func hasTold(_ peers: borrowing BoundedList<LinkPeer>, _ worker: Int, _ tick: Int64) -> Bool {
    for index in 0..<peers.count where peers[index].worker == worker { return peers[index].hasTold(tick) }
    return true  // it has no part in the meeting any more
  }

  private mutating func add(_ place: Int, tick: Int64, into scratch: inout MixScratch) {
    unsafe scratch.add(frame(place, tick: tick).span)
  }

  private mutating func fadeIn(_ place: Int, tick: Int64) {
    var entry = unsafe UnsafeMutableBufferPointer(rebasing: frame(place, tick: tick)[..<MixScratch.entrySamples])
      .mutableSpan
    FadeKernels.fadeIn(&entry)
  }

  private mutating func conceal(_ place: Int, tick: Int64) -> Bool {
    guard voices[place].ticks[Self.turn(tick &- 1)] == tick &- 1, voices[place].ticks[Self.turn(tick)] < tick else {
      return false
    }
    let before = unsafe frame(place, tick: tick &- 1)
    let bridge = unsafe frame(place, tick: tick)
    for index in 0..<MixScratch.samples { unsafe bridge[index] = before[MixScratch.samples &- 1 &- index] }
    var samples = unsafe bridge.mutableSpan
    FadeKernels.fadeOut(&samples)
    return true
  }
}
