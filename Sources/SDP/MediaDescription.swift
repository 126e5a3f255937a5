//  MediaDescription.swift: one `m=` line and what belongs to it (RFC 8866 §5.14).

/// One stream, offered, accepted or (port 0) refused.
public struct MediaDescription: Hashable, Sendable {
  /// `audio`, `video`, `text`, `application`, `message`, `image` or anything else.
  public var kind: String
  /// 0: refused, or no longer wanted.
  public var port: UInt16
  /// The `/n` after the port: how many ports; 1 when absent.
  public var portCount: UInt16
  /// `RTP/AVP`, `RTP/SAVP`, `UDP/TLS/RTP/SAVPF` …
  public var transport: String
  /// Payload types for RTP; anything else for other protocols. Never empty.
  public var formats: [String]
  /// `i=`, `b=`, `k=` and others, in their order.
  public var lines: [SDPLine]
  public var connection: ConnectionData?
  public var attributes: [SDPAttribute]

  public init(
    kind: String, port: UInt16, portCount: UInt16 = 1, transport: String, formats: [String],
    connection: ConnectionData? = nil, lines: [SDPLine] = [], attributes: [SDPAttribute] = []
  ) {
    self.kind = kind
    self.port = port
    self.portCount = portCount
    self.transport = transport
    self.formats = formats
    self.connection = connection
    self.lines = lines
    self.attributes = attributes
  }

  /// The same stream, refused (RFC 3264 §6): port 0, the offered protocol and formats, nothing else.
  public var refused: MediaDescription {
    MediaDescription(kind: kind, port: 0, transport: transport, formats: formats)
  }
}
