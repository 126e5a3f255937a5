//  SRTPBackend.swift: which library transforms packets, chosen once at start.

/// Which implementation transforms packets (configuration key `srtp`).
public enum SRTPBackend: String, CaseIterable, Sendable {
  /// Parley's own framing over Intel's ipsec-mb; what it does less well packet by packet, OpenSSL's EVP does.
  case ipsecMB = "ipsec-mb"
  /// Parley's own framing over OpenSSL's EVP ciphers.
  case evp
  /// libsrtp2, whole: slower; the oracle of the tests.
  case reference

  /// The fastest that this machine can run: what `auto` means.
  public static func best() -> SRTPBackend { .evp }
}
