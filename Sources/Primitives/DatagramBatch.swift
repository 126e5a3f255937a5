//  DatagramBatch.swift: what one recvmmsg filled, or what one sendmmsg will send.

/// One datagram: a buffer of the worker's pool, how much of it is used, the peer's address and the socket.
@frozen public struct Datagram: Sendable, BitwiseCopyable {
  public var buffer: PacketBuffer
  public var count: UInt16
  /// Which of the host's sockets: 2 × worker for its media port, one more for the next port up, which takes RTCP without
  /// rtcp-mux.
  public var socket: UInt8
  /// RTCP: where it is to be protected, as such.
  public var isControl = false
  /// The source of a received datagram, the destination of one to send.
  public var peer: SocketAddress
  /// The slot of the leg whose key must still protect it; −1 when it may leave as it is.
  public var leg: Int32 = -1

  @inlinable public init(buffer: PacketBuffer, count: Int, socket: UInt8, peer: SocketAddress) {
    self.buffer = buffer
    self.count = UInt16(truncatingIfNeeded: count)
    self.socket = socket
    self.peer = peer
  }
}

/// A bounded list of datagrams in memory allocated once. The buffers belong to whoever holds the batch:
/// on receive to the worker core, which keeps or gives back each one; on send to the socket, which gives back all.
@safe public struct DatagramBatch: ~Copyable {
  public let capacity: Int
  @usableFromInline let storage: UnsafeMutablePointer<Datagram>
  @usableFromInline var used = 0

  public init(capacity: Int) {
    precondition(capacity > 0)
    self.capacity = capacity
    unsafe storage = UnsafeMutablePointer<Datagram>.allocate(capacity: capacity)
  }

  deinit { unsafe storage.deallocate() }

  @inlinable public var count: Int { used }
  @inlinable public var isFull: Bool { used == capacity }

  /// - Returns: `false` when the batch is full; the caller flushes it, or counts `queueFull`.
  @inlinable public mutating func append(_ datagram: Datagram) -> Bool {
    guard used < capacity else { return false }
    unsafe (storage + used).initialize(to: datagram)
    used &+= 1
    return true
  }

  @inlinable public subscript(_ index: Int) -> Datagram {
    get {
      precondition(index >= 0 && index < count)
      return unsafe storage[index]
    }
    set {
      precondition(index >= 0 && index < count)
      unsafe storage[index] = newValue
    }
  }

  @inlinable public mutating func removeAll() { used = 0 }

  /// Forgets all but the first `count`.
  @inlinable public mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= used)
    used = count
  }
}
