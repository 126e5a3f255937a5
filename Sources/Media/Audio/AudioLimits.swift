//  AudioLimits.swift: the bounds of receiving and sending audio.

@frozen public enum AudioLimits {
  /// Formats of one leg.
  public static let formats = 8
  /// Bytes that an encoder may write for one packet.
  public static let payloadBytes = 1276
  /// Packets waiting in one jitter buffer: 200 ms of 2.5 ms packets and a burst.
  public static let jitterPackets = 128
  /// Audio of one packet, 48 kHz samples: 120 ms (RFC 7587 §4.2 and our own bound for the others).
  public static let packetSamples = 5760
  /// Packets kept of a stream that is not heard: a syllable's beginning.
  public static let keptPackets = 3
}
