//  AudioReceiverAllocationTests.swift: packets in, rendered, forwarded, skipped, amplified: no memory is asked for.

#if canImport(AllocationCounter)
  import AllocationCounter
  import Media
  import Primitives
  import Testing

  @Suite("No allocation by the audio receiver")
  struct AudioReceiverAllocationTests {
    @Test("0 over 400 ticks of each codec, rendered, forwarded and skipped in turn", arguments: AudioCodec.allCases)
    func none(codec: AudioCodec) {
      var line = AudioLine(codec)
      var gain = AutomaticGain()
      let signal = AudioSignals.voice(count: 960 * 40)
      var samples = [Int16](repeating: 0, count: 960)
      var asked: UInt = 0
      for tick in 0..<400 {
        let frame = Array(signal[(tick % 40 * 960)..<(tick % 40 * 960 + 960)])
        for packet in line.encode(frame) where tick % 17 != 3 {
          guard let buffer = line.pool.take() else { continue }
          line.pool.withMutableBytes(of: buffer) { bytes in
            for (index, byte) in packet.payload.enumerated() { bytes.store(byte, at: 12 + index) }
          }
          let audio = AudioPacket(
            buffer: buffer, payloadOffset: 12, payloadCount: UInt16(packet.payload.count), sequence: packet.sequence,
            timestamp: packet.timestamp, payloadType: 96)
          let before = allocation_count()
          do {
            try line.receiver.insert(audio, now: AudioLine.instant(Double(tick * 20)), pool: &line.pool)
          } catch {
            line.pool.give(buffer)
          }
          asked += allocation_count() - before
        }
        let now = AudioLine.instant(Double(tick * 20 + 8))
        var span = samples.mutableSpan
        let before = allocation_count()
        switch tick / 25 % 3 {
        case 0:
          _ = line.receiver.render(into: &span, now: now, pool: &line.pool)
          gain.process(&span, level: LevelKernels.level(span.span))
        case 1:
          for _ in 0..<8 { _ = line.receiver.takePacket(now: now, pool: &line.pool) }
        default: line.receiver.skip(now: now, pool: &line.pool)
        }
        // The first second makes up what is made once.
        if tick > 50 { asked += allocation_count() - before }
      }

      #expect(asked == 0)
      #expect(line.receiver.statistics.decodes > 50 && line.receiver.statistics.packetsForwarded > 50)
      #expect(line.close() == 0)
    }
  }
#endif
