//  HostSockets.swift: all workers' sockets of one process, for a leg that has moved and is still to be answered from where its peer sends.
//  Walk: MediaWorker → DatagramBatch → PortPair.send; the rest → ForeignSockets.send

import LinuxIO
import Media
import Primitives
import Synchronization

/// The descriptors of every worker's two sockets. Written when a worker starts and stops, read when another one first
/// has something to send from there.
public final class HostSockets: Sendable {
  private let descriptors = Mutex<[Int32]>(Array(repeating: -1, count: 2 * MediaWorkerLimits.workers))

  public init() {}

  func register(_ worker: Int, media: Int32, control: Int32) {
    descriptors.withLock { $0.replaceSubrange(2 * worker..<2 * worker + 2, with: [media, control]) }
  }

  func remove(_ worker: Int) { register(worker, media: -1, control: -1) }

  /// A socket of one's own on the same port.
  /// - Returns: `nil` when there is no such worker, or no descriptor left.
  func duplicate(_ number: UInt8) -> DatagramSocket? {
    // Under the lock, so that the descriptor is not closed, and its number given to something else, in between.
    descriptors.withLock { descriptors -> DatagramSocket? in
      let descriptor = descriptors[Int(number)]
      guard descriptor >= 0 else { return nil }
      return try? DatagramSocket(duplicating: descriptor, number: number)
    }
  }
}

/// The other workers' sockets that one worker sends from, opened when first needed.
struct ForeignSockets: ~Copyable {
  private let host: HostSockets?
  private var sockets: SlotTable<DatagramSocket>
  /// Of each number: its slot, −1 not yet opened, −2 cannot be.
  private var slots: InlineArray<256, Int16> = InlineArray(repeating: -1)

  init(_ host: HostSockets?) {
    self.host = host
    sockets = SlotTable(limit: 256, reserved: 1)
  }

  /// Sends what is for sockets other than `own`'s, and leaves what does not fit.
  mutating func send(_ batch: inout DatagramBatch, own: Int, pool: inout PacketPool) -> DatagramSocket.Sent {
    var sent = DatagramSocket.Sent()
    var done: InlineArray<4, UInt64> = InlineArray(repeating: 0)
    var index = 0
    while index < batch.count {
      let number = batch[index].socket
      let bit: UInt64 = 1 << UInt64(number & 63)
      guard Int(number >> 1) != own, done[Int(number >> 6)] & bit == 0 else {
        index &+= 1
        continue
      }
      done[Int(number >> 6)] |= bit
      let before = batch.count
      let slot = open(number)
      guard slot >= 0 else {
        sent.failed &+= Self.drop(number, &batch, &pool)
        index = 0
        continue
      }
      let part = sockets[slot].send(&batch, pool: &pool)
      sent.count &+= part.count
      sent.failed &+= part.failed
      sent.blocked = sent.blocked || part.blocked
      // What is left has moved forward.
      index = batch.count < before ? 0 : index &+ 1
    }
    return sent
  }

  private mutating func open(_ number: UInt8) -> Int {
    let known = slots[Int(number)]
    guard known == -1 else { return Int(known) }
    guard let socket = host?.duplicate(number) else {
      slots[Int(number)] = -2
      return -2
    }
    slots[Int(number)] = Int16(truncatingIfNeeded: sockets.insert(socket))
    return Int(slots[Int(number)])
  }

  private static func drop(_ number: UInt8, _ batch: inout DatagramBatch, _ pool: inout PacketPool) -> Int {
    var kept = 0
    let total = batch.count
    for index in 0..<total {
      let datagram = batch[index]
      if datagram.socket == number {
        pool.give(datagram.buffer)
      } else {
        batch[kept] = datagram
        kept &+= 1
      }
    }
    batch.truncate(to: kept)
    return total &- kept
  }
}
