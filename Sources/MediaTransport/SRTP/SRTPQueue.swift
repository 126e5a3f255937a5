//  SRTPQueue.swift: packets of a pool that wait for their keys, protected or unprotected in one go.
//  Walk: DatagramRouter → SRTPQueue.unprotect → RTPHeader; SendStream → SRTPQueue.protect → DatagramSocket.send

import Primitives

/// A bounded list of packets with their sessions, in memory allocated once, around `SRTPBatch`.
///
/// Between `append` and the call that does the work, the sessions stay alive and the buffers stay taken. Packets keep
/// their order, so a session's packets keep theirs.
@safe public struct SRTPQueue: ~Copyable {
  public let capacity: Int
  private let items: UnsafeMutablePointer<SRTPItem>
  public private(set) var count = 0

  public init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
    unsafe items = UnsafeMutablePointer<SRTPItem>.allocate(capacity: capacity)
  }

  deinit { unsafe items.deallocate() }

  /// - Parameters:
  ///   - count: bytes of packet in `buffer`, all of which is room to grow.
  ///   - isControl: RTCP instead of RTP.
  /// - Precondition: fewer than `capacity` packets wait.
  public mutating func append(
    _ session: borrowing SRTPSession, _ buffer: PacketBuffer, count: Int, isControl: Bool, in pool: borrowing PacketPool
  ) {
    precondition(self.count < capacity)
    unsafe (items + self.count).initialize(
      to: SRTPItem(
        packet: pool.pointer(to: buffer), count: count, capacity: PacketPool.bufferSize, session: session.handle,
        isControl: isControl))
    self.count &+= 1
  }

  public mutating func protect(with engine: inout SRTPCipherEngine) {
    unsafe SRTPBatch.protect(UnsafeMutableBufferPointer(start: items, count: count), with: &engine)
  }

  public mutating func unprotect(with engine: inout SRTPCipherEngine) {
    unsafe SRTPBatch.unprotect(UnsafeMutableBufferPointer(start: items, count: count), with: &engine)
  }

  /// Bytes of the packet after the work.
  /// - Throws: why it must be dropped.
  public func count(of index: Int) throws(DropReason) -> Int {
    precondition(index >= 0 && index < count)
    if let failure = unsafe items[index].failure { throw failure }
    return unsafe items[index].count
  }

  public mutating func removeAll() { count = 0 }
}
