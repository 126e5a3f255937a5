//  MixScratch.swift: the PCM of one tick, in memory that all meetings of a worker use in turn.
//  Walk: AudioReceiver.render → MixScratch → EncodeGroup.encode

import Primitives
import RTP

/// Up to eight talkers' frames, their exact total, and the mix that is being encoded.
@safe struct MixScratch: ~Copyable {
  static let samples = 960
  private let memory: UnsafeMutablePointer<Int16>
  private let sums: UnsafeMutablePointer<Int32>

  private static let mixPlace = MediaWorkerLimits.maximumTalkers
  private static let silencePlace = mixPlace + 1

  init() {
    let frames = Self.silencePlace + 1
    unsafe memory = UnsafeMutablePointer<Int16>.allocate(capacity: frames * Self.samples)
    unsafe memory.initialize(repeating: 0, count: frames * Self.samples)
    unsafe sums = UnsafeMutablePointer<Int32>.allocate(capacity: 2 * Self.samples)
    unsafe sums.initialize(repeating: 0, count: 2 * Self.samples)
  }

  deinit {
    unsafe memory.deallocate()
    unsafe sums.deallocate()
  }

  // Places are 0…silencePlace and sums 0…1, so every frame below lies inside its block.
  private func frame(_ place: Int) -> UnsafeMutableBufferPointer<Int16> {
    precondition(place >= 0 && place <= Self.silencePlace)
    return unsafe UnsafeMutableBufferPointer(start: memory + place * Self.samples, count: Self.samples)
  }
  private var total: UnsafeMutableBufferPointer<Int32> {
    unsafe UnsafeMutableBufferPointer(start: sums, count: Self.samples)
  }
  private var minus: UnsafeMutableBufferPointer<Int32> {
    unsafe UnsafeMutableBufferPointer(start: sums + Self.samples, count: Self.samples)
  }

  mutating func clear() {
    var total = unsafe self.total.mutableSpan
    MixKernels.clear(&total)
  }

  /// Renders talker `place`'s tick.
  mutating func render(
    _ place: Int, _ receiver: inout AudioReceiver, now: Instant, pool: inout PacketPool
  ) -> AudioRendering {
    precondition(place < Self.mixPlace)
    var own = unsafe frame(place).mutableSpan
    return receiver.render(into: &own, now: now, pool: &pool)
  }

  /// Adds talker `place`'s frame to the total.
  mutating func add(_ place: Int) {
    precondition(place < Self.mixPlace)
    var total = unsafe self.total.mutableSpan
    unsafe MixKernels.add(frame(place).span, to: &total)
  }

  /// Adds the frame of a talker on another worker.
  mutating func add(_ frame: Span<Int16>) {
    var total = unsafe self.total.mutableSpan
    MixKernels.add(frame, to: &total)
  }

  /// Copies talker `place`'s frame.
  func copy(_ place: Int, to block: inout InlineArray<1024, Int16>) {
    precondition(place < Self.mixPlace)
    let own = unsafe frame(place)
    var samples = block.mutableSpan
    for index in 0..<Self.samples { unsafe samples[index] = own[index] }
  }

  /// What was not in the mix before begins in 5 ms: a syllable keeps its edge, and nothing clicks.
  static let entrySamples = 240

  mutating func fadeIn(_ place: Int) {
    precondition(place < Self.mixPlace)
    var entry = unsafe UnsafeMutableBufferPointer(rebasing: frame(place)[..<Self.entrySamples]).mutableSpan
    FadeKernels.fadeIn(&entry)
  }

  /// What will not be in the mix any more ends within this tick.
  mutating func fadeOut(_ place: Int) {
    precondition(place < Self.mixPlace)
    var own = unsafe frame(place).mutableSpan
    FadeKernels.fadeOut(&own)
  }

  /// Brings talker `place`'s frame of this level nearer to the others'.
  mutating func amplify(_ place: Int, _ gain: inout AutomaticGain, level: Int) {
    precondition(place < Self.mixPlace)
    var own = unsafe frame(place).mutableSpan
    gain.process(&own, level: level)
  }

  /// Of talker `place`'s frame, −127…0 dBov.
  func level(of place: Int) -> Int { unsafe LevelKernels.level(frame(place).span) }

  /// The whole total, limited, becomes the mix.
  /// - Returns: its level.
  mutating func mixAll(_ limiter: inout Limiter) -> AudioLevel {
    var mix = unsafe frame(Self.mixPlace).mutableSpan
    unsafe limiter.process(total.span, into: &mix)
    return Self.level(of: mix.span)
  }

  /// What was played of a talker before this tick's frame takes the mix's place.
  /// - Returns: `false` when that is not kept any more.
  mutating func takePast(of receiver: inout AudioReceiver) -> Bool {
    var past = unsafe frame(Self.mixPlace).mutableSpan
    return receiver.pcm.copyPast(Self.samples, into: &past)
  }

  /// The group's encoder hears what `takePast` took.
  func warmUp(_ group: inout EncodeGroup) -> Int { unsafe group.warmUp(frame(Self.mixPlace).span) }

  /// The total, limited, without talker `place`'s own voice if that is in it, becomes the mix.
  mutating func mixMinus(_ place: Int?, _ limiter: inout Limiter) -> AudioLevel {
    guard let place else { return mixAll(&limiter) }
    precondition(place < Self.mixPlace)
    var difference = unsafe minus.mutableSpan
    unsafe MixKernels.mixMinus(&difference, total: total.span, own: frame(place).span)
    var mix = unsafe frame(Self.mixPlace).mutableSpan
    limiter.process(difference.span, into: &mix)
    return Self.level(of: mix.span)
  }

  /// Encodes the mix for one group.
  func encode(for group: inout EncodeGroup, level: AudioLevel, tick: Int64, complexity: Int) -> Int {
    group.setComplexity(complexity)
    return unsafe group.encode(
      frame(Self.mixPlace).span, silence: frame(Self.silencePlace).span, level: level, tick: tick)
  }

  private static func level(of mix: Span<Int16>) -> AudioLevel {
    let level = LevelKernels.level(mix)
    return AudioLevel(attenuation: UInt8(clamping: 0 &- level), voice: level > TalkerChoice.threshold)
  }
}
