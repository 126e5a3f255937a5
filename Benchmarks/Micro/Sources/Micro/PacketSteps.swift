//  PacketSteps.swift: SRTP by suite and size, and the RTP header.

import MediaTransport
import Primitives
import RTP

func key(_ suite: SRTPSuite, seed: UInt64) throws -> SRTPMasterKey {
  var random = RandomSource(seed: seed)
  guard let key = SRTPMasterKey(suite: suite, keyAndSalt: random.bytes(suite.keyCount + suite.saltCount)) else {
    throw SRTPError.invalidKey
  }
  return key
}

/// One RTP packet with `payload` bytes after its header, written into `bytes`.
/// - Returns: its length.
func writePacket(sequence: UInt16, timestamp: UInt32, ssrc: UInt32, payload: Int, into bytes: inout MutableRawSpan)
  -> Int
{
  let writer = RTPPacketWriter(payloadType: 111, sequence: sequence, timestamp: timestamp, ssrc: ssrc)
  return (writer.write(into: &bytes) ?? 0) + payload
}

func srtpSteps() throws {
  for suite in SRTPSuite.allCases {
    for payload in [80, 1_200] {
      let (ours, theirs) = (try key(suite, seed: 1), try key(suite, seed: 2))
      var sender = try SRTPSession(send: ours, receive: theirs)
      var receiver = try SRTPSession(send: theirs, receive: ours)
      let count = 2_000
      let rounds = countsInstructions ? 2 : 8
      var buffer = [UInt8](repeating: 0, count: PacketPool.bufferSize)
      try measure("SRTP protect, \(suite.name), \(payload) bytes", count: count) { number in
        var span = buffer.mutableSpan
        var bytes = span.mutableBytes
        let length = writePacket(
          sequence: UInt16(truncatingIfNeeded: number), timestamp: 0, ssrc: 7, payload: payload, into: &bytes)
        _ = try sender.protectRTP(&bytes, count: length)
      }
      // Every packet once: the replay window takes no second one. Eight rounds of them, made beforehand.
      var other = try SRTPSession(send: ours, receive: theirs)
      var pool = PacketPool(capacity: count)
      let packets = (0..<count).compactMap { _ in pool.take() }
      var times: [Double] = []
      var allocations: UInt = 0
      for round in 0..<rounds {
        var length = 0
        for (index, packet) in packets.enumerated() {
          length = try pool.withMutableBytes(of: packet) { (bytes: inout MutableRawSpan) throws in
            let plain = writePacket(
              sequence: UInt16(truncatingIfNeeded: round * count + index), timestamp: 0, ssrc: 7, payload: payload,
              into: &bytes)
            return try other.protectRTP(&bytes, count: plain)
          }
        }
        var watch = Stopwatch()
        watch.start()
        for packet in packets {
          _ = try pool.withMutableBytes(of: packet) { (bytes: inout MutableRawSpan) throws(DropReason) in
            try receiver.unprotectRTP(&bytes, count: length)
          }
        }
        watch.stop()
        if round > 0 {
          times.append(Double(watch.nanoseconds) / Double(count))
          allocations = max(allocations, watch.allocations)
        }
      }
      times.sort()
      report(
        Measurement(
          name: "SRTP unprotect, \(suite.name), \(payload) bytes", nanoseconds: times[times.count / 2],
          allocations: Double(allocations) / Double(count), steps: rounds * count))
    }
  }
}

func rtpSteps() throws {
  var buffer = [UInt8](repeating: 0, count: 200)
  do {
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    _ = writePacket(sequence: 1, timestamp: 2, ssrc: 3, payload: 80, into: &bytes)
  }
  let packet = Array(buffer[..<92])
  var sum = 0
  try measure("RTP header parsed, 92 bytes", count: 1_000_000) { _ in
    sum &+= Int(try RTPHeader(parsing: packet.span.bytes).payloadCount)
  }
  precondition(sum > 0)
}
