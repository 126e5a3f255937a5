//  RouterLatchingTests.swift: addresses are learned from authentic packets, and from nothing else.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

@Suite("Latching by authentication")
struct RouterLatchingTests {
  static let stranger = SocketAddress(ipv4: 0xcb00_7101, port: 40_000)

  @Test("a leg behind NAT is found by its key, and is sent to where its packets came from")
  func nat() {
    let peer = WorkerPeer(1)
    peer.configuration.remoteMedia = SocketAddress(ipv4: 0xc0a8_010a, port: 4_000)  // its private address
    let other = WorkerPeer(2, frequency: 440)
    let bench = WorkerBench(peers: [peer, other])

    bench.run(seconds: 1)

    #expect(Set(bench.connected) == [peer.leg, other.leg])
    #expect(peer.power(at: 440, skipping: 0.4) > -30)
    // What went to the private address went there before the first packet came.
    #expect(bench.strays.allSatisfy { $0.0.peer == peer.configuration.remoteMedia })
    #expect(bench.strays.count <= 1)
  }

  @Test("two legs with the same private address are told apart by their keys")
  func sameSignalledAddress() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2, frequency: 1_000)]
    for peer in peers { peer.configuration.remoteMedia = SocketAddress(ipv4: 0xc0a8_010a, port: 4_000) }
    let bench = WorkerBench(peers: peers)

    bench.run(seconds: 2)

    #expect(peers[0].power(at: 1_000) > -30 && peers[1].power(at: 440) > -30)
    #expect(peers[0].undecryptable == 0 && peers[1].undecryptable == 0)
  }

  @Test("unspecified address: nothing is sent before the leg is latched")
  func unspecified() {
    let peer = WorkerPeer(1)
    peer.configuration.remoteMedia = SocketAddress(ipv4: 0, port: 0)
    peer.configuration.remoteControl = SocketAddress(ipv4: 0, port: 0)
    peer.isSending = false
    let bench = WorkerBench(peers: [peer, WorkerPeer(2, frequency: 440)])
    bench.run(seconds: 8)
    #expect(bench.strays.isEmpty && peer.sequences.isEmpty)

    peer.isSending = true
    bench.run(seconds: 1)

    #expect(peer.sequences.count > 40)
  }

  @Test("a wrong key never latches, whatever it sends, and hears nothing")
  func wrongKey() {
    let peer = WorkerPeer(1, frequency: 440)
    let listener = WorkerPeer(2)
    let bench = WorkerBench(peers: [peer, listener])
    peer.isSending = false
    let attacker = WorkerPeer(1, frequency: 1_500)
    attacker.address = Self.stranger
    let wrong = WorkerPeer(77, frequency: 1_500)  // another key
    for _ in 0..<100 {
      for packet in wrong.nextPackets() { bench.deliver(packet, from: Self.stranger) }
      for packet in wrong.nextPackets() { bench.deliver(packet, from: peer.address) }  // spoofed source
      bench.step()
    }

    #expect(bench.connected == [listener.leg])
    #expect(bench.strays.isEmpty)
    #expect(listener.power(at: 1_500) < -60)
    #expect(bench.drops[.notLatched] == 200)
    peer.isSending = true
    bench.run(seconds: 1)
    #expect(Set(bench.connected) == [peer.leg, listener.leg])
    #expect(listener.power(at: 440, skipping: 2.4) > -30)
  }

  @Test("plain RTP into a leg with a key is dropped, from any source")
  func injectedPlain() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2)]
    let bench = WorkerBench(peers: peers)
    let injector = WorkerPeer(1, codec: .opus, suite: nil, frequency: 1_500)
    injector.ssrc = peers[0].ssrc
    for _ in 0..<100 {
      for packet in injector.nextPackets() {
        bench.deliver(packet, from: Self.stranger)
        bench.deliver(packet, from: peers[0].address)
      }
      bench.step()
    }

    #expect(peers[1].power(at: 1_500) < -60)
    #expect(peers[1].power(at: 440) > -30)
    #expect(bench.strays.isEmpty)
    #expect(bench.drops[.authenticationFailed] >= 90)
  }

  @Test("a replay is dropped, and its source gets nothing: the second source cannot steal a leg")
  func replay() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2, frequency: 1_000)]
    let bench = WorkerBench(peers: peers)
    var recorded: [[UInt8]] = []
    for _ in 0..<50 {
      let packets = peers[0].nextPackets()
      recorded += packets
      for packet in packets { bench.deliver(packet, from: peers[0].address) }
      peers[0].isSending = false
      bench.step()
      peers[0].isSending = true
    }
    let before = peers[0].sequences.count

    // All at once from elsewhere, while the leg is alive; then again when it has been quiet.
    for packet in recorded { bench.deliver(packet, from: Self.stranger) }
    bench.receive()
    peers[0].isSending = false
    bench.run(seconds: 0.5)
    for packet in recorded { bench.deliver(packet, from: Self.stranger) }
    bench.receive()
    for packet in recorded { bench.deliver(packet, from: peers[0].address) }
    bench.receive()
    bench.run(seconds: 0.5)

    #expect(bench.strays.isEmpty)
    #expect(peers[0].sequences.count > before)
    #expect(bench.drops[.replayed] + bench.drops[.tooOld] >= 50)
  }

  @Test(
    "NAT rebinding: after a pause an authentic packet from a new port moves the leg; not while the old one is alive")
  func rebinding() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2, frequency: 1_000)]
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    let old = peers[0].address

    // A fresh packet from elsewhere between two from the known address: not believed.
    for packet in peers[0].nextPackets() { bench.deliver(packet, from: Self.stranger) }
    bench.receive()
    bench.run(seconds: 0.2)
    #expect(bench.strays.isEmpty)

    peers[0].isSending = false
    bench.run(seconds: 0.3)
    peers[0].isSending = true
    peers[0].address = SocketAddress(ipv4: 0xcb00_7109, port: 61_000)
    bench.run(seconds: 1)

    #expect(peers[0].power(at: 1_000, skipping: 1.7) > -30)
    #expect(peers[1].power(at: 440, skipping: 1.9) > -30)
    #expect(peers[0].hasGaplessSequences == false || peers[0].undecryptable == 0)
    #expect(bench.strays.filter { $0.0.peer == old }.count <= 20)  // what was sent while it was away
    #expect(bench.drops[.unknownSource] + bench.drops[.notLatched] >= 1)
  }

  @Test(
    "a phone that was killed and calls again from the same port: the new leg takes the address, the old one is silenced"
  )
  func callAgain() {
    let first = WorkerPeer(1, frequency: 440)
    let talker = WorkerPeer(2, frequency: 1_000)
    let bench = WorkerBench(peers: [first, talker])
    bench.run(seconds: 1)
    first.isSending = false
    bench.run(seconds: 1.5)
    let again = WorkerPeer(3, frequency: 1_800)
    again.address = first.address
    again.configuration.remoteMedia = first.address
    bench.peers = [again, talker]
    bench.handle(.openLeg(again.configuration))

    bench.run(seconds: 2)

    #expect(again.power(at: 1_000) > -30)
    #expect(talker.power(at: 1_800, skipping: 3) > -30)
    #expect(again.undecryptable < 20, "the old leg is no longer sent to that address")
  }

  @Test("a changed key latches anew; packets of the old key are worth nothing")
  func rekey() {
    let peers = [WorkerPeer(1, frequency: 440), WorkerPeer(2)]
    let bench = WorkerBench(peers: peers)
    bench.run(seconds: 1)
    let renewed = WorkerPeer(9, frequency: 1_800)
    renewed.address = peers[0].address
    var configuration = peers[0].configuration
    configuration.security = renewed.configuration.security
    bench.handle(.modifyLeg(configuration))

    bench.run(seconds: 1)
    let oldKey = peers[1].power(at: 440, skipping: 1.5)
    bench.peers[0] = renewed
    bench.run(seconds: 2)

    #expect(oldKey < -60)
    #expect(peers[1].power(at: 1_800, skipping: 2.6) > -30)
    #expect(renewed.undecryptable == 0)
  }

  @Test("plain legs: the signalled address only, and only where plain is allowed")
  func plainAddress() {
    let peers = [WorkerPeer(1, codec: .pcma, suite: nil, frequency: 440), WorkerPeer(2, codec: .pcma, suite: nil)]
    let bench = WorkerBench(allowsPlain: true, peers: peers)
    let injector = WorkerPeer(1, codec: .pcma, suite: nil, frequency: 1_500)
    for _ in 0..<100 {
      for packet in injector.nextPackets() { bench.deliver(packet, from: Self.stranger) }
      for packet in injector.nextPackets() { bench.deliver(packet, from: peers[0].address.with(port: 9)) }
      bench.step()
    }
    #expect(peers[1].power(at: 1_500) < -60 && peers[1].power(at: 440) > -30)
    #expect(bench.drops[.unknownSource] == 200)

    let forbidden = WorkerBench(peers: [WorkerPeer(1, suite: nil)])
    #expect(forbidden.refusals == [.badConfiguration])
    let thief = WorkerPeer(5, codec: .pcma, suite: nil)
    thief.configuration.remoteMedia = peers[0].address
    bench.handle(.openLeg(thief.configuration))
    #expect(bench.refusals == [.badConfiguration], "a living plain leg's address cannot be claimed")
  }

  @Test("tries are bounded: a spray costs a bounded number of keys, and a leg that is latched does not notice")
  func spray() {
    var limits = MediaWorkerLimits()
    limits.latchTriesPerHostAndSecond = 16
    limits.latchTriesPerPacket = 4
    let waiting = (10...20).map { number -> WorkerPeer in
      let peer = WorkerPeer(number)
      peer.isSending = false
      return peer
    }
    let talkers = [WorkerPeer(1, frequency: 440), WorkerPeer(2)]
    let bench = WorkerBench(limits: limits, peers: talkers + waiting)
    bench.run(seconds: 1)
    let wrong = WorkerPeer(77, frequency: 1_500)
    for _ in 0..<50 {
      for _ in 0..<20 { for packet in wrong.nextPackets() { bench.deliver(packet, from: Self.stranger) } }
      bench.step()
    }

    #expect(bench.drops[.notLatched] == 1_000)
    #expect(talkers[1].power(at: 440, skipping: 1.2) > -30)
    #expect(Set(bench.connected) == Set(talkers.map(\.leg)))
    // A waiting leg comes in from another host in the same second.
    waiting[10].isSending = true
    waiting[10].configuration.remoteMedia = SocketAddress(ipv4: 1, port: 2)
    bench.run(seconds: 0.5)
    #expect(bench.connected.contains(waiting[10].leg))
  }

  @Test("garbage of every first byte is dropped and counted, and every buffer comes back")
  func garbage() {
    let bench = WorkerBench(peers: [WorkerPeer(1, frequency: 440), WorkerPeer(2)])
    bench.run(seconds: 0.5)
    let before = bench.drops.total
    var random = RandomSource(seed: 7)
    var sent: UInt64 = 0
    for first in UInt8.min...255 {
      for count in [0, 1, 3, 11, 12, 40] {
        var bytes = random.bytes(count)
        if count > 0 { bytes[0] = first }
        bench.deliver(bytes, from: Self.stranger, socket: UInt8(count & 1))
        bench.deliver(bytes, from: bench.peers[0].address, socket: 0)
        sent += 2
      }
      bench.receive()
    }

    #expect(bench.drops.total - before == sent)
    bench.closeAll()
    #expect(bench.poolAvailable == bench.capacity)
  }
}
