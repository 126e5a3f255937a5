//  PCMBuffer.swift: decoded PCM on its way to the mixer, with the past that stretching and concealment look back at.

/// A line of 48 kHz samples: `history` already played, `available` to play. Allocates in `init` only, and writes there when
/// the first samples come: 24 KiB that a participant who never speaks does not take up.
///
/// Time is stretched in place: one pitch period is removed or inserted by overlap-add where the signal resembles itself
/// (WSOLA), so that nothing moves but the read position.
@safe public struct PCMBuffer: ~Copyable {
  /// Largest append, 120 ms, plus what may wait, plus the history: 24 KiB.
  static let capacity = 12_288
  /// Past samples that are kept: two of the longest periods and the window.
  static let history = 2_400
  /// 2.5 ms and 15 ms: pitch of 67 to 400 Hz.
  public static let shortestPeriod = 120
  public static let longestPeriod = 720
  /// Samples over which two pieces are cross-faded, and compared.
  static let overlap = 480
  private static let coarse = 6

  private let memory: UnsafeMutablePointer<Int16>
  private let decimated: UnsafeMutablePointer<Float>
  private var start = PCMBuffer.history
  private var end = PCMBuffer.history
  /// The past before the first sample is silence, written with it.
  private var hasPast = false

  public init() {
    // Trivial types; nothing is read before it was written: [0, history) by `prepare`, what follows by `append`.
    unsafe memory = UnsafeMutablePointer<Int16>.allocate(capacity: Self.capacity)
    unsafe decimated = UnsafeMutablePointer<Float>.allocate(capacity: 512)
  }

  private mutating func prepare() {
    guard !hasPast else { return }
    unsafe memory.update(repeating: 0, count: Self.history)
    hasPast = true
  }

  deinit {
    unsafe memory.deallocate()
    unsafe decimated.deallocate()
  }

  public var available: Int { end &- start }

  /// Forgets everything.
  public mutating func clear() {
    hasPast = false
    start = Self.history
    end = Self.history
  }

  /// Drops what waits; the past stays.
  public mutating func drop() { end = start }

  /// What waits becomes the past, as if it had been played.
  mutating func pass() { start = end }

  /// Appends what `body` writes.
  ///
  /// - Parameter room: largest count that `body` may write, at most 5,760.
  /// - Returns: what `body` returned, the samples it wrote; 0 when there is no room.
  public mutating func append<Failure: Error>(
    room: Int, _ body: (inout MutableSpan<Int16>) throws(Failure) -> Int
  ) throws(Failure) -> Int {
    prepare()
    compact(room: room)
    guard room >= 0, end &+ room <= Self.capacity else { return 0 }
    // end + room ≤ capacity
    let free = unsafe UnsafeMutableBufferPointer(start: memory + end, count: room)
    var span = unsafe free.mutableSpan
    let written = try body(&span)
    precondition(written >= 0 && written <= room)
    end &+= written
    return written
  }

  private mutating func compact(room: Int) {
    let first = start &- Self.history
    guard first > 0, end &+ room > Self.capacity else { return }
    unsafe memory.update(from: memory + first, count: end &- first)
    start = Self.history
    end &-= first
  }

  /// Moves `output.count` samples out; zeros follow where there are fewer.
  /// - Returns: samples that were there.
  @discardableResult public mutating func consume(into output: inout MutableSpan<Int16>) -> Int {
    let count = min(output.count, available)
    // start + count ≤ end ≤ capacity
    let source = unsafe Span(_unsafeStart: memory + start, count: count)
    for i in 0..<count { output[i] = source[i] }
    for i in count..<output.count { output[i] = 0 }
    start &+= count
    return count
  }

  /// Copies `output.count` samples of the past, of which the last lies `distance` samples before the next to be played.
  /// - Returns: `false`, nothing copied, when they are older than what is kept.
  public func copyPast(_ distance: Int, into output: inout MutableSpan<Int16>) -> Bool {
    guard distance >= 0, output.count &+ distance <= Self.history else { return false }
    guard hasPast else {
      for i in 0..<output.count { output[i] = 0 }
      return true
    }
    // start ≥ history ≥ count + distance
    let source = unsafe Span(_unsafeStart: memory + (start &- distance &- output.count), count: output.count)
    for i in 0..<output.count { output[i] = source[i] }
    return true
  }

