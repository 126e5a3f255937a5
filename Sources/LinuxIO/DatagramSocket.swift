//  DatagramSocket.swift: one UDP socket that receives into and sends out of a packet pool, many datagrams a call.
//  Walk: WorkerThread → DatagramSocket.receive → MediaWorker.receive … DatagramSocket.send

import CLinux
import Primitives

/// A non-blocking UDP socket with its prebuilt message headers: nothing is allocated after init.
@safe public struct DatagramSocket: ~Copyable {
  /// Datagrams in one system call.
  public static let maximumBatch = 64

  public struct Options: Sendable {
    /// Asked of the kernel; what it grants is in `receiveBufferBytes` and `sendBufferBytes`.
    public var receiveBufferBytes = 4 << 20
    public var sendBufferBytes = 4 << 20
    /// DSCP EF (RFC 4594 §4.1), shifted as IP_TOS wants it; 0 for best effort.
    public var trafficClass = 46 << 2
    public init() {}
  }

  /// What one `receive` saw.
  @frozen public struct Received: Sendable {
    /// Appended to the batch.
    public var count = 0
    /// Longer than a buffer: dropped.
    public var truncated = 0
    /// Dropped because the pool had no buffer.
    public var exhausted = 0
    /// The call was filled to its limit: there is probably more.
    public var more = false
    @inlinable public init() {}
  }

  /// What one `send` did.
  @frozen public struct Sent: Sendable {
    public var count = 0
    /// Refused by the kernel one by one (unreachable, forbidden, port 0): skipped.
    public var failed = 0
    /// The socket's buffer is full: the rest is still in the batch.
    public var blocked = false
    @inlinable public init() {}
  }

  /// What a waiting voice packet takes of a socket's buffer: measured 832 bytes on loopback; a network card's driver may
  /// take a page's half.
  public static let kernelBytesPerPacket = 832

  /// Voice packets that the receive buffer holds: the kernel lets twice the granted bytes wait, its own bookkeeping
  /// included.
  public var receiveBufferPackets: Int { 2 * receiveBufferBytes / Self.kernelBytesPerPacket }

  public let descriptor: Int32
  /// With the port that the kernel chose when 0 was asked for.
  public let localAddress: SocketAddress
  public let receiveBufferBytes: Int
  public let sendBufferBytes: Int
  /// What `Datagram.socket` is for this one.
  public let number: UInt8
  private let isIPv6: Bool
  private let headers: UnsafeMutablePointer<cl_message>
  private let vectors: UnsafeMutablePointer<iovec>
  private let names: UnsafeMutablePointer<cl_address>
  private let buffers: UnsafeMutablePointer<PacketBuffer>
  private let positions: UnsafeMutablePointer<Int32>
  /// How many buffers the next receive offers: follows traffic, so that a lone packet does not cost 64 buffers' handling.
  private var window = 16

  /// - Throws: `.addressInUse`, `.addressNotAvailable`, `.notPermitted` or `.exhausted`, each worth its own message.
  public init(bindingTo address: SocketAddress, number: UInt8 = 0, options: Options = Options()) throws(LinuxError) {
    let isIPv6 = !address.isIPv4
    let opened = cl_datagram_socket(isIPv6 ? 1 : 0)
    guard opened >= 0 else { throw LinuxError(call: "socket", result: opened) }
    var name = cl_address()
    let size = unsafe cl_address_from(&name, isIPv6 ? 1 : 0, address.high, address.low, address.port)
    let bound = unsafe cl_bind(opened, &name, size)
    guard bound == 0 else {
      _ = cl_close(opened)
      throw LinuxError(call: "bind", result: bound, address: address)
    }
    let receiving = cl_set_buffer(opened, 1, Int32(clamping: options.receiveBufferBytes))
    let sending = cl_set_buffer(opened, 0, Int32(clamping: options.sendBufferBytes))
    if options.trafficClass != 0 { _ = cl_set_traffic_class(opened, isIPv6 ? 1 : 0, Int32(options.trafficClass)) }
    self.init(owning: opened, number: number, receiveBufferBytes: Int(receiving), sendBufferBytes: Int(sending))
  }

  /// A second descriptor of a socket that another thread owns: sends what the owner's peers are to get from the address
  /// that they know, and may receive when the owner has stopped.
  ///
  /// - Parameter number: as the owner's.
  /// - Throws: `.exhausted` at the limit of descriptors; `.other` when there is no such descriptor.
  public init(duplicating other: Int32, number: UInt8) throws(LinuxError) {
    let opened = cl_duplicate(other)
    guard opened >= 0 else { throw LinuxError(call: "fcntl", result: opened) }
    self.init(owning: opened, number: number, receiveBufferBytes: 0, sendBufferBytes: 0)
  }

  /// - Parameter opened: a bound socket; closed with this value.
  private init(owning opened: Int32, number: UInt8, receiveBufferBytes: Int, sendBufferBytes: Int) {
    var name = cl_address()
    var size: UInt32 = 0
    unsafe _ = cl_local_address(opened, &name, &size)
    localAddress = unsafe Self.address(of: &name)
    isIPv6 = unsafe cl_address_is_ipv6(&name) != 0
    self.number = number
    self.receiveBufferBytes = receiveBufferBytes
    self.sendBufferBytes = sendBufferBytes
    descriptor = opened
    let count = Self.maximumBatch
    unsafe headers = UnsafeMutablePointer<cl_message>.allocate(capacity: count)
    unsafe vectors = UnsafeMutablePointer<iovec>.allocate(capacity: count)
    unsafe names = UnsafeMutablePointer<cl_address>.allocate(capacity: count)
    unsafe buffers = UnsafeMutablePointer<PacketBuffer>.allocate(capacity: count)
    unsafe positions = UnsafeMutablePointer<Int32>.allocate(capacity: count)
    for index in 0..<count {
      unsafe (vectors + index).initialize(to: iovec(iov_base: nil, iov_len: 0))
      unsafe (names + index).initialize(to: cl_address())
      var message = unsafe cl_message()
      unsafe message.header.msg_name = UnsafeMutableRawPointer(names + index)
      unsafe message.header.msg_iov = vectors + index
      unsafe message.header.msg_iovlen = 1
      unsafe (headers + index).initialize(to: message)
      unsafe (buffers + index).initialize(to: PacketBuffer(index: 0))
      unsafe (positions + index).initialize(to: 0)
    }
  }

