//  AudioLevel.swift: the client-to-mixer audio level (RFC 6464 §3).

/// How loud one packet's audio is, as its sender says.
@frozen public struct AudioLevel: Hashable, Sendable, BitwiseCopyable {
  /// The V bit and 7 bits of level, as on the wire.
  public var byte: UInt8

  @inlinable public init(byte: UInt8) { self.byte = byte }

  /// - Parameter attenuation: in −dBov, 0 the loudest, 127 silence; larger is clamped.
  @inlinable public init(attenuation: UInt8, voice: Bool) {
    byte = min(attenuation, 127) | (voice ? 0x80 : 0)
  }

  /// In −dBov: 0 is the loudest, 127 is silence.
  @inlinable public var attenuation: UInt8 { byte & 0x7f }
  /// The sender believes that the packet carries voice.
  @inlinable public var isVoice: Bool { byte & 0x80 != 0 }
}
