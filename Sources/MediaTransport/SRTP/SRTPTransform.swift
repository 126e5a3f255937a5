//  SRTPTransform.swift: one key's cipher and tag on one packet: the seam behind which the libraries work.
//  Walk: SRTPContext.protectRTP → SRTPTransform.seal; SRTPContext.unprotectRTP → SRTPTransform.open

import CIPsecMB
import COpenSSL
import Primitives

/// One packet's work for a transform: framing is done, sizes are proven, only the cipher is missing.
///
/// Whoever makes one guarantees `0 ≤ clearCount ≤ count`, and that the packet's memory holds `count` bytes and, at
/// `tagOffset`, the whole tag.
@unsafe struct SRTPOperation {
  let packet: UnsafeMutableRawPointer
  /// Bytes at the start that are authenticated, not encrypted.
  let clearCount: Int
  /// End of what is encrypted.
  let count: Int
  let tagOffset: Int
  let ssrc: UInt32
  /// 48 bits for RTP, 31 for RTCP.
  private(set) var index: UInt64
  /// Authenticated after the packet: the rollover counter of RTP, E and index of RTCP.
  private(set) var word: UInt32

  init(
    packet: UnsafeMutableRawPointer, clearCount: Int, count: Int, tagOffset: Int, ssrc: UInt32, index: UInt64,
    word: UInt32
  ) {
    unsafe self.packet = packet
    unsafe self.clearCount = clearCount
    unsafe self.count = count
    unsafe self.tagOffset = tagOffset
    unsafe self.ssrc = ssrc
    unsafe self.index = index
    unsafe self.word = word
  }

  /// Gives an RTP packet its whole index.
  @inline(__always) mutating func setIndex(_ index: UInt64) {
    unsafe self.index = index
    unsafe word = UInt32(truncatingIfNeeded: index >> 16)
  }
}

/// Which packets a transform works on: their keys, tags and authenticated data differ.
enum SRTPKind {
  case rtp, rtcp
}

/// Session keys of one direction and one kind, ready for the ciphers: only the IV is set per packet.
///
/// AES-GCM runs in ipsec-mb or in an EVP context; AES-CM with HMAC-SHA1 in EVP and two kept SHA-1 states one packet at a
/// time, and with ipsec-mb in batches (`SRTPCipherEngine`). Key material lives in one heap block, written in place and
/// wiped before it is freed.
@safe struct SRTPTransform: ~Copyable {
  /// The session salt as the two halves of an IV; at the start of the block.
  struct Salt {
    var high: UInt64 = 0
    var low: UInt64 = 0
  }
  /// SHA-1 after the inner and the outer padded key (RFC 2104 §4). ipsec-mb reads the first 20 bytes of each.
  struct HashState {
    var inner = SHA_CTX()
    var outer = SHA_CTX()
  }
  /// Where the block's parts begin. ipsec-mb wants its GCM keys at addresses divisible by 64, round keys at 16.
  private enum Place {
    static let gcmKey = 64
    static let hash = 64
    static let roundKeys = 256
    static let roundKeyCount = 176
  }

  let isAEAD: Bool
  /// Whether `SRTPCipherEngine` may run this key in its lanes.
  let hasLanes: Bool
  let kind: SRTPKind
  let tagCount: Int
  /// The functions of ipsec-mb that run this GCM key.
  let direct: UnsafePointer<IPsecMB.GCM>?
  /// The EVP context of the others.
  let cipher: OpaquePointer?
  private let block: UnsafeMutableRawPointer
  private let blockCount: Int