  deinit {
    _ = cl_close(descriptor)
    unsafe headers.deallocate()
    unsafe vectors.deallocate()
    unsafe names.deallocate()
    unsafe buffers.deallocate()
    unsafe positions.deallocate()
  }

  /// One `recvmmsg` into buffers of `pool`, appended to `batch` with their sources.
  ///
  /// - Postcondition: every buffer taken is in `batch` or back in `pool`.
  public mutating func receive(into batch: inout DatagramBatch, pool: inout PacketPool) -> Received {
    var received = Received()
    let room = min(window, batch.capacity - batch.count)
    guard room > 0 else {
      received.more = true
      return received
    }
    var offered = 0
    while offered < room, let buffer = pool.take() {
      unsafe buffers[offered] = buffer
      unsafe vectors[offered].iov_base = pool.pointer(to: buffer)
      unsafe vectors[offered].iov_len = PacketPool.bufferSize
      unsafe headers[offered].header.msg_namelen = socklen_t(MemoryLayout<cl_address>.size)
      unsafe headers[offered].header.msg_flags = 0
      offered &+= 1
    }
    guard offered > 0 else { return discard(upTo: room) }
    let filled = unsafe max(0, Int(cl_recvmmsg(descriptor, headers, UInt32(offered))))
    for index in 0..<offered {
      let buffer = unsafe buffers[index]
      guard index < filled else {
        pool.give(buffer)
        continue
      }
      if unsafe headers[index].header.msg_flags & CL_MSG_TRUNC != 0 {
        received.truncated &+= 1
        pool.give(buffer)
        continue
      }
      let datagram = unsafe Datagram(
        buffer: buffer, count: Int(headers[index].count), socket: number, peer: Self.address(of: names + index))
      if batch.append(datagram) { received.count &+= 1 } else { pool.give(buffer) }
    }
    received.more = filled == offered
    window = received.more ? min(Self.maximumBatch, window &* 2) : max(8, min(window, filled &* 2 &+ 4))
    return received
  }

  /// Keeps a full socket from waking its thread for ever while the pool is empty.
  private func discard(upTo count: Int) -> Received {
    var received = Received()
    while received.exhausted < count, cl_discard(descriptor) >= 0 { received.exhausted &+= 1 }
    received.more = received.exhausted == count
    return received
  }

  /// Sends the datagrams of `batch` that are for this socket, and gives their buffers back to `pool`.
  ///
  /// When the kernel's buffer is full, what is left stays in the batch, in order, together with other sockets' datagrams.
  public mutating func send(_ batch: inout DatagramBatch, pool: inout PacketPool) -> Sent {
    var sent = Sent()
    var next = 0
    var kept = 0
    let total = batch.count
    while next < total, !sent.blocked {
      var gathered = 0
      while next < total, gathered < Self.maximumBatch {
        let datagram = batch[next]
        if datagram.socket == number {
          unsafe prepare(gathered, datagram, at: pool.pointer(to: datagram.buffer))
          unsafe positions[gathered] = Int32(truncatingIfNeeded: next)
          gathered &+= 1
        } else {
          batch[kept] = datagram
          kept &+= 1
        }
        next &+= 1
      }
      var done = 0
      while done < gathered {
        let result = unsafe cl_sendmmsg(descriptor, headers + done, UInt32(gathered &- done))
        if result > 0 {
          sent.count &+= Int(result)
          done &+= min(Int(result), gathered &- done)
        } else if result == -11 || result == -105 {  // EAGAIN, ENOBUFS: full
          sent.blocked = true
          break
        } else if result != -4 {  // EINTR tries again; anything else is this one datagram's fault
          sent.failed &+= 1
          done &+= 1
        }
      }
      for index in 0..<done { unsafe pool.give(buffers[index]) }
      for index in done..<gathered {
        // `kept` never passes the place where a gathered datagram came from: compaction only moves forward.
        let position = unsafe Int(positions[index])
        batch[kept] = batch[position]
        kept &+= 1
      }
    }
    while next < total {
      batch[kept] = batch[next]
      kept &+= 1
      next &+= 1
    }
    batch.truncate(to: kept)
    return sent
  }

  private func prepare(_ index: Int, _ datagram: Datagram, at bytes: UnsafeMutableRawPointer) {
    let peer = datagram.peer
    unsafe buffers[index] = datagram.buffer
    unsafe vectors[index].iov_base = bytes
    unsafe vectors[index].iov_len = Int(datagram.count)
    unsafe headers[index].header.msg_flags = 0
    unsafe headers[index].header.msg_namelen = cl_address_from(
      names + index, isIPv6 ? 1 : 0, peer.high, peer.low, peer.port)
  }

  private static func address(of name: UnsafePointer<cl_address>) -> SocketAddress {
    var address = SocketAddress(high: 0, low: 0, port: 0)
    unsafe cl_address_to(name, &address.high, &address.low, &address.port)
    return address
  }
}
