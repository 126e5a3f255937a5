//  DatagramSocketTests.swift: real sockets on loopback.

import LinuxIO
import Primitives
import Testing

private let loopback = SocketAddress(ipv4: 0x7f00_0001, port: 0)

/// Appends one datagram of `bytes` for `peer`.
private func add(
  _ bytes: [UInt8], to peer: SocketAddress, socket: UInt8 = 0, _ batch: inout DatagramBatch, _ pool: inout PacketPool
) {
  guard let buffer = pool.take() else {
    Issue.record("the pool is empty")
    return
  }
  pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) in
    for (index, byte) in bytes.enumerated() { span.store(byte, at: index) }
  }
  let added = batch.append(Datagram(buffer: buffer, count: bytes.count, socket: socket, peer: peer))
  #expect(added)
}

@Suite("Datagram sockets")
struct DatagramSocketTests {
  @Test("a batch arrives in order, with its source, and every buffer comes back")
  func roundTrip() throws {
    var sender = try DatagramSocket(bindingTo: loopback)
    var receiver = try DatagramSocket(bindingTo: loopback, number: 1)
    var pool = PacketPool(capacity: 512)
    var egress = DatagramBatch(capacity: 256)
    var ingress = DatagramBatch(capacity: 256)
    for index in 0..<150 {
      add([UInt8(index), 2, 3], to: receiver.localAddress, &egress, &pool)
    }

    let sent = sender.send(&egress, pool: &pool)
    while receiver.receive(into: &ingress, pool: &pool).count > 0 {}

    #expect(sent.count == 150 && sent.failed == 0 && !sent.blocked)
    #expect(egress.count == 0)
    #expect(ingress.count == 150)
    for index in 0..<ingress.count {
      let datagram = ingress[index]
      #expect(datagram.peer == sender.localAddress && datagram.count == 3 && datagram.socket == 1)
      #expect(pool.withBytes(of: datagram.buffer, count: 3) { $0.uint8(at: 0) } == UInt8(index))
    }
    #expect(pool.available == 512 - 150)
  }

  @Test("IPv6, and IPv4 peers of an IPv6 socket")
  func dualStack() throws {
    guard let any = SocketAddress(host: "::", port: 0),
      var six = try? DatagramSocket(bindingTo: any)
    else { return }  // no IPv6 here
    var four = try DatagramSocket(bindingTo: loopback)
    var pool = PacketPool(capacity: 64)
    var egress = DatagramBatch(capacity: 8)
    var ingress = DatagramBatch(capacity: 8)
    add([1], to: loopback.with(port: six.localAddress.port), &egress, &pool)

    let there = four.send(&egress, pool: &pool)
    let arrived = six.receive(into: &ingress, pool: &pool)
    #expect(there.count == 1 && arrived.count == 1)
    #expect(ingress[0].peer == four.localAddress)
    pool.give(ingress[0].buffer)
    ingress.removeAll()
    add([2], to: four.localAddress, &egress, &pool)
    let back = six.send(&egress, pool: &pool)
    let returned = four.receive(into: &ingress, pool: &pool)
    #expect(back.count == 1 && returned.count == 1)
  }

  @Test("a datagram longer than a buffer is dropped and counted, and its buffer comes back")
  func truncated() throws {
    var receiver = try DatagramSocket(bindingTo: loopback)
    var sender = try DatagramSocket(bindingTo: loopback)
    var pool = PacketPool(capacity: 64)
    var egress = DatagramBatch(capacity: 8)
    var ingress = DatagramBatch(capacity: 8)
    // The longest that a buffer can hold is not truncated; there is no way to send more from a pool buffer, so a second
    // pool's neighbour bytes are borrowed: count is what the kernel is told.
    for count in [PacketPool.bufferSize + 1, PacketPool.bufferSize] {
      guard let buffer = pool.take() else { return }
      let added = egress.append(Datagram(buffer: buffer, count: count, socket: 0, peer: receiver.localAddress))
      #expect(added)
    }

    let sent = sender.send(&egress, pool: &pool)
    #expect(sent.count == 2)
    let received = receiver.receive(into: &ingress, pool: &pool)

    #expect(received.truncated == 1 && received.count == 1)
    #expect(ingress[0].count == UInt16(PacketPool.bufferSize))
    #expect(pool.available == 63)
  }

