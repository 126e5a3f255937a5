//  WorkerAllocationTests.swift: after set-up the packet path and the ticks ask for no memory.

#if canImport(AllocationCounter)
  import AllocationCounter
  import Media
  import MediaTransport
  import Primitives
  import Testing

  /// Dropped packets are left out: Swift Testing hooks every `throw` in the process to keep a backtrace, which allocates.
  @Suite("No allocation after set-up")
  struct WorkerAllocationTests {
    @Test("the counter counts", .enabled(if: allocation_counter_works()))
    func counts() {
      let before = allocation_count()
      let block = UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16)
      let after = allocation_count()
      block.deallocate()
      #expect(after > before)
    }

    @Test("receive, advance and departed: 0 over six seconds of talk, silence, changing talkers, loss and reports")
    func none() {
      let codecs: [AudioCodec] = [.opus, .pcma, .g722, .opus, .pcmu, .opus]
      let suites = SRTPSuite.allCases
      let peers = codecs.enumerated().map { index, codec in
        WorkerPeer(
          index + 1, codec: codec, packetMilliseconds: [20, 10, 40][index % 3], suite: suites[index % suites.count],
          rtcpMux: index % 2 == 0, frequency: 300 + 200 * Double(index), level: index == 3)
      }
      let bench = WorkerBench(peers: peers)
      bench.run(seconds: 1)
      var received: UInt = 0
      var advanced: UInt = 0

      for tick in 0..<300 {
        for (index, peer) in peers.enumerated() {
          // Everyone talks, half of them, one, nobody.
          peer.amplitude = [6, 3, 1, 0][tick / 75] > index ? 8_000 : 0
          for packet in peer.nextPackets() where (tick * 7 + index) % 19 != 0 {
            bench.deliver(packet, from: peer.address)
          }
        }
        var before = allocation_count()
        let isReduced = tick % 120 < 60
        if tick % 60 == 30 { bench.worker.setEffort(complexity: isReduced ? 0 : 5, talkers: isReduced ? 2 : 4) }
        bench.worker.receive(&bench.ingress, now: bench.now, into: &bench.egress)
        received += allocation_count() - before
        let end = bench.now + .milliseconds(20)
        while bench.worker.nextDeadline <= end {
          bench.now = max(bench.now, bench.worker.nextDeadline)
          before = allocation_count()
          bench.worker.advance(to: bench.now, into: &bench.egress)
          bench.worker.departed(at: bench.now)
          advanced += allocation_count() - before
          bench.flush()
        }
        bench.now = end
      }

      #expect(received == 0)
      #expect(advanced == 0)
    }
  }
#endif
