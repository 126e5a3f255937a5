//  KeptPackets.swift: the packets that a stream's last ticks took, kept a little longer.
//  Walk: JitterBuffer → KeptPackets → EncodeGroup.forward

import Primitives

/// At most `capacity` packets, oldest first; the newest `tickCount` of them belong to the present tick.
struct KeptPackets: BitwiseCopyable {
  /// Of which up to `perTick` are forwarded and the others warm up a decoder: 100 ms and more of the usual packets.
  static let capacity = 8
  private static let empty = AudioPacket(
    buffer: PacketBuffer(index: 0), payloadOffset: 0, payloadCount: 0, sequence: 0, timestamp: 0, payloadType: 0)

  private var packets: InlineArray<8, AudioPacket> = InlineArray(repeating: Self.empty)
  private var head = 0
  private(set) var count = 0
  private(set) var tickCount = 0

  mutating func beginTick() { tickCount = 0 }

  /// Its buffer is now ours; that of the oldest goes back when there are too many.
  mutating func append(_ packet: AudioPacket, _ pool: inout PacketPool) {
    if count == Self.capacity {
      pool.give(packets[head].buffer)
      head = (head &+ 1) & (Self.capacity &- 1)
      count &-= 1
    }
    packets[(head &+ count) & (Self.capacity &- 1)] = packet
    count &+= 1
    tickCount = min(tickCount &+ 1, Self.capacity)
  }

  mutating func release(_ pool: inout PacketPool) {
    while count > 0 {
      pool.give(packets[head].buffer)
      head = (head &+ 1) & (Self.capacity &- 1)
      count &-= 1
    }
    tickCount = 0
  }

  /// Every packet goes into a buffer of another pool.
  ///
  /// - Returns: packets that found no buffer there, and are lost.
  mutating func relocate(from old: inout PacketPool, to new: inout PacketPool) -> Int {
    var moved = KeptPackets()
    for index in 0..<count {
      guard let packet = self[index].moved(from: &old, to: &new) else { continue }
      moved.append(packet, &new)
    }
    moved.tickCount = min(tickCount, moved.count)
    let lost = count &- moved.count
    self = moved
    return lost
  }

  /// - Parameter index: less than `count`; 0 is the oldest.
  subscript(_ index: Int) -> AudioPacket { packets[(head &+ index) & (Self.capacity &- 1)] }

  /// - Parameter index: less than `tickCount`.
  func ofTick(_ index: Int) -> AudioPacket { self[count &- tickCount &+ index] }
}
