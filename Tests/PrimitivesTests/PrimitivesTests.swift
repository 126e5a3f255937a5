//  PrimitivesTests.swift: addresses, random numbers, bounded bytes.

import Primitives
import Testing

@Suite("Socket addresses")
struct SocketAddressTests {
  @Test(
    "hosts are read and written back",
    arguments: [
      ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::1", "::1"), ("[::1]", "::1"),
      ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("fe80::", "fe80::"), ("::", "::"),
      ("::ffff:10.0.0.1", "10.0.0.1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
      ("2001:DB8::A", "2001:db8::a"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
    ])
  func roundTrip(text: String, canonical: String) throws {
    let address = try #require(SocketAddress(host: text, port: 5060))

    #expect(address.host == canonical)
    #expect(SocketAddress(address.description) == address)
  }

  @Test(
    "what is no address is refused",
    arguments: [
      "", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "a.b.c.d", "1..2.3", ":", ":::", "1::2::3", "12345::",
      "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7:8", "1:", ":1", "::+1", "1.2.3.4:", "[::1", "g::",
      "::1.2.3.4.5", "fe80::1%eth0", String(repeating: "1:", count: 400),
    ])
  func refusals(text: String) { #expect(SocketAddress(host: text, port: 1) == nil) }

  @Test("an IPv4 address equals its mapped IPv6 form")
  func mapped() {
    #expect(SocketAddress(host: "::ffff:127.0.0.1", port: 9) == SocketAddress(ipv4: 0x7f00_0001, port: 9))
  }
}

@Suite("Random source (RFC 8439 §2.3)")
struct RandomSourceTests {
  @Test("the key stream is ChaCha20's: RFC 8439 A.1, test vectors 1 and 2")
  func vectors() {
    var source = RandomSource(seed: [UInt8](repeating: 0, count: 32))

    let first = source.bytes(16)
    _ = source.bytes(48)
    let second = source.bytes(16)

    #expect(first == [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28])
    #expect(second == [0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d])
  }

  @Test("the same seed repeats, another does not")
  func repeats() {
    var one = RandomSource(seed: 7)
    var same = RandomSource(seed: 7)
    var other = RandomSource(seed: 8)

    let token = one.token(20)

    #expect(token == same.token(20))
    #expect(token != other.token(20))
    #expect(token.utf8.count == 20)
  }
}

@Suite("Packet pool")
struct PacketPoolTests {
  @Test("gives each buffer once, then none, then again")
  func exhaustion() {
    var pool = PacketPool(capacity: 3)

    let taken = (0..<4).map { _ in pool.take() }
    #expect(Set(taken.compactMap { $0 }).count == 3)
    #expect(taken[3] == nil)
    #expect(pool.available == 0)

    for buffer in taken.compactMap({ $0 }) { pool.give(buffer) }
    #expect(pool.available == 3)
  }

  @Test("bytes written are read back, in network order and within bounds")
  func bytes() {
    var pool = PacketPool(capacity: 1)
    guard let buffer = pool.take() else {
      Issue.record("a fresh pool is empty")
      return
    }

    let stored = pool.withMutableBytes(of: buffer, count: 8) { bytes in
      [bytes.store(UInt32(0x0102_0304), at: 2), bytes.store(UInt32(1), at: 5), bytes.store(UInt8(1), at: -1)]
    }
    let read = pool.withBytes(of: buffer, count: 8) { bytes in
      [
        bytes.uint8(at: 2).map(UInt64.init), bytes.uint16(at: 4).map(UInt64.init), bytes.uint32(at: 5).map(UInt64.init),
        bytes.uint64(at: 1), bytes.uint16(at: -1).map(UInt64.init), bytes.uint16(at: .max).map(UInt64.init),
      ]
    }

    #expect(stored == [true, false, false])
    #expect(read == [1, 0x0304, nil, nil, nil, nil])
  }
}

@Suite("Queue between two threads")
struct SPSCQueueTests {
  @Test("holds its capacity and no more, in order")
  func capacity() {
    let queue = SPSCQueue<Int>(capacity: 4)

    let pushed = (1...5).map { queue.push($0) }
    let popped = (1...5).map { _ in queue.pop() }

    #expect(pushed == [true, true, true, true, false])
    #expect(popped == [1, 2, 3, 4, nil])
  }

  @Test("a hundred thousand elements cross in order")
  func crossing() async {
    let queue = SPSCQueue<Int>(capacity: 64)
    let count = 100_000
    let producer = Task.detached {
      var next = 0
      while next < count {
        if queue.push(next) { next += 1 } else { await Task.yield() }
      }
    }

    var expected = 0
    while expected < count {
      if let value = queue.pop() {
        if value != expected { break }
        expected += 1
      } else {
        await Task.yield()
      }
    }

    await producer.value
    #expect(expected == count)
  }

  @Test("elements left behind are released")
  func releases() {
    final class Token: Sendable {}
    weak var weakToken: Token?
    do {
      let queue = SPSCQueue<Token>(capacity: 2)
      let token = Token()
      weakToken = token
      _ = queue.push(token)
    }
    #expect(weakToken == nil)
  }
}

@Suite("Time")
struct TimeTests {
  @Test("adding to the far future stays there")
  func saturation() {
    #expect(Instant.never + .seconds(1) == .never)
    #expect(Instant(nanoseconds: 5) + .milliseconds(1) == Instant(nanoseconds: 1_000_005))
  }

  @Test("NTP time of the Unix epoch and half a second later (RFC 5905 §6)")
  func ntp() {
    #expect(WallTime(microseconds: 0).ntp == 2_208_988_800 << 32)
    #expect(WallTime(microseconds: 500_000).ntp & 0xffff_ffff == 0x8000_0000)
  }

  @Test("an anchor names the calendar time of an instant")
  func anchor() {
    let anchor = ClockAnchor(instant: Instant(nanoseconds: 1_000), wall: WallTime(microseconds: 50))

    #expect(anchor.wallTime(at: Instant(nanoseconds: 3_001_000)).microseconds == 3_050)
  }
}
