//  SRTPKeyDerivation.swift: session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11), rate 0: once.

import COpenSSL
import Primitives

/// The AES counter-mode pseudo-random function.
package enum SRTPKeyDerivation {
  /// What a derived key is for (RFC 3711 §4.3.2).
  package enum Label: UInt8, CaseIterable {
    case rtpEncryption, rtpAuthentication, rtpSalt
    case rtcpEncryption, rtcpAuthentication, rtcpSalt
  }

  /// Fills the first `count` bytes of `output` with the key stream for `label`.
  ///
  /// - Parameters:
  ///   - key: 16 or 32 bytes: AES-128 or AES-256 in counter mode.
  ///   - salt: at most 14 bytes; a GCM salt of 12 is followed by zeros (RFC 7714 §11).
  /// - Throws: `.invalidKey` for other sizes, `.libraryFailure`.
  package static func derive(
    _ label: Label, key: [UInt8], salt: [UInt8], count: Int, into output: inout MutableRawSpan
  ) throws(SRTPError) {
    guard salt.count <= 14 else { throw .invalidKey }
    // x · 2¹⁶, where x is the salt with the label added to its byte 7 (RFC 3711 §4.3.1; rate 0 makes r = 0).
    var counter = InlineArray<16, UInt8>(repeating: 0)
    for index in salt.indices { counter[index] = salt[index] }
    counter[7] ^= label.rawValue
    try keyStream(key: key, counter: counter, count: count, into: &output)
    unsafe withUnsafeMutableBytes(of: &counter) { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) }
  }

  /// AES in counter mode over zeros (RFC 3711 §4.1.1).
  package static func keyStream(
    key: [UInt8], counter: InlineArray<16, UInt8>, count: Int, into output: inout MutableRawSpan
  ) throws(SRTPError) {
    precondition(count >= 0 && count <= output.byteCount)
    guard key.count == 16 || key.count == 32 else { throw .invalidKey }
    guard let context = unsafe EVP_CIPHER_CTX_new() else { throw .libraryFailure }
    defer { unsafe EVP_CIPHER_CTX_free(context) }
    let cipher = unsafe key.count == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr()
    let size = Int32(truncatingIfNeeded: count)
    let isDone = unsafe output.withUnsafeMutableBytes { bytes in
      for index in 0..<count { unsafe bytes[index] = 0 }
      let start = unsafe bytes.assumingMemoryBound(to: UInt8.self).baseAddress
      var counter = counter
      var written: Int32 = 0
      // `key` and `counter` have the sizes that the cipher reads; input and output are the same `count` bytes.
      return unsafe withUnsafeBytes(of: &counter) { iv in
        let iv = unsafe iv.assumingMemoryBound(to: UInt8.self).baseAddress
        return unsafe EVP_EncryptInit_ex(context, cipher, nil, key, iv) == 1
          && EVP_EncryptUpdate(context, start, &written, start, size) == 1 && written == size
      }
    }
    guard isDone else { throw .libraryFailure }
  }
}
