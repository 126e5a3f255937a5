//  SRTPAllocationTests.swift: once a session stands, no packet allocates, in OpenSSL neither.

#if canImport(AllocationCounter)
  import AllocationCounter
  import MediaTransport
  import Primitives
  import RTP
  import Testing

  @Suite("SRTP: no allocation per packet", .enabled(if: allocation_counter_works()))
  struct SRTPAllocationTests {
    @Test("the counter counts")
    func counts() {
      let before = allocation_count()

      let memory = UnsafeMutableRawPointer.allocate(byteCount: 10, alignment: 8)
      memory.deallocate()

      #expect(allocation_count() > before)
    }

    @Test("protect, authenticate, unprotect, and refuse", arguments: SRTPSuite.allCases, SRTPReferenceTests.own)
    func none(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
      var random = RandomSource(seed: 90)
      let key = random.masterKey(suite)
      var session = try SRTPSession(send: key, receive: key, backend: backend)
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2_048, alignment: 64)
      defer { memory.deallocate() }
      var writer = RTPPacketWriter(payloadType: 96, sequence: 65_000, timestamp: 0, ssrc: 7)
      var span = memory.mutableBytes
      var good = 0
      var refused = 0

      var before = allocation_count()
      for round in 0..<2_100 {
        // The first rounds let the runtime make the types it makes once.
        if round == 100 { before = allocation_count() }
        writer.sequence &+= 1
        writer.ssrc = UInt32(truncatingIfNeeded: round % 3)
        guard let offset = writer.write(into: &span) else { continue }
        do throws(DropReason) {
          let count = try session.protectRTP(&span, count: offset + round % 1_000)
          let packet = UnsafeRawBufferPointer(start: memory.baseAddress, count: count)
          guard session.authenticatesRTP(packet.bytes) else { continue }
          // A forged packet is refused without an allocation too; a thrown error cannot be counted here, because
          // swift-testing keeps a copy of each.
          memory[count - 1 - round % 3] ^= 1
          if !session.authenticatesRTP(packet.bytes) { refused += 1 }
          memory[count - 1 - round % 3] ^= 1
          _ = try session.unprotectRTP(&span, count: count)
          good += 1
        } catch {
          good -= 10_000
        }
        do throws(DropReason) {
          span.store(0x80c9_0001 as UInt32, at: 0)
          span.store(writer.ssrc, at: 4)
          let count = try session.protectRTCP(&span, count: 8 + 4 * (round % 100))
          _ = try session.unprotectRTCP(&span, count: count)
        } catch {
          good -= 10_000
        }
      }
      let after = allocation_count()

      #expect(after == before)
      #expect(good == 2_100 && refused == 2_100)
    }

    @Test("batches of 1 to 64, some forged", arguments: SRTPSuite.allCases, SRTPReferenceTests.own)
    func batches(_ suite: SRTPSuite, _ backend: SRTPBackend) throws {
      var random = RandomSource(seed: 91)
      let key = random.masterKey(suite)
      let session = try SRTPSession(send: key, receive: key, backend: backend)
      var engine = SRTPCipherEngine(backend)
      let room = 2_048
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * room, alignment: 64)
      defer { memory.deallocate() }
      let items = UnsafeMutableBufferPointer<SRTPItem>.allocate(capacity: 64)
      defer { items.deallocate() }
      var writer = RTPPacketWriter(payloadType: 96, sequence: 65_000, timestamp: 0, ssrc: 7)
      var good = 0
      var forged = 0

      var before = allocation_count()
      for round in 0..<400 {
        if round == 20 { before = allocation_count() }
        let count = 1 + round % 64
        for index in 0..<count {
          let packet = UnsafeMutableRawBufferPointer(rebasing: memory[(index * room)..<((index + 1) * room)])
          var span = packet.mutableBytes
          writer.sequence &+= 1
          writer.ssrc = UInt32(truncatingIfNeeded: index % 3)
          let header = writer.write(into: &span) ?? 0
          items.initializeElement(
            at: index,
            to: SRTPItem(
              packet: packet.baseAddress! + 0, count: header + (round + index) % 1_300, capacity: room,
              session: session.handle, isControl: false))
        }
        let batch = UnsafeMutableBufferPointer(rebasing: items[..<count])
        SRTPBatch.protect(batch, with: &engine)
        if round % 4 == 0 {
          batch[0].packet.storeBytes(of: 0xff, toByteOffset: batch[0].count - 1, as: UInt8.self)
          batch[0].packet.storeBytes(of: 0xff, toByteOffset: batch[0].count - 2, as: UInt8.self)
        }
        SRTPBatch.unprotect(batch, with: &engine)
        for item in batch {
          if item.failure == nil { good += 1 } else if round >= 20 { forged += 1 }
        }
      }
      let after = allocation_count()

      // swift-testing keeps a copy of each error that is thrown: that one is its own.
      #expect(after - before == forged)
      #expect(forged == 95 && good > 12_000)
    }
  }
#endif