  /// - Parameters:
  ///   - encrypts: the direction; OpenSSL's GCM contexts know theirs.
  ///   - library: ipsec-mb, where it is to be used.
  init(_ source: SRTPKeySource, kind: SRTPKind, encrypts: Bool, library: IPsecMB?) throws(SRTPError) {
    let suite = source.suite
    let isAEAD = suite.saltCount == 12
    self.isAEAD = isAEAD
    self.kind = kind
    tagCount = kind == .rtp ? suite.rtpTagCount : suite.rtcpTagCount
    hasLanes = !isAEAD && library != nil
    unsafe direct = isAEAD ? library.map { unsafe $0.gcm + (suite.keyCount == 16 ? 0 : 1) } : nil
    blockCount =
      isAEAD
      ? Place.gcmKey + (library == nil ? 0 : MemoryLayout<gcm_key_data>.size) : Place.roundKeys + Place.roundKeyCount
    unsafe block = UnsafeMutableRawPointer.allocate(byteCount: blockCount, alignment: 64)
    unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: blockCount)
    let cipher = unsafe direct == nil ? EVP_CIPHER_CTX_new() : nil
    unsafe self.cipher = cipher
    // From here on `deinit` frees and wipes, whatever is thrown.
    guard source.isValid else { throw .invalidKey }
    guard unsafe direct != nil || cipher != nil else { throw .libraryFailure }
    try prepare(source, encrypts: encrypts, library: library)
  }

  deinit {
    unsafe EVP_CIPHER_CTX_free(cipher)  // wipes its key schedule; takes nil
    unsafe OPENSSL_cleanse(block, blockCount)
    unsafe block.deallocate()
  }

  /// The block holds what `blockCount` allowed for: each part is reached only where its suite and library put it.
  var salt: UnsafeMutablePointer<Salt> { unsafe block.assumingMemoryBound(to: Salt.self) }
  var hash: UnsafeMutablePointer<HashState> {
    unsafe (block + Place.hash).assumingMemoryBound(to: HashState.self)
  }
  var gcmKey: UnsafeMutablePointer<gcm_key_data> {
    unsafe (block + Place.gcmKey).assumingMemoryBound(to: gcm_key_data.self)
  }
  var roundKeys: UnsafeMutableRawPointer { unsafe block + Place.roundKeys }

  private borrowing func prepare(
    _ source: SRTPKeySource, encrypts: Bool, library: IPsecMB?
  ) throws(SRTPError) {
    let suite = source.suite
    var key = InlineArray<64, UInt8>(repeating: 0)
    defer { unsafe withUnsafeMutableBytes(of: &key) { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) } }
    var span = key.mutableSpan

    try source.fill(&span, kind == .rtp ? .rtpSalt : .rtcpSalt, count: suite.saltCount)
    for index in 0..<16 {
      let byte = index < suite.saltCount ? UInt64(span[index]) : 0
      unsafe index < 8
        ? (salt.pointee.high = salt.pointee.high << 8 | byte) : (salt.pointee.low = salt.pointee.low << 8 | byte)
    }

    try source.fill(&span, kind == .rtp ? .rtpEncryption : .rtcpEncryption, count: suite.keyCount)
    if let direct = unsafe direct {
      unsafe span.withUnsafeBytes { unsafe direct.pointee.prepare($0.baseAddress, gcmKey) }
      return
    }
    let algorithm =
      switch suite {
      case .aes128CMSHA1Tag80, .aes128CMSHA1Tag32: unsafe EVP_aes_128_ctr()
      case .aeadAES128GCM: unsafe EVP_aes_128_gcm()
      case .aeadAES256GCM: unsafe EVP_aes_256_gcm()
      }
    // Counter mode decrypts by encrypting.
    let direction: Int32 = encrypts || !isAEAD ? 1 : 0
    let isReady = unsafe span.withUnsafeBytes { key in
      let key = unsafe key.assumingMemoryBound(to: UInt8.self).baseAddress
      return unsafe EVP_CipherInit_ex(cipher, algorithm, nil, key, nil, direction) == 1
    }
    guard isReady else { throw .libraryFailure }
    guard !isAEAD else { return }
    if let library { unsafe span.withUnsafeBytes { unsafe expand($0.baseAddress, library) } }

    try source.fill(&span, kind == .rtp ? .rtpAuthentication : .rtcpAuthentication, count: 20)
    for index in 20..<64 { span[index] = 0 }
    for index in 0..<64 { span[index] ^= 0x36 }
    unsafe SHA1_Init(&hash.pointee.inner)
    unsafe span.withUnsafeBytes { key in _ = unsafe SHA1_Update(&hash.pointee.inner, key.baseAddress, 64) }
    for index in 0..<64 { span[index] ^= 0x36 ^ 0x5c }
    unsafe SHA1_Init(&hash.pointee.outer)
    unsafe span.withUnsafeBytes { key in _ = unsafe SHA1_Update(&hash.pointee.outer, key.baseAddress, 64) }
  }

  /// The library also makes the round keys of decryption, which counter mode never needs.
  private borrowing func expand(_ key: UnsafeRawPointer?, _ library: IPsecMB) {
    unsafe withUnsafeTemporaryAllocation(byteCount: Place.roundKeyCount, alignment: 16) { unused in
      unsafe library.expandKey(key, roundKeys, unused.baseAddress)
      unsafe OPENSSL_cleanse(unused.baseAddress, unused.count)
    }
  }

  /// Encrypts in place and writes the tag.
  ///
  /// - Returns: `false` when the library failed; the packet is then spoilt.
  func seal(_ operation: SRTPOperation) -> Bool {
    if let direct = unsafe direct { return unsafe sealDirectly(operation, direct) }
    return unsafe isAEAD ? sealGCM(operation) : sealCounterMode(operation)
  }

  /// Checks the tag and decrypts in place.
  ///
  /// - Returns: `false` when the packet is not authentic; GCM has then already overwritten its encrypted part.
  func open(_ operation: SRTPOperation) -> Bool {
    if let direct = unsafe direct { return unsafe openDirectly(operation, direct) }
    return unsafe isAEAD ? openGCM(operation) : hasRightTag(operation) && applyKeyStream(operation)
  }

  /// Checks the tag and leaves the packet as it is.
  func authenticates(_ operation: SRTPOperation) -> Bool {
    if let direct = unsafe direct { return unsafe authenticatesDirectly(operation, direct) }
    return unsafe isAEAD ? authenticatesGCM(operation) : hasRightTag(operation)
  }

  /// Counter mode: salt · 2¹⁶ ⊕ SSRC · 2⁶⁴ ⊕ index · 2¹⁶ (RFC 3711 §4.1.1). GCM: salt ⊕ (16 zero bits, SSRC, 48 bits of
  /// index) (RFC 7714 §8.1, §9.1): the same fields two bytes further left, less the block counter.
  ///
  /// - Returns: 16 bytes in memory order, of which GCM reads 12.
  @inline(__always) func initializationVector(_ operation: SRTPOperation) -> (UInt64, UInt64) {
    var high = unsafe salt.pointee.high
    var low = unsafe salt.pointee.low
    if isAEAD {
      unsafe high ^= UInt64(operation.ssrc) << 16 | operation.index >> 32
      unsafe low ^= operation.index << 32
    } else {
      unsafe high ^= UInt64(operation.ssrc)
      unsafe low ^= operation.index << 16
    }
    return (high.bigEndian, low.bigEndian)
  }
}
