//  MeetingParcel.swift: a meeting on its way from one worker to another, as one box that has one owner at a time.
//  Walk: MediaWorker.takeOut → MeetingParcel ⇢ LinkMessage ⇢ MediaWorker.install

import Primitives

/// Everything that a worker knew of one meeting: its legs with their keys, jitter buffers and streams, its encoders, and
/// the packets that wait to be heard. Nothing in it refers to the worker that it left: places are counted from 0.
///
/// Made by one worker, opened by another; in between a link message carries its address, and the queue orders the memory.
final class MeetingParcel: @unchecked Sendable {
  // @unchecked: one owner at a time, handed over through a queue.

  private var content: Meeting?
  /// In the order of the meeting's own list.
  var legs: SlotTable<Leg>
  var encoders: SlotTable<EncodeGroup>
  /// What waits in the legs' jitter buffers.
  var packets: PacketPool
  /// The next tick of the meeting: its number, and when it is due.
  let tick: Int64
  let due: Instant
  /// As the worker's counter stood.
  let timelines: UInt32

  init(
    _ meeting: consuming Meeting, legs: Int, encoders: Int, packets: Int, tick: Int64, due: Instant, timelines: UInt32
  ) {
    content = .some(meeting)
    self.legs = SlotTable(limit: max(1, legs))
    self.encoders = SlotTable(limit: max(1, encoders))
    unsafe self.packets = PacketPool(capacity: max(1, packets))
    self.tick = tick
    self.due = due
    self.timelines = timelines
  }

  /// The meeting, to be taken once.
  func takeMeeting() -> Meeting? { content.take() }

  /// What a link message carries; the receiver owes one `open`.
  var handle: UInt64 {
    let address = unsafe Unmanaged.passRetained(self).toOpaque()
    return UInt64(UInt(bitPattern: address))
  }

  /// The parcel that `handle` was made from: once for each.
  static func open(_ handle: UInt64) -> MeetingParcel? {
    guard let address = unsafe UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: handle)) else { return nil }
    // Only workers of this process make such messages, and each from a parcel of its own.
    return unsafe Unmanaged<MeetingParcel>.fromOpaque(address).takeRetainedValue()
  }
}
