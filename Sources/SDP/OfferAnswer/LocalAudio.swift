//  LocalAudio.swift: our transport and key material for one call's audio.

import Primitives

/// What the caller of the negotiation provides for one leg. The keys must be fresh for the leg; the
/// negotiation itself has no randomness.
public struct LocalAudio: Hashable, Sendable {
  /// Where we receive RTP; the address family also decides which peers are compatible.
  public var media: SocketAddress
  /// Where we receive RTCP when it is not multiplexed; as a rule the next port up.
  public var control: SocketAddress
  /// Master key followed by master salt for each suite we may end up with (`keyAndSaltCount` bytes each); a
  /// suite without an entry of the right length is not used.
  public var keys: [CryptoSuite: [UInt8]]
  /// `a=label` of the stream (RFC 4574), which the roster names too.
  public var label: String?
  /// What we are willing to do; the negotiated direction is never more.
  public var direction: MediaDirection
  /// Written as `a=ssrc:… cname:…` when given (RFC 5576).
  public var source: (ssrc: UInt32, cname: String)? {
    get { ssrc.map { ($0, cname) } }
    set { (ssrc, cname) = (newValue?.ssrc, newValue?.cname ?? "") }
  }
  private var ssrc: UInt32?
  private var cname = ""

  public init(
    media: SocketAddress, control: SocketAddress? = nil, keys: [CryptoSuite: [UInt8]] = [:], label: String? = nil,
    direction: MediaDirection = .sendrecv
  ) {
    self.media = media
    self.control = control ?? media.with(port: media.port &+ 1)
    self.keys = keys
    self.label = label
    self.direction = direction
  }
}
