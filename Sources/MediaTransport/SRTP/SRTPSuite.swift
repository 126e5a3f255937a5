//  SRTPSuite.swift: the SRTP protection profiles Parley speaks, with their sizes.

/// A crypto suite of SDES (RFC 4568 §6.2, RFC 7714 §14.2), named as in `a=crypto`.
@frozen public enum SRTPSuite: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  case aes128CMSHA1Tag80
  case aes128CMSHA1Tag32
  case aeadAES128GCM
  case aeadAES256GCM

  public var name: String {
    switch self {
    case .aes128CMSHA1Tag80: "AES_CM_128_HMAC_SHA1_80"
    case .aes128CMSHA1Tag32: "AES_CM_128_HMAC_SHA1_32"
    case .aeadAES128GCM: "AEAD_AES_128_GCM"
    case .aeadAES256GCM: "AEAD_AES_256_GCM"
    }
  }

  public init?(name: some StringProtocol) {
    guard let suite = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = suite
  }

  /// Bytes of master key.
  @inlinable public var keyCount: Int { self == .aeadAES256GCM ? 32 : 16 }
  /// Bytes of master salt: 112 bits for counter mode (RFC 3711 §8.2), 96 for GCM (RFC 7714 §12).
  @inlinable public var saltCount: Int {
    switch self {
    case .aes128CMSHA1Tag80, .aes128CMSHA1Tag32: 14
    case .aeadAES128GCM, .aeadAES256GCM: 12
    }
  }
  /// Bytes that protection adds to an RTP packet.
  @inlinable public var rtpTagCount: Int {
    switch self {
    case .aes128CMSHA1Tag80: 10
    case .aes128CMSHA1Tag32: 4
    case .aeadAES128GCM, .aeadAES256GCM: 16
    }
  }
  /// Bytes of tag on an SRTCP packet, beside the 4 of its index: 80 bits also for `_32` (RFC 4568 §6.2.2).
  @inlinable public var rtcpTagCount: Int {
    switch self {
    case .aes128CMSHA1Tag80, .aes128CMSHA1Tag32: 10
    case .aeadAES128GCM, .aeadAES256GCM: 16
    }
  }
  /// Strength for choosing among common suites: higher is preferred.
  @inlinable public var strength: Int {
    switch self {
    case .aeadAES256GCM: 4
    case .aeadAES128GCM: 3
    case .aes128CMSHA1Tag80: 2
    case .aes128CMSHA1Tag32: 1
    }
  }
}

/// A suite with its master key and salt: what one `a=crypto` line or one DTLS export yields for one direction.
public struct SRTPMasterKey: Hashable, Sendable {
  public var suite: SRTPSuite
  /// `suite.keyCount` bytes.
  public var key: [UInt8]
  /// `suite.saltCount` bytes.
  public var salt: [UInt8]
  /// The master key identifier that the sender puts into each packet, if any (RFC 3711 §3.1); 0–128 bytes.
  public var mki: [UInt8]

  /// - Parameter keyAndSalt: `suite.keyCount + suite.saltCount` bytes, as in SDES's `inline:`.
  /// - Returns: `nil` when the length does not fit the suite.
  public init?(suite: SRTPSuite, keyAndSalt: [UInt8], mki: [UInt8] = []) {
    guard keyAndSalt.count == suite.keyCount + suite.saltCount, mki.count <= 128 else { return nil }
    self.suite = suite
    key = Array(keyAndSalt[..<suite.keyCount])
    salt = Array(keyAndSalt[suite.keyCount...])
    self.mki = mki
  }

  public var keyAndSalt: [UInt8] { key + salt }
}