  @Test("an empty pool: datagrams are discarded, so the socket does not stay readable")
  func exhausted() throws {
    var receiver = try DatagramSocket(bindingTo: loopback)
    var sender = try DatagramSocket(bindingTo: loopback)
    var pool = PacketPool(capacity: 16)
    var empty = PacketPool(capacity: 1)
    let last = empty.take()
    #expect(last != nil)
    var egress = DatagramBatch(capacity: 8)
    var ingress = DatagramBatch(capacity: 8)
    for _ in 0..<5 { add([1], to: receiver.localAddress, &egress, &pool) }
    let sent = sender.send(&egress, pool: &pool)

    let first = receiver.receive(into: &ingress, pool: &empty)
    let second = receiver.receive(into: &ingress, pool: &empty)

    #expect(sent.count == 5)
    #expect(first.exhausted == 5)
    #expect(second.exhausted == 0)
    #expect(ingress.count == 0)
  }

  @Test("what the kernel refuses is skipped; the others go out")
  func perDatagramErrors() throws {
    var receiver = try DatagramSocket(bindingTo: loopback)
    var sender = try DatagramSocket(bindingTo: loopback)
    var pool = PacketPool(capacity: 16)
    var egress = DatagramBatch(capacity: 8)
    var ingress = DatagramBatch(capacity: 8)
    add([1], to: loopback.with(port: 0), &egress, &pool)  // EINVAL
    add([2], to: receiver.localAddress, &egress, &pool)
    add([3], to: SocketAddress(ipv4: 0xffff_ffff, port: 9), &egress, &pool)  // EACCES: broadcast
    add([4], to: receiver.localAddress, &egress, &pool)

    let sent = sender.send(&egress, pool: &pool)

    #expect(sent.count == 2 && sent.failed == 2 && !sent.blocked)
    #expect(pool.available == 16)
    let received = receiver.receive(into: &ingress, pool: &pool)
    #expect(received.count == 2)
  }

  @Test("a taken port is told apart from other failures")
  func addressInUse() throws {
    let first = try DatagramSocket(bindingTo: loopback)
    let taken = first.localAddress

    #expect(throws: LinuxError.addressInUse(taken)) { _ = try DatagramSocket(bindingTo: taken) }
    let foreign = SocketAddress(ipv4: 0xc000_0201, port: 0)
    #expect(throws: LinuxError.addressNotAvailable(foreign)) { _ = try DatagramSocket(bindingTo: foreign) }
  }

  @Test("a pair: even port, the next one up, and a batch over both")
  func pair() throws {
    var pair = try PortPair(bindingTo: loopback)
    var receiver = try DatagramSocket(bindingTo: loopback)
    var pool = PacketPool(capacity: 16)
    var egress = DatagramBatch(capacity: 8)
    var ingress = DatagramBatch(capacity: 8)
    for socket in [UInt8(1), 0, 1, 0] { add([socket], to: receiver.localAddress, socket: socket, &egress, &pool) }

    let sent = pair.send(&egress, pool: &pool)
    _ = receiver.receive(into: &ingress, pool: &pool)

    #expect(pair.media.localAddress.port % 2 == 0)
    #expect(pair.control.localAddress.port == pair.media.localAddress.port + 1)
    #expect(sent.count == 4 && ingress.count == 4)
    for index in 0..<ingress.count {
      let datagram = ingress[index]
      let socket = pool.withBytes(of: datagram.buffer, count: 1) { $0.uint8(at: 0) }
      let port = pair.media.localAddress.port + (socket == 0 ? 0 : 1)
      #expect(datagram.peer.port == port)
    }
    let taken = pair.media.localAddress
    #expect(throws: LinuxError.addressInUse(taken)) { _ = try PortPair(bindingTo: taken) }
  }

  @Test("the kernel's grant is reported")
  func buffers() throws {
    let socket = try DatagramSocket(bindingTo: loopback)
    #expect(socket.receiveBufferBytes > 0 && socket.sendBufferBytes > 0)
  }
}
