//  OpusStreamShape.swift: what a talker's Opus packets are like, and which listeners may be sent them as they are.

import Codecs

/// Followed as packets come in, ahead of when they are played: what was there in the last 64 packets still counts, so a
/// packet that does not suit is known before its turn.
struct OpusStreamShape: BitwiseCopyable {
  /// What one packet says of itself.
  struct Packet: BitwiseCopyable {
    var mode: OpusPacket.Mode
    var stereo: Bool
    var playbackRate: Int32
    var samples: Int32
    var repeats: Bool
    var isDTX: Bool

    init(_ packet: OpusPacket, repeats: Bool) {
      mode = packet.mode
      stereo = packet.stereo
      playbackRate = packet.playbackRate
      samples = Int32(clamping: packet.samples)
      self.repeats = repeats
      isDTX = packet.isDTX
    }
  }

  /// More than the jitter buffer can hold of 20 ms packets at its ceiling.
  private static let memory: UInt8 = 64
  /// Packets of one size in a row that are taken for a constant bit rate.
  private static let constantRun: UInt16 = 50

  private(set) var mode = OpusPacket.Mode.silk
  private(set) var samples: Int32 = 0
  private var playbackRate: Int32 = 0
  private var byteCount = 0
  private var sameSize: UInt16 = 0
  /// 1/16 bytes in 20 ms, smoothed over some 30 packets.
  private var rate: Int32 = 0
  // Packets until the property is forgotten.
  private var isUnsuitable: UInt8 = 0
  private var isStereo: UInt8 = 0
  private var isWide: UInt8 = 0
  private var isRepeating: UInt8 = 0

  /// - Parameter packet: `nil` for another codec.
  mutating func note(_ packet: Packet?, byteCount bytes: Int) {
    if isUnsuitable > 0 { isUnsuitable &-= 1 }
    if isStereo > 0 { isStereo &-= 1 }
    if isWide > 0 { isWide &-= 1 }
    if isRepeating > 0 { isRepeating &-= 1 }
    guard let packet else {
      isUnsuitable = Self.memory
      return
    }
    // A frame that only keeps the stream alive says little of what follows.
    if packet.isDTX { return }
    mode = packet.mode
    if samples == 0 { samples = packet.samples }
    if packet.samples != samples {
      isUnsuitable = Self.memory
      samples = packet.samples
    }
    if packet.stereo { isStereo = Self.memory }
    if packet.repeats { isRepeating = Self.memory }
    if packet.playbackRate >= playbackRate || isWide == 0 {
      playbackRate = packet.playbackRate
      isWide = Self.memory
    }
    sameSize = bytes == byteCount ? min(sameSize &+ 1, Self.constantRun) : 0
    byteCount = bytes
    let now = Int32(clamping: bytes &* 16 &* 960 / Int(max(packet.samples, 120)))
    rate = rate == 0 ? now : rate &+ (now &- rate) / 32
  }

  /// The stream may be forwarded to listeners of `format`.
  func suits(_ format: AudioFormat, packetMilliseconds: Int) -> Bool {
    format.codec == .opus && isUnsuitable == 0 && Int(samples) == packetMilliseconds &* 48
      && playbackRate <= format.opus.maximumPlaybackRate && (isStereo == 0 || format.opus.stereo)
      && bitRate <= format.opus.acceptedBitRate && (!format.opus.constantBitRate || sameSize >= Self.constantRun)
  }

  /// Bits per second, payload only.
  var bitRate: Int32 { rate &* 25 }
  /// It carries copies of lost packets.
  var hasFEC: Bool { isRepeating > 0 }
}
