//  G722.swift: sub-band ADPCM at 64 kbit/s, 16 kHz (ITU-T G.722); the block names are the Recommendation's.

/// One band's adaptive predictor and scale factor (G.722 §3.4–3.6, blocks 3 and 4).
public struct G722Band: Sendable, BitwiseCopyable {
  /// Prediction, its zero part, log scale and scale.
  var s: Int32 = 0
  var sz: Int32 = 0
  var nb: Int32 = 0
  var det: Int32
  /// Poles: coefficients a₁ a₂, reconstructed signal, partial signal.
  var a1: Int32 = 0
  var a2: Int32 = 0
  var r1: Int32 = 0
  var r2: Int32 = 0
  var p1: Int32 = 0
  var p2: Int32 = 0
  /// Zeros: six coefficients and the differences they weigh; lanes 6 and 7 are 0.
  var b = SIMD8<Int32>.zero
  var d = SIMD8<Int32>.zero

  init(det: Int32) { self.det = det }

  private static var zeros: SIMD8<Int32> { SIMD8(-1, -1, -1, -1, -1, -1, 0, 0) }

  @inline(__always) private static func saturate(_ value: Int32) -> Int32 { Int32(Int16(clamping: value)) }

  /// LOGSCL/SCALEL and LOGSCH/SCALEH: the next scale factor from this code's weight.
  @inline(__always) mutating func scale(
    weight: Int32, maximum: Int32, shift: Int32, ilb: Span<Int32>
  ) {
    nb = max(0, min(maximum, (nb &* 127) >> 7 &+ weight))
    let mantissa = ilb[Int((nb >> 6) & 31)]
    let exponent = shift &- (nb >> 11)
    det = (exponent < 0 ? mantissa << (0 &- exponent) : mantissa >> exponent) << 2
  }

  /// Block 4: adapts the predictor to the quantised difference and predicts the next sample.
  @inline(__always) mutating func adapt(_ difference: Int32) {
    let r0 = Self.saturate(s &+ difference)
    let p0 = Self.saturate(sz &+ difference)
    // 0 where this partial signal has the sign of the one before, and of the one before that, else −1. Masks, because a
    // branch on a sign is wrong half of the time.
    let opposite1 = (p0 ^ p1) >> 31
    let opposite2 = (p0 ^ p2) >> 31
    // UPPOL2
    let wd1 = Self.saturate(a1 << 2)
    let wd2 = min(32_767, (wd1 ^ ~opposite1) &- ~opposite1)
    let wd3 = (128 ^ opposite2) &- opposite2
    let ap2 = max(-12_288, min(12_288, wd3 &+ wd2 >> 7 &+ (a2 &* 32_512) >> 15))
    // UPPOL1
    let bound = 15_360 &- ap2
    let ap1 = max(0 &- bound, min(bound, (192 ^ opposite1) &- opposite1 &+ (a1 &* 32_640) >> 15))
    // UPZERO, FILTEZ and the delay of the differences. det ≤ 16,384 bounds |difference| by 10,228, so twice that is never
    // saturated; and ±128 + b · 255/256 stays in 16 bits where b does.
    let step = SIMD8<Int32>(repeating: difference == 0 ? 0 : 128) & Self.zeros
    let opposite = (d ^ SIMD8(repeating: difference)) &>> 31
    b = (step ^ opposite) &- opposite &+ (b &* 32_640) &>> 15
    b &= Self.zeros
    d = SIMD8(difference, d[0], d[1], d[2], d[3], d[4], 0, 0)
    let products = (b &* (d &+ d)) &>> 15
    let four = products.lowHalf &+ products.highHalf
    let two = four.lowHalf &+ four.highHalf
    sz = Self.saturate(two[0] &+ two[1])
    // DELAYA, FILTEP, PREDIC
    r2 = r1
    r1 = r0
    p2 = p1
    p1 = p0
    a1 = ap1
    a2 = ap2
    let pole1 = (a1 &* Self.saturate(r1 &+ r1)) >> 15
    let pole2 = (a2 &* Self.saturate(r2 &+ r2)) >> 15
    s = Self.saturate(Self.saturate(pole1 &+ pole2) &+ sz)
  }
}

