//  SRTPTransform.swift: one key's cipher and tag on one packet: the seam behind which another library may work.
//  Walk: SRTPContext.protectRTP → SRTPTransform.seal; SRTPContext.unprotectRTP → SRTPTransform.open

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
  let index: UInt64
  /// Authenticated after the packet: the rollover counter of RTP, E and index of RTCP.
  let word: UInt32
}

/// Which packets a transform works on: their keys, tags and authenticated data differ.
enum SRTPKind {
  case rtp, rtcp
}

/// Session keys of one direction and one kind, ready in OpenSSL's contexts: only the IV is set per packet.
///
/// Key material lives in one heap block, written in place and wiped before it is freed.
@safe struct SRTPTransform: ~Copyable {
  private struct KeyState {
    /// SHA-1 after the inner and the outer padded key (RFC 2104 §4).
    var inner = SHA_CTX()
    var outer = SHA_CTX()
    /// The session salt as the two big-endian halves of an IV.
    var saltHigh: UInt64 = 0
    var saltLow: UInt64 = 0
  }

  let isAEAD: Bool
  let tagCount: Int
  private let kind: SRTPKind
  private let cipher: OpaquePointer
  private let keys: UnsafeMutablePointer<KeyState>

  /// - Parameter encrypts: the direction; OpenSSL's GCM contexts know theirs.
  init(_ source: SRTPKeySource, kind: SRTPKind, encrypts: Bool) throws(SRTPError) {
    let suite = source.suite
    guard source.isValid else { throw .invalidKey }
    guard let context = unsafe EVP_CIPHER_CTX_new() else { throw .libraryFailure }
    let keys = UnsafeMutablePointer<KeyState>.allocate(capacity: 1)
    unsafe keys.initialize(to: KeyState())
    do throws(SRTPError) {
      unsafe try Self.prepare(source, kind: kind, encrypts: encrypts, context, &keys.pointee)
    } catch {
      unsafe EVP_CIPHER_CTX_free(context)
      unsafe Self.wipe(keys)
      throw error
    }
    isAEAD = suite.saltCount == 12
    tagCount = kind == .rtp ? suite.rtpTagCount : suite.rtcpTagCount
    self.kind = kind
    unsafe cipher = context
    unsafe self.keys = keys
  }

  deinit {
    unsafe EVP_CIPHER_CTX_free(cipher)  // wipes its key schedule
    unsafe Self.wipe(keys)
  }

  private static func wipe(_ keys: UnsafeMutablePointer<KeyState>) {
    unsafe OPENSSL_cleanse(keys, MemoryLayout<KeyState>.size)
    unsafe keys.deallocate()
  }

  private static func prepare(
    _ source: SRTPKeySource, kind: SRTPKind, encrypts: Bool, _ context: OpaquePointer, _ state: inout KeyState
  ) throws(SRTPError) {
    let suite = source.suite
    var block = InlineArray<64, UInt8>(repeating: 0)
    defer { unsafe withUnsafeMutableBytes(of: &block) { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) } }
    var span = block.mutableSpan

    try source.fill(&span, kind == .rtp ? .rtpSalt : .rtcpSalt, count: suite.saltCount)
    for index in 0..<16 {
      let byte = index < suite.saltCount ? UInt64(span[index]) : 0
      if index < 8 { state.saltHigh = state.saltHigh << 8 | byte } else { state.saltLow = state.saltLow << 8 | byte }
    }

    try source.fill(&span, kind == .rtp ? .rtpEncryption : .rtcpEncryption, count: suite.keyCount)
    let algorithm =
      switch suite {
      case .aes128CMSHA1Tag80, .aes128CMSHA1Tag32: unsafe EVP_aes_128_ctr()
      case .aeadAES128GCM: unsafe EVP_aes_128_gcm()
      case .aeadAES256GCM: unsafe EVP_aes_256_gcm()
      }
    // Counter mode decrypts by encrypting.
    let direction: Int32 = encrypts || suite.saltCount == 14 ? 1 : 0
    let isReady = unsafe span.withUnsafeBytes { key in
      let key = unsafe key.assumingMemoryBound(to: UInt8.self).baseAddress
      return unsafe EVP_CipherInit_ex(context, algorithm, nil, key, nil, direction) == 1
    }
    guard isReady else { throw .libraryFailure }

