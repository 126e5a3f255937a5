//  MediaWorker+Egress.swift: what the worker wrote in the clear gets its protection, many packets at a time.
//  Walk: SendStream → DatagramBatch → MediaWorker.protectEgress → SRTPQueue.protect → DatagramSocket.send

import MediaTransport
import Primitives

extension MediaWorker {
  /// Protects, in place and in order, every datagram from `first` on that names a leg. What a key refuses is dropped and
  /// counted. Must be called before a leg that is named goes, and before the shell sees the batch.
  mutating func protectEgress(_ egress: inout DatagramBatch, from first: Int) {
    let total = egress.count
    var kept = first
    var next = first
    while next < total {
      let end = min(total, next &+ Self.cipherBatch)
      cipherQueue.removeAll()
      for index in next..<end {
        let datagram = egress[index]
        guard datagram.leg >= 0 else { continue }
        Self.enqueue(datagram, Int(datagram.leg), legs, &cipherQueue, pool)
      }
      cipherQueue.protect(with: &ciphers)
      var item = 0
      for index in next..<end {
        var datagram = egress[index]
        if datagram.leg >= 0 {
          do throws(DropReason) {
            datagram.count = UInt16(truncatingIfNeeded: try cipherQueue.count(of: item))
            item &+= 1
          } catch {
            item &+= 1
            counters.drops.count(error)
            legs[Int(datagram.leg)].evidence.unsent &+= 1
            pool.give(datagram.buffer)
            continue
          }
          datagram.leg = -1
        }
        counters.bytesOut &+= UInt64(datagram.count)
        egress[kept] = datagram
        kept &+= 1
      }
      next = end
    }
    cipherQueue.removeAll()
    egress.truncate(to: kept)
    counters.packetsOut &+= UInt64(truncatingIfNeeded: kept &- first)
  }

  /// - Precondition: the leg has a key: others' datagrams name none.
  static func enqueue(
    _ datagram: Datagram, _ slot: Int, _ legs: borrowing SlotTable<Leg>, _ queue: inout SRTPQueue,
    _ pool: borrowing PacketPool
  ) {
    switch legs[slot].session {
    case .some(let session):
      queue.append(session, datagram.buffer, count: Int(datagram.count), isControl: datagram.isControl, in: pool)
    case .none: preconditionFailure("a leg without a key")
    }
  }
}