/// The Recommendation's tables, put on the stack once a call: no global's once-check on the path. Read through spans: an
/// `InlineArray` would be stored anew for each look-up.
struct G722Tables {
  let ilb: InlineArray<32, Int32> = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025,
    3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
  ]
  /// WL by way of RL42: the weight of each 4-bit code.
  let wl: InlineArray<16, Int32> = [
    -60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60,
  ]
  let wh: InlineArray<4, Int32> = [798, -214, 798, -214]
  let qm2: InlineArray<4, Int32> = [-7408, -1616, 7408, 1616]
  let qm4: InlineArray<16, Int32> = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
  ]
}

/// The 24-tap quadrature mirror filter of both directions (G.722 §3.1, §4.4), over a whole block, so that it vectorises.
struct G722Filter: Sendable, BitwiseCopyable {
  /// Pairs of samples in one turn: 20 ms.
  static let block = 160
  static let past = 11

  /// The pairs before the next block: first samples, second samples.
  private var past1: InlineArray<11, Int32> = InlineArray(repeating: 0)
  private var past2: InlineArray<11, Int32> = InlineArray(repeating: 0)

  /// One block's pairs, with those before it in front.
  struct Block: BitwiseCopyable {
    var first: InlineArray<171, Int32> = InlineArray(repeating: 0)
    var second: InlineArray<171, Int32> = InlineArray(repeating: 0)
  }

  private static var coefficients: InlineArray<12, Int32> {
    [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11]
  }

  /// - Parameters:
  ///   - count: pairs of `pairs` from `past` on, at most `block`.
  ///   - odd: Σ first · coefficients; `even`: Σ second · coefficients backwards. Room for `block` each.
  @inline(__always) mutating func run(
    _ pairs: inout Block, count: Int, odd: inout InlineArray<160, Int32>, even: inout InlineArray<160, Int32>
  ) {
    precondition(count <= Self.block)
    for k in 0..<Self.past {
      pairs.first[k] = past1[k]
      pairs.second[k] = past2[k]
    }
    let c = Self.coefficients
    // i + k ≤ 159 + 11 < 171
    for i in 0..<count {
      var sum: Int32 = 0
      for k in 0..<12 { sum &+= unsafe pairs.first[unchecked: i &+ k] &* c[unchecked: k] }
      unsafe odd[unchecked: i] = sum
    }
    for i in 0..<count {
      var sum: Int32 = 0
      for k in 0..<12 { sum &+= unsafe pairs.second[unchecked: i &+ k] &* c[unchecked: 11 &- k] }
      unsafe even[unchecked: i] = sum
    }
    for k in 0..<Self.past {
      past1[k] = pairs.first[count &+ k]
      past2[k] = pairs.second[count &+ k]
    }
  }
}

/// G.722 decoder, mode 1. A value: copy it to continue twice.
public struct G722Decoder: Sendable, BitwiseCopyable {
  private var low = G722Band(det: 32)
  private var high = G722Band(det: 8)
  private var filter = G722Filter()

  private static var qm6: InlineArray<64, Int32> {
    [
      -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
      -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
      -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
      4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
    ]
  }

  public init() {}

  /// Two samples at 16 kHz for each byte.
  /// - Precondition: `samples.count == 2 · payload.byteCount`.
  public mutating func decode(_ payload: RawSpan, into samples: inout MutableSpan<Int16>) {
    precondition(samples.count == 2 * payload.byteCount)
    var start = 0
    while start < payload.byteCount {
      let count = min(G722Filter.block, payload.byteCount &- start)
      decode(payload, from: start, count: count, into: &samples)
      start &+= count
    }
  }

