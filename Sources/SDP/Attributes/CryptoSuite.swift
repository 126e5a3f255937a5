//  CryptoSuite.swift: the SRTP suites that can be named in `a=crypto` (RFC 4568 §6.2, RFC 7714 §14.2).

/// A suite that Parley can key. Weakest first.
public enum CryptoSuite: String, CaseIterable, Hashable, Sendable {
  case aes128CMSHA1Tag32 = "AES_CM_128_HMAC_SHA1_32"
  case aes128CMSHA1Tag80 = "AES_CM_128_HMAC_SHA1_80"
  case aeadAES128GCM = "AEAD_AES_128_GCM"
  case aeadAES256GCM = "AEAD_AES_256_GCM"

  /// As written in `a=crypto`.
  public var name: String { rawValue }

  /// Bytes of master key and master salt together, as in `inline:`.
  public var keyAndSaltCount: Int {
    switch self {
    case .aes128CMSHA1Tag32, .aes128CMSHA1Tag80: 30
    case .aeadAES128GCM: 28
    case .aeadAES256GCM: 44
    }
  }
}
