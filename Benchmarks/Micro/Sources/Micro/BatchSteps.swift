//  BatchSteps.swift: SRTP in batches, by backend and suite, with one key and with a thousand in turn.

import MediaTransport
import Primitives
import RTP

/// Senders and receivers of so many legs, and a batch of packets that goes from the ones to the others.
private final class BatchBench {
  let payload: Int
  let batch: Int
  private var senders: [SRTPSessionHandle] = []
  private var receivers: [SRTPSessionHandle] = []
  private let sessions: UnsafeMutablePointer<SRTPSession>
  private var sequences: [UInt16]
  private let memory: UnsafeMutableRawPointer
  private let items: UnsafeMutableBufferPointer<SRTPItem>
  private var engine: SRTPCipherEngine
  private var next = 0

  init(_ backend: SRTPBackend, _ suite: SRTPSuite, payload: Int, legs: Int, batch: Int) throws {
    let keys = try (0..<legs).map { try key(suite, seed: UInt64($0)) }
    self.payload = payload
    self.batch = batch
    engine = SRTPCipherEngine(backend)
    sequences = Array(repeating: 0, count: legs)
    sessions = .allocate(capacity: 2 * legs)
    for leg in 0..<legs {
      let own = keys[leg]
      for side in 0..<2 {
        (sessions + 2 * leg + side).initialize(to: try SRTPSession(send: own, receive: own, backend: backend))
      }
      senders.append(sessions[2 * leg].handle)
      receivers.append(sessions[2 * leg + 1].handle)
    }
    memory = .allocate(byteCount: batch * PacketPool.bufferSize, alignment: 64)
    items = .allocate(capacity: batch)
  }

  deinit {
    sessions.deinitialize(count: 2 * sequences.count)
    sessions.deallocate()
    memory.deallocate()
    items.deallocate()
  }

  /// One batch there; only the two calls are watched.
  func run(_ protecting: inout Stopwatch, _ unprotecting: inout Stopwatch) {
    let first = next
    for index in 0..<batch {
      let packet = memory + index * PacketPool.bufferSize
      var bytes = UnsafeMutableRawBufferPointer(start: packet, count: PacketPool.bufferSize).mutableBytes
      sequences[next] &+= 1
      let count = writePacket(sequence: sequences[next], timestamp: 0, ssrc: 7, payload: payload, into: &bytes)
      items.initializeElement(
        at: index,
        to: SRTPItem(
          packet: packet, count: count, capacity: PacketPool.bufferSize, session: senders[next], isControl: false))
      next = (next + 1) % senders.count
    }
    protecting.start()
    SRTPBatch.protect(items, with: &engine)
    protecting.stop()
    for index in 0..<batch { items[index].session = receivers[(first + index) % receivers.count] }
    unprotecting.start()
    SRTPBatch.unprotect(items, with: &engine)
    unprotecting.stop()
    precondition(items.allSatisfy { $0.failure == nil })
  }
}

func batchSteps() throws {
  // What ipsec-mb chooses under callgrind is not what it chooses on the machine.
  guard !countsInstructions else { return }
  for backend in [SRTPBackend.ipsecMB, .evp] where backend.isAvailable {
    for suite in [SRTPSuite.aeadAES128GCM, .aes128CMSHA1Tag80] {
      for payload in [80, 1_200] {
        for (legs, batch) in [(1, 1), (1, 16), (1, 64), (1_000, 16), (1_000, 64)] {
          let bench = try BatchBench(backend, suite, payload: payload, legs: legs, batch: batch)
          var times: [(protect: Double, unprotect: Double)] = []
          var allocations: UInt = 0
          let count = 8_000 / batch
          for round in 0..<6 {
            var (protecting, unprotecting) = (Stopwatch(), Stopwatch())
            for _ in 0..<count { bench.run(&protecting, &unprotecting) }
            guard round > 0 else { continue }
            let packets = Double(count * batch)
            times.append((Double(protecting.nanoseconds) / packets, Double(unprotecting.nanoseconds) / packets))
            allocations += protecting.allocations + unprotecting.allocations
          }
          let name = "\(backend.rawValue), \(suite.name), \(payload) bytes, \(legs) keys, batches of \(batch)"
          for (step, nanoseconds) in [
            ("protect", times.map(\.protect).sorted()[2]), ("unprotect", times.map(\.unprotect).sorted()[2]),
          ] {
            report(
              Measurement(
                name: "SRTP \(step), \(name)", nanoseconds: nanoseconds,
                allocations: Double(allocations) / Double(10 * count * batch), steps: 6 * count * batch))
          }
        }
      }
    }
  }
}
