//  SocketSteps.swift: what the kernel takes for a UDP packet on loopback, and for one sleep.

import LinuxIO
import Primitives

func socketSteps() throws {
  try packetSteps()
  try waitSteps()
  var sum: Int64 = 0
  measure("the monotonic clock read", count: 1_000_000) { _ in sum &+= MonotonicClock.now().nanoseconds }
  precondition(sum != 0)
}

/// The sender's figure holds the receiver's half of the kernel's work too, up to its socket: that is loopback.
private func packetSteps() throws {
  var sender = try DatagramSocket(bindingTo: SocketAddress(ipv4: 0x7f00_0001, port: 0))
  var receiver = try DatagramSocket(bindingTo: SocketAddress(ipv4: 0, port: 0), number: 1)
  var pool = PacketPool(capacity: 256)
  var egress = DatagramBatch(capacity: 64)
  var ingress = DatagramBatch(capacity: 64)
  let size = 80 + 12 + 16
  let rounds = 9
  for batch in [1, 64] {
    var sending: [Double] = []
    var receiving: [Double] = []
    var sendAllocations = 0.0
    var receiveAllocations = 0.0
    for _ in 0..<rounds {
      var sent = Stopwatch()
      var received = Stopwatch()
      let turns = 6_400 / batch
      for turn in 0..<turns {
        for index in 0..<batch {
          guard let buffer = pool.take() else { throw DropReason.poolExhausted }
          // 200 destinations in turn, as in a meeting of 200.
          let peer = SocketAddress(
            ipv4: 0x7f10_0001 + UInt32((turn * batch + index) % 200), port: receiver.localAddress.port)
          _ = egress.append(Datagram(buffer: buffer, count: size, socket: 0, peer: peer))
        }
        sent.start()
        _ = sender.send(&egress, pool: &pool)
        sent.stop()
        var arrived = 0
        received.start()
        while arrived < batch {
          let result = receiver.receive(into: &ingress, pool: &pool)
          if result.count == 0 { break }
          arrived += result.count
        }
        received.stop()
        precondition(arrived == batch, "loopback loses nothing")
        for index in 0..<ingress.count { pool.give(ingress[index].buffer) }
        ingress.removeAll()
      }
      sending.append(Double(sent.nanoseconds) / Double(turns * batch))
      receiving.append(Double(received.nanoseconds) / Double(turns * batch))
      sendAllocations = max(sendAllocations, Double(sent.allocations) / Double(turns * batch))
      receiveAllocations = max(receiveAllocations, Double(received.allocations) / Double(turns * batch))
    }
    sending.sort()
    receiving.sort()
    report(
      Measurement(
        name: "UDP packet of \(size) bytes sent on loopback, \(batch) a call", nanoseconds: sending[rounds / 2],
        allocations: sendAllocations, steps: 0))
    report(
      Measurement(
        name: "UDP packet of \(size) bytes received, \(batch) a call", nanoseconds: receiving[rounds / 2],
        allocations: receiveAllocations, steps: 0))
  }
}

/// What the kernel charges a thread for going to sleep and being woken.
private func waitSteps() throws {
  var receiver = try DatagramSocket(bindingTo: SocketAddress(ipv4: 0x7f00_0001, port: 0))
  let target = receiver.localAddress
  var poll = try EventPoll()
  try poll.add(receiver.descriptor, token: 0)
  measure("a wait that does not sleep", count: 20_000) { _ in _ = poll.wait(timeout: .zero) }
  for microseconds in [100, 1_000] {
    measure("a wait that sleeps \(microseconds) µs", count: 300) { _ in
      _ = poll.wait(timeout: .microseconds(microseconds))
    }
  }
  // Another thread sends a packet each 150 µs; this one sleeps until it comes, and takes it.
  let count = 300
  let thread = try PinnedThread(name: "sender", cpu: ProcessorSet.available().first) {
    guard var sender = try? DatagramSocket(bindingTo: SocketAddress(ipv4: 0x7f00_0001, port: 0)),
      var pause = try? EventPoll()
    else { return }
    var pool = PacketPool(capacity: 8)
    var egress = DatagramBatch(capacity: 8)
    for _ in 0..<count * 9 {
      guard let buffer = pool.take() else { return }
      _ = egress.append(Datagram(buffer: buffer, count: 108, socket: 0, peer: target))
      _ = sender.send(&egress, pool: &pool)
      _ = pause.wait(timeout: .microseconds(150))
    }
  }
  var pool = PacketPool(capacity: 64)
  var ingress = DatagramBatch(capacity: 64)
  measure("a packet slept for, and received", count: count) { _ in
    _ = poll.wait(timeout: .milliseconds(20))
    _ = receiver.receive(into: &ingress, pool: &pool)
    for index in 0..<ingress.count { pool.give(ingress[index].buffer) }
    ingress.removeAll()
  }
  thread.join()
}
