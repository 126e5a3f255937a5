//  MediaProfile.swift: the transport protocols of an RTP `m=` line (RFC 8866 §8.2.2).

/// What the `proto` field asks for.
enum MediaProfile: Hashable {
  /// `RTP/AVP`, `RTP/AVPF`. With `a=crypto` in it, as many phones offer "encryption if possible", it is taken as
  /// SRTP, and the answer keeps the profile's name.
  case plain
  /// `RTP/SAVP`, `RTP/SAVPF`.
  case secure
  /// `UDP/TLS/RTP/…`: keys by DTLS, which Parley does not do yet.
  case dtls
  case other

  init(_ transport: String) {
    switch transport.uppercased() {
    case "RTP/AVP", "RTP/AVPF": self = .plain
    case "RTP/SAVP", "RTP/SAVPF": self = .secure
    case "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF": self = .dtls
    default: self = .other
    }
  }
}