  /// Goes back by a pitch period, or as many as are `lag` samples at least, and forward by `lag`: `lag` samples later the
  /// signal resembles what it would be now.
  /// - Returns: samples by which there is more to play.
  public mutating func rewind(atLeast lag: Int) -> Int {
    guard hasPast, lag > 0, lag <= Self.longestPeriod else { return 0 }
    let period = similar(at: start &- Self.overlap, ahead: false, longest: Self.longestPeriod, urgent: false) ?? lag
    // At most 2 · longestPeriod ≤ history: start stays where the past is kept.
    let back = (lag &+ period &- 1) / period &* period &- lag
    guard start &- back >= Self.history || end &+ back <= Self.capacity else { return 0 }
    start &-= back
    if start < Self.history { shift(by: Self.history &- start) }
    return back
  }

  // MARK: Time

  /// Removes one pitch period of at most `limit` samples.
  ///
  /// - Parameter urgent: also where the signal does not resemble itself.
  /// - Returns: samples removed; 0 when no good place was found.
  public mutating func accelerate(atMost limit: Int, urgent: Bool) -> Int {
    let longest = min(Self.longestPeriod, limit, available &- Self.overlap)
    guard longest >= Self.shortestPeriod else { return 0 }
    guard let period = similar(at: start, ahead: true, longest: longest, urgent: urgent) else { return 0 }
    let fade = min(period, Self.overlap)
    // Reads up to start + period + fade ≤ end; writes [start + period, start + period + fade), never what is read later.
    for k in 0..<fade {
      let old = unsafe Int32(memory[start &+ k])
      let new = unsafe Int32(memory[start &+ period &+ k])
      unsafe memory[start &+ period &+ k] = Self.blended(old, new, k, fade)
    }
    start &+= period
    return period
  }

  /// Repeats one pitch period of the past.
  /// - Returns: samples inserted; 0 when no good place was found.
  public mutating func decelerate(urgent: Bool) -> Int {
    guard available >= Self.overlap else { return 0 }
    guard let period = similar(at: start, ahead: false, longest: Self.longestPeriod, urgent: urgent) else { return 0 }
    let fade = min(period, Self.overlap)
    // start ≥ history > period: all indices lie in [start − period, start + fade) ⊂ [0, end).
    for k in 0..<fade {
      let old = unsafe Int32(memory[start &+ k])
      let new = unsafe Int32(memory[start &- period &+ k])
      unsafe memory[start &- period &+ k] = Self.blended(old, new, k, fade)
    }
    start &-= period
    // Keep the whole history in front, whatever the next compaction finds.
    if start < Self.history { shift(by: Self.history &- start) }
    return period
  }

  private mutating func shift(by count: Int) {
    guard end &+ count <= Self.capacity else { return }
    unsafe (memory + count).update(from: memory, count: end)
    start &+= count
    end &+= count
  }

  @inline(__always) private static func blended(_ old: Int32, _ new: Int32, _ k: Int, _ count: Int) -> Int16 {
    let weight = Int32((k &* 2 &+ 1) &* 16_384 / count)
    return Int16(truncatingIfNeeded: (old &* (32_768 &- weight) &+ new &* weight) >> 15)
  }

  // MARK: Concealment

  /// Appends `count` samples that continue the signal by its last pitch period.
  public mutating func extrapolate(_ count: Int) {
    prepare()
    compact(room: count)
    guard count > 0, end &+ count <= Self.capacity else { return }
    let period = similar(at: end &- Self.overlap, ahead: false, longest: Self.longestPeriod, urgent: true) ?? 480
    // What the repetition would jump by is bent away over 1 ms. end > history > period.
    let jump = unsafe Int32(memory[end &- 1]) &- Int32(memory[end &- 1 &- period])
    for k in 0..<count {
      var value = unsafe Int32(memory[end &+ k &- period])
      if k < 48 { value &+= jump &* Int32(48 &- k) / 48 }
      unsafe memory[end &+ k] = Int16(clamping: value)
    }
    end &+= count
  }

  /// Scales the last `count` waiting samples by a line from `from` to `to`, 0…1.
  public mutating func ramp(last count: Int, from: Float, to: Float) {
    let bounded = min(count, available)
    guard bounded > 0 else { return }
    unsafe Self.ramp(memory + (end &- bounded), bounded, from, to)
  }

  /// Scales the `count` samples from `offset` before the end by a line, for the start of what was just appended.
  public mutating func ramp(offsetFromEnd offset: Int, count: Int, from: Float, to: Float) {
    guard offset <= available, count > 0, count <= offset else { return }
    unsafe Self.ramp(memory + (end &- offset), count, from, to)
  }