  private mutating func decode(_ payload: RawSpan, from start: Int, count: Int, into samples: inout MutableSpan<Int16>)
  {
    let tables = G722Tables()
    let (ilb, wl, wh) = (tables.ilb.span, tables.wl.span, tables.wh.span)
    let (qm2, qm4) = (tables.qm2.span, tables.qm4.span)
    let table6 = Self.qm6
    let qm6 = table6.span
    var pairs = G722Filter.Block()
    // Copies, which stay in registers.
    var (low, high) = (self.low, self.high)
    for i in 0..<count {
      // start + i < byteCount; count ≤ block
      let code = unsafe Int(payload.unsafeLoad(fromUncheckedByteOffset: start &+ i, as: UInt8.self))
      // Lower band: INVQBL and LIMIT for what is heard, INVQAL for what is adapted to.
      let heard = (low.det &* qm6[code & 63]) >> 15
      let rl = max(-16_384, min(16_383, low.s &+ heard))
      let coarse = (code & 63) >> 2
      let dl = (low.det &* qm4[coarse]) >> 15
      low.scale(weight: wl[coarse], maximum: 18_432, shift: 8, ilb: ilb)
      low.adapt(dl)
      // Higher band
      let dh = (high.det &* qm2[code >> 6]) >> 15
      let rh = max(-16_384, min(16_383, dh &+ high.s))
      high.scale(weight: wh[code >> 6], maximum: 22_528, shift: 10, ilb: ilb)
      high.adapt(dh)
      pairs.first[G722Filter.past &+ i] = rl &+ rh
      pairs.second[G722Filter.past &+ i] = rl &- rh
    }
    (self.low, self.high) = (low, high)
    // Receive QMF
    var odd = InlineArray<160, Int32>(repeating: 0)
    var even = InlineArray<160, Int32>(repeating: 0)
    filter.run(&pairs, count: count, odd: &odd, even: &even)
    let (odds, evens) = (odd.span, even.span)
    for i in 0..<count {
      samples[2 &* (start &+ i)] = Int16(clamping: evens[i] >> 11)
      samples[2 &* (start &+ i) &+ 1] = Int16(clamping: odds[i] >> 11)
    }
  }
}

/// G.722 encoder, mode 1, 64 kbit/s. A value: copy it to continue twice.
public struct G722Encoder: Sendable, BitwiseCopyable {
  private var low = G722Band(det: 32)
  private var high = G722Band(det: 8)
  private var filter = G722Filter()

  /// Decision levels of the lower band's 60 intervals, for one sign; the 0s are below everything.
  private static var q6: InlineArray<4, SIMD8<Int32>> {
    [
      SIMD8(0, 0, 0, 35, 72, 110, 150, 190), SIMD8(233, 276, 323, 370, 422, 473, 530, 587),
      SIMD8(650, 714, 786, 858, 940, 1023, 1121, 1219), SIMD8(1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919),
    ]
  }

  public init() {}

  /// One byte for every two samples at 16 kHz, from the start of `payload`.
  /// - Precondition: an even count, and room for half of it.
  public mutating func encode(_ samples: Span<Int16>, into payload: inout MutableRawSpan) {
    precondition(samples.count & 1 == 0 && samples.count / 2 <= payload.byteCount)
    let pairs = samples.count / 2
    var start = 0
    while start < pairs {
      let count = min(G722Filter.block, pairs &- start)
      encode(samples, from: start, count: count, into: &payload)
      start &+= count
    }
  }

