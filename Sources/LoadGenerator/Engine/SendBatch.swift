//  SendBatch.swift: packets of many phones, encrypted together and sent together.

import LinuxIO
import MediaTransport
import Primitives

/// One socket's queue of outgoing packets with what each still needs before it leaves.
@safe struct SendBatch: ~Copyable {
  private var fan: AddressFan
  private var engine: SRTPCipherEngine
  private let items: UnsafeMutablePointer<SRTPItem>
  private let places: UnsafeMutablePointer<Int>
  private var unprotected = 0
  var impairment: Impairment
  private var line = DelayLine()

  init(port: UInt16, backend: SRTPBackend, impairment: Impairment) throws(LinuxError) {
    fan = try AddressFan(port: port)
    engine = SRTPCipherEngine(backend)
    unsafe items = .allocate(capacity: AddressFan.batch)
    unsafe places = .allocate(capacity: AddressFan.batch)
    self.impairment = impairment
  }

  deinit {
    unsafe items.deallocate()
    unsafe places.deallocate()
  }

  var descriptor: Int32 { fan.descriptor }
  var failures: UInt64 { fan.failures }
  var drops: UInt64 { fan.drops }
  var held: Int { line.count }

  /// - Parameter session: protects the packet with the whole batch; `nil`: it is ready as `body` writes it.
  mutating func queue(
    from local: UInt32, to peer: SocketAddress, session: SRTPSessionHandle?, now: Instant,
    _ body: (inout MutableRawSpan) -> Int?
  ) {
    if fan.waiting == AddressFan.batch { flush(now: now) }
    guard let place = fan.queue(from: local, to: peer, body), let session = unsafe session else { return }
    // `unprotected` is at most the queue's length, which is at most `batch`: both arrays have room.
    unsafe (items + unprotected).initialize(
      to: SRTPItem(
        packet: fan.memory(of: place), count: fan.count(of: place), capacity: AddressFan.datagramBytes,
        session: session, isControl: false))
    unsafe (places + unprotected).initialize(to: place)
    unprotected += 1
  }

  /// The queued packets are encrypted, meet their fates, and are sent.
  mutating func flush(now: Instant) {
    if unprotected > 0 {
      unsafe SRTPBatch.protect(UnsafeMutableBufferPointer(start: items, count: unprotected), with: &engine)
      for index in 0..<unprotected {
        let item = unsafe items[index]
        unsafe fan.resize(places[index], to: item.failure == nil ? item.count : 0)
      }
      unprotected = 0
    }
    if !impairment.isNone { for place in 0..<fan.waiting { impair(place, now) } }
    fan.flush()
  }

  private mutating func impair(_ place: Int, _ now: Instant) {
    let delay = impairment.fate()
    if delay == .zero { return }
    if let delay {
      let route = fan.route(of: place)
      let bytes = unsafe UnsafeRawBufferPointer(start: fan.memory(of: place), count: fan.count(of: place))
      line.hold(DelayLine.Packet(local: route.local, peer: route.peer, bytes: unsafe Array(bytes)), until: now + delay)
    }
    fan.resize(place, to: 0)
  }

  /// Sends what was held back until now. Call with nothing queued.
  mutating func release(now: Instant) {
    guard line.count > 0 else { return }
    for packet in line.release(now: now) {
      fan.send(from: packet.local, to: packet.peer) { bytes in
        for (index, byte) in packet.bytes.enumerated() { bytes.store(byte, at: index) }
        return packet.bytes.count
      }
    }
    fan.flush()
  }

  mutating func receive(
    _ body: (_ local: UInt32, _ peer: SocketAddress, _ bytes: inout MutableRawSpan, _ count: Int) -> Void
  ) -> Int { fan.receive(body) }
}
