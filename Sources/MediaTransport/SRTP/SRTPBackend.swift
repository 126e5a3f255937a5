//  SRTPBackend.swift: which library transforms packets, chosen once at start.

/// Which implementation transforms packets (configuration key `media-host.srtp`).
public enum SRTPBackend: String, CaseIterable, Sendable {
  /// Parley's own framing over Intel's ipsec-mb; where it is slower than OpenSSL (few packets with HMAC), over that.
  case ipsecMB = "ipsec-mb"
  /// Parley's own framing over OpenSSL's EVP ciphers.
  case evp
  /// libsrtp2, whole: slower; the oracle of the tests.
  case reference

  /// Whether this machine can run it: ipsec-mb needs AES instructions, and must have passed its own test.
  public var isAvailable: Bool { self != .ipsecMB || IPsecMB.shared != nil }

  /// The fastest that this machine can run: what `auto` means.
  public static func best() -> SRTPBackend { ipsecMB.isAvailable ? .ipsecMB : .evp }

  /// With the processor's extension that ipsec-mb chose, for the log.
  public var description: String {
    guard self == .ipsecMB, let library = IPsecMB.shared else { return rawValue }
    return "\(rawValue) (\(library.architecture))"
  }
}
