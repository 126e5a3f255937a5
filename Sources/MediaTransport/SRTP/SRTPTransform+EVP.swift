//  SRTPTransform+EVP.swift: the transforms by OpenSSL: AES-GCM, AES in counter mode, HMAC-SHA1 (RFC 3711 §4, RFC 7714).

import COpenSSL
import Primitives

extension SRTPTransform {
  private typealias Digest = InlineArray<20, UInt8>

  func sealGCM(_ operation: SRTPOperation) -> Bool {
    guard unsafe setIV(operation), unsafe associate(operation) else { return false }
    let tag = unsafe operation.packet + operation.tagOffset
    let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
    let count = unsafe Int32(truncatingIfNeeded: operation.count &- operation.clearCount)
    var written: Int32 = 0
    return unsafe (count == 0 || EVP_EncryptUpdate(cipher, start, &written, start, count) == 1)
      && EVP_EncryptFinal_ex(cipher, start, &written) == 1
      && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(tagCount), tag) == 1
  }

  func openGCM(_ operation: SRTPOperation) -> Bool {
    let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
    let count = unsafe operation.count &- operation.clearCount
    var written: Int32 = 0
    return unsafe setIV(operation) && associate(operation)
      && (count == 0 || EVP_DecryptUpdate(cipher, start, &written, start, Int32(truncatingIfNeeded: count)) == 1)
      && tagMatches(operation)
  }

  func authenticatesGCM(_ operation: SRTPOperation) -> Bool {
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

  func sealCounterMode(_ operation: SRTPOperation) -> Bool {
    guard unsafe applyKeyStream(operation) else { return false }
    unsafe writeTag(operation)
    return true
  }

  /// Writes the HMAC of what is encrypted already.
  func writeTag(_ operation: SRTPOperation) {
    var digest = Digest(repeating: 0)
    unsafe authenticate(operation, into: &digest)
    unsafe withUnsafeBytes(of: &digest) { bytes in
      unsafe UnsafeMutableRawBufferPointer(start: operation.packet + operation.tagOffset, count: tagCount).copyMemory(
        from: .init(rebasing: bytes[..<tagCount]))
    }
  }

  private func setIV(_ operation: SRTPOperation) -> Bool {
    var iv = unsafe initializationVector(operation)
    return unsafe withUnsafeBytes(of: &iv) { bytes in
      // The direction was set with the key: −1 keeps it.
      unsafe EVP_CipherInit_ex(cipher, nil, nil, nil, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, -1) == 1
    }
  }

  func applyKeyStream(_ operation: SRTPOperation) -> Bool {
    let count = unsafe operation.count &- operation.clearCount
    guard count > 0 else { return true }
    let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
    var written: Int32 = 0
    return unsafe setIV(operation)
      && EVP_EncryptUpdate(cipher, start, &written, start, Int32(truncatingIfNeeded: count)) == 1
  }

  /// HMAC-SHA1 over the packet and the word that follows it (RFC 3711 §4.2), from the two kept states.
  private func authenticate(_ operation: SRTPOperation, into digest: inout Digest) {
    var state = unsafe hash.pointee.inner
    var word = unsafe operation.word.bigEndian
    unsafe withUnsafeMutableBytes(of: &digest) { bytes in
      let output = unsafe bytes.assumingMemoryBound(to: UInt8.self).baseAddress
      unsafe SHA1_Update(&state, operation.packet, operation.count)
      unsafe SHA1_Update(&state, &word, 4)
      unsafe SHA1_Final(output, &state)
      unsafe state = hash.pointee.outer
      unsafe SHA1_Update(&state, output, 20)
      unsafe SHA1_Final(output, &state)
    }
  }

  func hasRightTag(_ operation: SRTPOperation) -> Bool {
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
