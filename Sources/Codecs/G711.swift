//  G711.swift: µ-law and A-law by table, exactly as ITU-T G.711 (and its software in G.191) rounds.

/// The two laws of G.711: one byte a sample, 8 kHz. Static functions; the tables are made once, by `prepare`.
@safe public enum G711 {
  @frozen public enum Law: Sendable, BitwiseCopyable {
    case mu, a
  }

  /// Makes the tables, so that no later call allocates.
  public static func prepare() { _ = unsafe tables.muDecode }

  /// - Precondition: equal counts.
  public static func decode(_ payload: RawSpan, law: Law, into samples: inout MutableSpan<Int16>) {
    precondition(samples.count == payload.byteCount)
    let table = unsafe law == .mu ? tables.muDecode : tables.aDecode
    for i in 0..<payload.byteCount {
      // 256 entries, a byte's index.
      samples[i] = unsafe table[Int(payload.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self))]
    }
  }

  /// Writes one byte a sample from the start of `payload`.
  /// - Precondition: room for all samples.
  public static func encode(_ samples: Span<Int16>, law: Law, into payload: inout MutableRawSpan) {
    precondition(samples.count <= payload.byteCount)
    switch law {
    case .mu:
      let table = unsafe tables.muEncode
      for i in 0..<samples.count {
        // 16,384 entries, a 14-bit index; i < byteCount.
        unsafe payload.storeBytes(
          of: table[Int(UInt16(bitPattern: samples[i]) >> 2)], toUncheckedByteOffset: i, as: UInt8.self)
      }
    case .a:
      let table = unsafe tables.aEncode
      for i in 0..<samples.count {
        // 4,096 entries, a 12-bit index.
        unsafe payload.storeBytes(
          of: table[Int(UInt16(bitPattern: samples[i]) >> 4)], toUncheckedByteOffset: i, as: UInt8.self)
      }
    }
  }

  /// Mean square of a payload's samples, for a level without decoding. At most 256 bytes are looked at, evenly spread.
  public static func meanSquare(_ payload: RawSpan, law: Law) -> (energy: UInt64, count: Int) {
    let table = unsafe law == .mu ? tables.muDecode : tables.aDecode
    let step = max(1, payload.byteCount / 256)
    var sum: UInt64 = 0
    var count = 0
    var i = 0
    while i < payload.byteCount {
      let value = unsafe Int32(table[Int(payload.unsafeLoad(fromUncheckedByteOffset: i, as: UInt8.self))])
      sum &+= UInt64(UInt32(bitPattern: value &* value))
      count &+= 1
      i &+= step
    }
    return (sum, count)
  }

  // MARK: The laws, sample by sample: the reference from which the tables are made.

  public static func expand(_ code: UInt8, law: Law) -> Int16 {
    switch law {
    case .mu:
      let inverted = Int32(~code)
      let exponent = (inverted >> 4) & 7
      let step: Int32 = 4 << (exponent + 1)
      let magnitude = (0x80 << exponent) + step * (inverted & 15) + step / 2 - 4 * 33
      return Int16(code < 0x80 ? -magnitude : magnitude)
    case .a:
      let bits = Int32(code ^ 0x55) & 0x7F
      let exponent = bits >> 4
      var magnitude = bits & 15
      if exponent > 0 { magnitude += 16 }
      magnitude = magnitude << 4 + 8
      if exponent > 1 { magnitude <<= exponent - 1 }
      return Int16(code > 127 ? magnitude : -magnitude)
    }
  }

  public static func compress(_ sample: Int16, law: Law) -> UInt8 {
    let negative = sample < 0
    let positive = Int32(negative ? ~sample : sample)
    switch law {
    case .mu:
      let biased = min(positive >> 2 + 33, 0x1FFF)
      var segment: Int32 = 1
      var rest = biased >> 6
      while rest != 0 {
        segment += 1
        rest >>= 1
      }
      let code = (8 - segment) << 4 | (15 - (biased >> segment) & 15)
      return UInt8(negative ? code : code | 0x80)
    case .a:
      var value = positive >> 4
      if value > 15 {
        var exponent: Int32 = 1
        while value > 31 {
          value >>= 1
          exponent += 1
        }
        value = value - 16 + exponent << 4
      }
      return UInt8(negative ? value : value | 0x80) ^ 0x55
    }
  }

  /// Immutable after they are made; never freed.
  @safe private struct Tables: @unchecked Sendable {
    let muDecode: UnsafePointer<Int16>
    let aDecode: UnsafePointer<Int16>
    let muEncode: UnsafePointer<UInt8>
    let aEncode: UnsafePointer<UInt8>

    init() {
      unsafe muDecode = Self.decoding(.mu)
      unsafe aDecode = Self.decoding(.a)
      unsafe muEncode = Self.encoding(.mu, shift: 2)
      unsafe aEncode = Self.encoding(.a, shift: 4)
    }

    private static func decoding(_ law: Law) -> UnsafePointer<Int16> {
      let table = UnsafeMutablePointer<Int16>.allocate(capacity: 256)
      for code in 0..<256 { unsafe (table + code).initialize(to: G711.expand(UInt8(code), law: law)) }
      return unsafe UnsafePointer(table)
    }

    /// Samples that differ only in their lowest `shift` bits have the same code.
    private static func encoding(_ law: Law, shift: Int) -> UnsafePointer<UInt8> {
      let count = 65_536 >> shift
      let table = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
      for index in 0..<count {
        let sample = Int16(truncatingIfNeeded: index << shift)
        unsafe (table + index).initialize(to: G711.compress(sample, law: law))
      }
      return unsafe UnsafePointer(table)
    }
  }

  private static let tables = Tables()
}
