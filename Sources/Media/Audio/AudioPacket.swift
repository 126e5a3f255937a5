//  AudioPacket.swift: one received audio packet as the jitter buffer keeps it: a buffer handle and where the payload lies.
//  Walk: ReceiveStream → AudioPacket → AudioReceiver.insert

import Primitives

/// An audio packet after SRTP and header parsing; the bytes stay in the pool's buffer.
@frozen public struct AudioPacket: Sendable, BitwiseCopyable {
  public var buffer: PacketBuffer
  /// Where the codec's payload (padding removed) lies in the buffer.
  public var payloadOffset: UInt16
  public var payloadCount: UInt16
  public var sequence: UInt16
  public var timestamp: UInt32
  /// 0–127.
  public var payloadType: UInt8
  public var marker: Bool
  /// RFC 6464: 0…127 for 0…−127 dBov; nil without the extension.
  public var level: UInt8?

  @inlinable public init(
    buffer: PacketBuffer, payloadOffset: UInt16, payloadCount: UInt16, sequence: UInt16, timestamp: UInt32,
    payloadType: UInt8, marker: Bool = false, level: UInt8? = nil
  ) {
    self.buffer = buffer
    self.payloadOffset = payloadOffset
    self.payloadCount = payloadCount
    self.sequence = sequence
    self.timestamp = timestamp
    self.payloadType = payloadType
    self.marker = marker
    self.level = level
  }
}
