//  AddressFan.swift: one UDP port on every local IPv4 address: thousands of peers' ends behind one descriptor.

import CLinux
import Primitives

/// A datagram socket that sends from and receives at any of this machine's IPv4 addresses, so that one thread can play
/// thousands of endpoints (127.16.0.1, 127.16.0.2, …), each with an address of its own, in batches.
@safe public struct AddressFan: ~Copyable {
  /// Datagrams of one system call.
  public static let batch = 64
  public static let datagramBytes = 2_048

  public let descriptor: Int32
  public let port: UInt16
  private let received: UnsafeMutablePointer<cl_fan_datagram>
  private let receiveMemory: UnsafeMutableRawPointer
  private let queued: UnsafeMutablePointer<cl_fan_datagram>
  private let sendMemory: UnsafeMutableRawPointer
  private var queuedCount = 0
  /// Datagrams that the kernel did not take.
  public private(set) var failures: UInt64 = 0

  public init(port: UInt16, bufferBytes: Int = 8 << 20) throws(LinuxError) {
    let result = cl_fan_socket(port, Int32(clamping: bufferBytes))
    guard result >= 0 else {
      throw LinuxError(call: "bind", result: result, address: SocketAddress(ipv4: 0, port: port))
    }
    descriptor = result
    self.port = port
    unsafe received = .allocate(capacity: Self.batch)
    unsafe queued = .allocate(capacity: Self.batch)
    unsafe receiveMemory = .allocate(byteCount: Self.batch * Self.datagramBytes, alignment: 64)
    unsafe sendMemory = .allocate(byteCount: Self.batch * Self.datagramBytes, alignment: 64)
    for index in 0..<Self.batch {
      unsafe (received + index).initialize(to: cl_fan_datagram())
      unsafe (queued + index).initialize(to: cl_fan_datagram())
      unsafe received[index].data = receiveMemory + index * Self.datagramBytes
      unsafe queued[index].data = sendMemory + index * Self.datagramBytes
    }
  }

  deinit {
    _ = cl_close(descriptor)
    unsafe received.deallocate()
    unsafe queued.deallocate()
    unsafe receiveMemory.deallocate()
    unsafe sendMemory.deallocate()
  }

  /// Reads one batch and shows each datagram to `body`, writable: local IPv4 address, peer, bytes, their count.
  /// - Returns: how many were read; less than `batch` means that the queue is empty.
  public mutating func receive(
    _ body: (_ local: UInt32, _ peer: SocketAddress, _ bytes: inout MutableRawSpan, _ count: Int) -> Void
  ) -> Int {
    let result = unsafe cl_fan_receive(descriptor, received, UInt32(Self.batch), UInt32(Self.datagramBytes))
    guard result > 0 else { return 0 }
    for index in 0..<Int(result) {
      let datagram = unsafe received[index]
      let memory = unsafe UnsafeMutableRawBufferPointer(
        start: receiveMemory + index * Self.datagramBytes, count: Self.datagramBytes)
      var bytes = unsafe memory.mutableBytes
      let peer = unsafe SocketAddress(ipv4: datagram.remote, port: datagram.remote_port)
      unsafe body(datagram.local, peer, &bytes, Int(min(datagram.count, UInt16(Self.datagramBytes))))
    }
    return Int(result)
  }

  /// Datagrams that found the receive buffer full: lost by this process, not by the network.
  public var drops: UInt64 {
    var count: UInt32 = 0
    return unsafe cl_fan_drops(descriptor, &count) == 0 ? UInt64(count) : 0
  }

  /// How many datagrams wait for `flush`; at `batch` nothing more is queued.
  public var waiting: Int { queuedCount }

  /// Queues what `body` writes, up to `batch` of them; sends nothing yet.
  ///
  /// - Parameter body: returns how many bytes it wrote; `nil` to queue nothing.
  /// - Returns: its place in the queue, until `flush`; `nil` when nothing was queued.
  @discardableResult
  public mutating func queue(
    from local: UInt32, to peer: SocketAddress, _ body: (inout MutableRawSpan) -> Int?
  ) -> Int? {
    guard queuedCount < Self.batch, let remote = peer.ipv4 else { return nil }
    let memory = unsafe UnsafeMutableRawBufferPointer(
      start: sendMemory + queuedCount * Self.datagramBytes, count: Self.datagramBytes)
    var bytes = unsafe memory.mutableBytes
    guard let count = body(&bytes), count > 0, count <= Self.datagramBytes else { return nil }
    unsafe queued[queuedCount].local = local
    unsafe queued[queuedCount].remote = remote
    unsafe queued[queuedCount].remote_port = peer.port
    unsafe queued[queuedCount].count = UInt16(count)
    queuedCount += 1
    return queuedCount - 1
  }

  /// The `datagramBytes` of a queued datagram, for ciphers that take a whole batch. Valid until `flush`.
  @unsafe public func memory(of place: Int) -> UnsafeMutableRawPointer {
    precondition(place >= 0 && place < queuedCount)
    return unsafe sendMemory + place * Self.datagramBytes
  }

  /// How many bytes of a queued datagram are to be sent; 0 takes it out of the queue.
  public mutating func resize(_ place: Int, to count: Int) {
    precondition(place >= 0 && place < queuedCount && count >= 0 && count <= Self.datagramBytes)
    unsafe queued[place].count = UInt16(count)
  }
  /// From where and to where a queued datagram goes.
  public func route(of place: Int) -> (local: UInt32, peer: SocketAddress) {
    precondition(place >= 0 && place < queuedCount)
    let datagram = unsafe queued[place]
    return unsafe (datagram.local, SocketAddress(ipv4: datagram.remote, port: datagram.remote_port))
  }
  public func count(of place: Int) -> Int {
    precondition(place >= 0 && place < queuedCount)
    return unsafe Int(queued[place].count)
  }

  /// Queues what `body` writes; flushes by itself when the batch is full.
  /// - Parameter body: returns how many bytes it wrote; `nil` to send nothing.
  public mutating func send(
    from local: UInt32, to peer: SocketAddress, _ body: (inout MutableRawSpan) -> Int?
  ) {
    queue(from: local, to: peer, body)
    if queuedCount == Self.batch { flush() }
  }

  /// Sends what is queued. What the kernel does not take at once is lost, and counted: the network's behaviour.
  public mutating func flush() {
    var start = 0
    while start < queuedCount {
      guard unsafe queued[start].count > 0 else {
        start += 1
        continue
      }
      var end = start + 1
      while end < queuedCount, unsafe queued[end].count > 0 { end += 1 }
      let result = unsafe cl_fan_send(descriptor, queued + start, UInt32(end - start))
      if result > 0 {
        start += Int(result)
      } else {
        failures &+= 1
        start += 1
      }
    }
    queuedCount = 0
  }
}