  private static func ramp(_ samples: UnsafeMutablePointer<Int16>, _ count: Int, _ from: Float, _ to: Float) {
    let step = (to - from) / Float(count)
    for k in 0..<count {
      let gain = max(0, min(1, from + step * Float(k)))
      unsafe samples[k] = Int16(truncatingIfNeeded: Int32(Float(samples[k]) * gain))
    }
  }

  /// Cross-fades the seam `offset` samples before the end: what follows it with the continuation of what precedes it.
  public mutating func smoothSeam(offsetFromEnd offset: Int) {
    let seam = end &- offset
    let count = min(240, offset)
    guard offset <= available, count > 0, seam > Self.history / 2 else { return }
    let period = similar(at: seam &- Self.overlap, ahead: false, longest: Self.longestPeriod, urgent: true) ?? 480
    // seam − period > 0; writes stay behind what is read because period ≥ 120 and k − period < 0 for k < 120 …
    for k in 0..<count {
      let continued = unsafe Int32(memory[seam &+ (k % period) &- period])
      let new = unsafe Int32(memory[seam &+ k])
      unsafe memory[seam &+ k] = Self.blended(continued, new, k, count)
    }
  }

  // MARK: Similarity

  /// The lag at which the `overlap` samples at `place` are found again, later (`ahead`) or earlier.
  ///
  /// Coarse search at 8 kHz by averages of six samples, refined at 48 kHz.
  private mutating func similar(at place: Int, ahead: Bool, longest: Int, urgent: Bool) -> Int? {
    let window = Self.overlap / Self.coarse
    let low = Self.shortestPeriod / Self.coarse
    let high = longest / Self.coarse
    guard high >= low else { return nil }
    let first = ahead ? place : place &- high &* Self.coarse
    let total = window &+ high
    // place ± longest and + overlap lie inside [0, end]; total ≤ 80 + 120 < 512.
    guard first >= 0, first &+ total &* Self.coarse <= end, total <= 512 else { return nil }
    for i in 0..<total {
      let base = unsafe memory + (first &+ i &* Self.coarse)
      let sum =
        unsafe Int32(base[0]) &+ Int32(base[1]) &+ Int32(base[2]) &+ Int32(base[3]) &+ Int32(base[4])
        &+ Int32(base[5])
      unsafe decimated[i] = Float(sum)
    }
    let template = ahead ? 0 : high
    var energy: Float = 0
    for i in 0..<window { energy += unsafe decimated[template &+ i] * decimated[template &+ i] }
    // Below about −57 dBov any lag will do.
    let quiet = energy < Float(window) * 36 * 45 * 45
    if quiet { return high &* Self.coarse }
    var best = low
    var bestScore: Float = -2
    for lag in low...high {
      let other = ahead ? lag : high &- lag
      var product = SIMD8<Float>.zero
      var square = SIMD8<Float>.zero
      var i = 0
      // The window is 80: ten turns of eight.
      while i < window {
        let a = unsafe UnsafeRawPointer(decimated + template + i).loadUnaligned(as: SIMD8<Float>.self)
        let b = unsafe UnsafeRawPointer(decimated + other + i).loadUnaligned(as: SIMD8<Float>.self)
        product += a * b
        square += b * b
        i &+= 8
      }
      let dot = product.sum()
      let power = square.sum() * energy
      // cos², with its sign: no square root in the loop.
      let score = power > 0 ? dot * abs(dot) / power : 0
      if score > bestScore {
        bestScore = score
        best = lag
      }
    }
    // Where the pitch may be too low for the room there is, a short lag must be a very good one: a correlation of 0.8, not 0.6.
    guard urgent || bestScore > (longest < 360 ? 0.64 : 0.36) else { return nil }
    return refined(at: place, ahead: ahead, around: best &* Self.coarse, longest: longest)
  }

  private func refined(at place: Int, ahead: Bool, around lag: Int, longest: Int) -> Int {
    var best = lag
    var bestScore = -Float.infinity
    let sign = ahead ? 1 : -1
    for candidate in max(Self.shortestPeriod, lag &- 5)...max(Self.shortestPeriod, min(longest, lag &+ 5)) {
      let other = place &+ sign &* candidate
      guard other >= 0, other &+ Self.overlap <= end else { continue }
      var dot: Int64 = 0
      var square: Int64 = 1
      for k in 0..<Self.overlap {
        let a = unsafe Int32(memory[place &+ k])
        let b = unsafe Int32(memory[other &+ k])
        dot &+= Int64(a &* b)
        square &+= Int64(b &* b)
      }
      let score = Float(dot) / Float(square).squareRoot()
      if score > bestScore {
        bestScore = score
        best = candidate
      }
    }
    return best
  }
}