    guard suite.saltCount == 14 else { return }
    try source.fill(&span, kind == .rtp ? .rtpAuthentication : .rtcpAuthentication, count: 20)
    for index in 20..<64 { span[index] = 0 }
    for index in 0..<64 { span[index] ^= 0x36 }
    unsafe SHA1_Init(&state.inner)
    unsafe span.withUnsafeBytes { key in _ = unsafe SHA1_Update(&state.inner, key.baseAddress, 64) }
    for index in 0..<64 { span[index] ^= 0x36 ^ 0x5c }
    unsafe SHA1_Init(&state.outer)
    unsafe span.withUnsafeBytes { key in _ = unsafe SHA1_Update(&state.outer, key.baseAddress, 64) }
  }

  /// Encrypts in place and writes the tag.
  ///
  /// - Returns: `false` when the library failed; the packet is then spoilt.
  func seal(_ operation: SRTPOperation) -> Bool {
    let tag = unsafe operation.packet + operation.tagOffset
    if isAEAD {
      guard unsafe setIV(operation), unsafe associate(operation) else { return false }
      let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
      let count = unsafe Int32(truncatingIfNeeded: operation.count &- operation.clearCount)
      var written: Int32 = 0
      return unsafe (count == 0 || EVP_EncryptUpdate(cipher, start, &written, start, count) == 1)
        && EVP_EncryptFinal_ex(cipher, start, &written) == 1
        && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(tagCount), tag) == 1
    }
    guard unsafe applyKeyStream(operation) else { return false }
    var digest = Digest(repeating: 0)
    unsafe authenticate(operation, into: &digest)
    unsafe withUnsafeBytes(of: &digest) { bytes in
      unsafe UnsafeMutableRawBufferPointer(start: tag, count: tagCount).copyMemory(
        from: .init(rebasing: bytes[..<tagCount]))
    }
    return true
  }

  /// Checks the tag and decrypts in place.
  ///
  /// - Returns: `false` when the packet is not authentic; GCM has then already overwritten its encrypted part.
  func open(_ operation: SRTPOperation) -> Bool {
    if isAEAD {
      let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
      let count = unsafe operation.count &- operation.clearCount
      var written: Int32 = 0
      return unsafe setIV(operation) && associate(operation)
        && (count == 0 || EVP_DecryptUpdate(cipher, start, &written, start, Int32(truncatingIfNeeded: count)) == 1)
        && tagMatches(operation)
    }
    return unsafe hasRightTag(operation) && applyKeyStream(operation)
  }

  /// Checks the tag and leaves the packet as it is.
  func authenticates(_ operation: SRTPOperation) -> Bool {
    guard isAEAD else { return unsafe hasRightTag(operation) }
    guard unsafe setIV(operation), unsafe associate(operation) else { return false }
    // GCM's tag comes out of decryption: into a scratch block, which is wiped.
    var scratch = InlineArray<256, UInt8>(repeating: 0)
    return unsafe withUnsafeMutableBytes(of: &scratch) { scratch in
      defer { unsafe OPENSSL_cleanse(scratch.baseAddress, scratch.count) }
      let output = unsafe scratch.assumingMemoryBound(to: UInt8.self).baseAddress
      var offset = unsafe operation.clearCount
      var written: Int32 = 0
      while unsafe offset < operation.count {
        let part = unsafe min(scratch.count, operation.count &- offset)
        let input = unsafe (operation.packet + offset).assumingMemoryBound(to: UInt8.self)
        guard unsafe EVP_DecryptUpdate(cipher, output, &written, input, Int32(part)) == 1 else { return false }
        offset &+= part
      }
      return unsafe tagMatches(operation)
    }
  }

  private typealias Digest = InlineArray<20, UInt8>

  /// Counter mode: salt · 2¹⁶ ⊕ SSRC · 2⁶⁴ ⊕ index · 2¹⁶ (RFC 3711 §4.1.1). GCM: salt ⊕ (16 zero bits, SSRC, 48 bits of
  /// index) (RFC 7714 §8.1, §9.1): the same fields two bytes further left, less the block counter.
  private func setIV(_ operation: SRTPOperation) -> Bool {
    var high = unsafe keys.pointee.saltHigh
    var low = unsafe keys.pointee.saltLow
    if isAEAD {
      unsafe high ^= UInt64(operation.ssrc) << 16 | operation.index >> 32
      unsafe low ^= operation.index << 32
    } else {
      unsafe high ^= UInt64(operation.ssrc)
      unsafe low ^= operation.index << 16
    }
    var iv = (high.bigEndian, low.bigEndian)
    return unsafe withUnsafeBytes(of: &iv) { bytes in
      // 16 bytes, of which GCM reads 12. The direction was set with the key: −1 keeps it.
      unsafe EVP_CipherInit_ex(cipher, nil, nil, nil, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, -1) == 1
    }
  }

  private func applyKeyStream(_ operation: SRTPOperation) -> Bool {
    let count = unsafe operation.count &- operation.clearCount
    guard count > 0 else { return true }
    let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
    var written: Int32 = 0
    return unsafe setIV(operation)
      && EVP_EncryptUpdate(cipher, start, &written, start, Int32(truncatingIfNeeded: count)) == 1
  }

  /// HMAC-SHA1 over the packet and the word that follows it (RFC 3711 §4.2), from the two kept states.
  private func authenticate(_ operation: SRTPOperation, into digest: inout Digest) {
    var state = unsafe keys.pointee.inner
    var word = unsafe operation.word.bigEndian
    unsafe withUnsafeMutableBytes(of: &digest) { bytes in
      let output = unsafe bytes.assumingMemoryBound(to: UInt8.self).baseAddress
      unsafe SHA1_Update(&state, operation.packet, operation.count)
      unsafe SHA1_Update(&state, &word, 4)
      unsafe SHA1_Final(output, &state)
      unsafe state = keys.pointee.outer
      unsafe SHA1_Update(&state, output, 20)
      unsafe SHA1_Final(output, &state)
    }
  }

  private func hasRightTag(_ operation: SRTPOperation) -> Bool {
    var digest = Digest(repeating: 0)
    unsafe authenticate(operation, into: &digest)
    return unsafe withUnsafeBytes(of: &digest) { bytes in
      unsafe CRYPTO_memcmp(bytes.baseAddress, operation.packet + operation.tagOffset, tagCount) == 0
    }
  }

  /// GCM's associated data: the clear part, for RTCP followed by E and index (RFC 7714 §8.2, §9.2, §9.3).
  private func associate(_ operation: SRTPOperation) -> Bool {
    var written: Int32 = 0
    let start = unsafe operation.packet.assumingMemoryBound(to: UInt8.self)
    let count = unsafe Int32(truncatingIfNeeded: operation.clearCount)
    guard unsafe EVP_CipherUpdate(cipher, nil, &written, start, count) == 1 else { return false }
    guard kind == .rtcp else { return true }
    var word = unsafe operation.word.bigEndian
    return unsafe withUnsafeBytes(of: &word) { bytes in
      unsafe EVP_CipherUpdate(cipher, nil, &written, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, 4) == 1
    }
  }

  /// The end of a GCM decryption: OpenSSL compares in constant time.
  private func tagMatches(_ operation: SRTPOperation) -> Bool {
    var written: Int32 = 0
    var unused: UInt8 = 0
    return unsafe EVP_CIPHER_CTX_ctrl(
      cipher, EVP_CTRL_AEAD_SET_TAG, Int32(tagCount), operation.packet + operation.tagOffset) == 1
      && EVP_DecryptFinal_ex(cipher, &unused, &written) == 1
  }
}
