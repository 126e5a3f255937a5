//  SessionDescription.swift: a whole session description as a value (RFC 8866 §5).

import Primitives

/// What an SDP body says. Equality compares what is written, not what is meant.
public struct SessionDescription: Hashable, Sendable {
  public var origin: SessionOrigin
  /// `s=`; `-` when there is none.
  public var name: String
  /// Lines between `s=` and `t=` other than `c=`, in their order: `i=`, `u=`, `e=`, `p=`, `b=`.
  public var headLines: [SDPLine]
  /// The session's `c=`, which media descriptions without their own use.
  public var connection: ConnectionData?
  /// `t=`, then any `r=`, `z=`, `k=`, in their order.
  public var timeLines: [SDPLine]
  public var attributes: [SDPAttribute]
  public var media: [MediaDescription]

  public init(
    origin: SessionOrigin, name: String = "-", headLines: [SDPLine] = [], connection: ConnectionData? = nil,
    timeLines: [SDPLine] = [SDPLine("t", "0 0")], attributes: [SDPAttribute] = [], media: [MediaDescription] = []
  ) {
    self.origin = origin
    self.name = name
    self.headLines = headLines
    self.connection = connection
    self.timeLines = timeLines
    self.attributes = attributes
    self.media = media
  }

  /// A legal offer or answer of no streams at all (RFC 3264 §5): the control dialog's SDP.
  public static func withoutMedia(sessionID: UInt64, version: UInt64 = 1, address: SocketAddress) -> SessionDescription
  {
    SessionDescription(
      origin: SessionOrigin(sessionID: sessionID, version: version, address: address),
      connection: ConnectionData(address))
  }

  /// The MIME type of what `encoded()` writes.
  public static let contentType = "application/sdp"

  /// The connection that applies to a media description.
  public func connection(of media: MediaDescription) -> ConnectionData? { media.connection ?? connection }

  /// The direction that applies to a media description; `sendrecv` when nothing says otherwise (RFC 8866 §6.7).
  public func direction(of media: MediaDescription) -> MediaDirection {
    media.direction ?? MediaDirection.first(in: attributes) ?? .sendrecv
  }
}
