//  PacketKind.swift: which protocol a datagram on a media port speaks (RFC 7983 §7, RFC 5761 §4).

import Primitives

/// What a datagram is, by its first two bytes alone: nothing else of it is checked.
@frozen public enum PacketKind: UInt8, Sendable, BitwiseCopyable {
  case rtp
  case rtcp
  case stun
  case dtls
  case zrtp
  case turnChannel
  /// In no range, or empty, or a lone byte in RTP's range.
  case unknown

  @inlinable public init(of bytes: RawSpan) {
    guard let first = bytes.uint8(at: 0) else {
      self = .unknown
      return
    }
    if first >= 128 && first <= 191 {
      guard let second = bytes.uint8(at: 1) else {
        self = .unknown
        return
      }
      // RTCP's packet types 192–223 are RTP's marker with payload types 64–95, which RFC 5761 §4 keeps free.
      self = second >= 192 && second <= 223 ? .rtcp : .rtp
      return
    }
    switch first {
    case 0...3: self = .stun
    case 16...19: self = .zrtp
    case 20...63: self = .dtls
    case 64...79: self = .turnChannel
    default: self = .unknown
    }
  }
}