  private mutating func encode(
    _ samples: Span<Int16>, from start: Int, count: Int, into payload: inout MutableRawSpan
  ) {
    var pairs = G722Filter.Block()
    // Transmit QMF. 2 · (start + count) ≤ samples.count; count ≤ block
    for i in 0..<count {
      pairs.first[G722Filter.past &+ i] = Int32(samples[2 &* (start &+ i)])
      pairs.second[G722Filter.past &+ i] = Int32(samples[2 &* (start &+ i) &+ 1])
    }
    var odd = InlineArray<160, Int32>(repeating: 0)
    var even = InlineArray<160, Int32>(repeating: 0)
    filter.run(&pairs, count: count, odd: &odd, even: &even)
    let tables = G722Tables()
    let (ilb, wl, wh) = (tables.ilb.span, tables.wl.span, tables.wh.span)
    let (qm2, qm4) = (tables.qm2.span, tables.qm4.span)
    let q6 = Self.q6
    let (odds, evens) = (odd.span, even.span)
    var (low, high) = (self.low, self.high)
    for i in 0..<count {
      let xl = (evens[i] &+ odds[i]) >> 14
      let xh = (evens[i] &- odds[i]) >> 14
      // Lower band: QUANTL. Masks again: −1 where the difference is negative.
      let el = Int32(Int16(clamping: xl &- low.s))
      let negative = el >> 31
      let interval = Self.interval(of: el ^ negative, det: low.det, q6)
      // Codes: 63, 62 then 31…4 for negative, 61…32 for positive differences.
      let nearest = (interval &- 3) >> 31
      let il = Int(62 &- interval &+ (negative & ((nearest & 30) &- 28)))
      let dl = (low.det &* qm4[il >> 2]) >> 15
      low.scale(weight: wl[il >> 2], maximum: 18_432, shift: 8, ilb: ilb)
      low.adapt(dl)
      // Higher band: QUANTH
      let eh = Int32(Int16(clamping: xh &- high.s))
      let below = eh >> 31
      let inner = ((eh ^ below) &- ((564 &* high.det) >> 12)) >> 31
      let ih = Int(2 &- inner &+ (below & -2))
      let dh = (high.det &* qm2[ih]) >> 15
      high.scale(weight: wh[ih], maximum: 22_528, shift: 10, ilb: ilb)
      high.adapt(dh)
      // start + i < payload.byteCount
      unsafe payload.storeBytes(of: UInt8(ih << 6 | il), toUncheckedByteOffset: start &+ i, as: UInt8.self)
    }
    (self.low, self.high) = (low, high)
  }

  /// 1 and how many of the 29 decision levels `magnitude` reaches: all are compared at once, no branch depends on it.
  @inline(__always) private static func interval(
    of magnitude: Int32, det: Int32, _ q6: borrowing InlineArray<4, SIMD8<Int32>>
  ) -> Int32 {
    let above = SIMD8<Int32>(repeating: magnitude &+ 1)
    // −1 in a lane whose level is at most the magnitude; |level · det| < 2²⁶.
    let low = ((q6[0] &* det) &>> 12 &- above) &>> 31 &+ ((q6[1] &* det) &>> 12 &- above) &>> 31
    let high = ((q6[2] &* det) &>> 12 &- above) &>> 31 &+ ((q6[3] &* det) &>> 12 &- above) &>> 31
    let reached = low &+ high
    let four = reached.lowHalf &+ reached.highHalf
    let two = four.lowHalf &+ four.highHalf
    // Three lanes are 0.
    return 0 &- (two[0] &+ two[1]) &- 2
  }
}

/// How loud a G.722 stream is, without decoding it: follows the lower band's scale factor, one table look-up a byte.
public struct G722LevelMeter: Sendable, BitwiseCopyable {
  private var nb: Int32 = 0

  public init() {}

  /// - Returns: the mean log₂ of the lower band's step over the payload, in 1/2048; 0 for silence.
  public mutating func measure(_ payload: RawSpan) -> Int {
    let tables = G722Tables()
    let wl = tables.wl.span
    var sum = 0
    for i in 0..<payload.byteCount {
      // i < byteCount
      let code = unsafe Int(payload.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self))
      nb = max(0, min(18_432, (nb &* 127) >> 7 &+ wl[(code & 63) >> 2]))
      sum &+= Int(nb)
    }
    return payload.byteCount > 0 ? sum / payload.byteCount : 0
  }
}
