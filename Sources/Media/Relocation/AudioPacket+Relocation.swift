//  AudioPacket+Relocation.swift: packets that wait to be heard go into another pool's buffers.
//  Walk: MediaWorker.takeOut → AudioReceiver.relocate → MeetingParcel → AudioReceiver.relocate → MediaWorker.install

import Primitives

extension AudioPacket {
  /// The same packet in a buffer of another pool; the old buffer is given back in any case.
  ///
  /// - Returns: `nil` when that pool has none: the packet is lost.
  func moved(from old: inout PacketPool, to new: inout PacketPool) -> AudioPacket? {
    defer { old.give(buffer) }
    guard let place = new.take() else { return nil }
    let end = min(Int(payloadOffset) &+ Int(payloadCount), PacketPool.bufferSize)
    old.withBytes(of: buffer, count: end) { source in
      new.withMutableBytes(of: place) { (bytes: inout MutableRawSpan) in copyBytes(source, to: &bytes, at: 0) }
    }
    var packet = self
    packet.buffer = place
    return packet
  }
}

extension AudioReceiver {
  /// All that it holds goes into another pool: its leg moves to another worker.
  ///
  /// - Returns: packets that are lost.
  mutating func relocate(from old: inout PacketPool, to new: inout PacketPool) -> Int {
    jitter.relocate(from: &old, to: &new) &+ kept.relocate(from: &old, to: &new)
  }
}
