//  WorkerSteps.swift: a whole MediaWorker without sockets: packets in, ticks, packets out, on virtual time.

import Media
import MediaTransport
import Primitives
import RTP

/// A participant outside: protects what it sends.
private final class Peer {
  let configuration: LegConfiguration
  private let payloads: [[UInt8]]
  private var session: SRTPSession
  private var sequence: UInt16 = 0

  init(_ number: Int, meeting: MeetingID, suite: SRTPSuite, payloads: [[UInt8]]) throws {
    let (ours, theirs) = (try key(suite, seed: UInt64(2 * number + 1)), try key(suite, seed: UInt64(2 * number + 2)))
    let format = AudioFormat(codec: .opus, payloadType: 111)
    let address = SocketAddress(ipv4: 0x0a00_0000 + UInt32(number), port: 4_000)
    configuration = LegConfiguration(
      leg: LegID(rawValue: UInt32(number)), meeting: meeting, remoteMedia: address, remoteControl: address,
      rtcpMux: true, security: .srtp(send: ours, receive: theirs), receive: [format], send: format,
      ssrc: UInt32(number) + 1, initialSequence: 0, initialTimestamp: 0, cname: "peer")
    session = try SRTPSession(send: theirs, receive: ours)
    self.payloads = payloads
  }

  /// Writes the next packet into `bytes`. - Returns: its length.
  func next(into bytes: inout MutableRawSpan) throws -> Int {
    let payload = payloads[Int(sequence) % payloads.count]
    let length = writePacket(
      sequence: sequence, timestamp: UInt32(sequence) &* 960, ssrc: 0x1000 + configuration.leg.rawValue,
      payload: payload.count, into: &bytes)
    for index in 0..<payload.count {
      bytes.storeBytes(of: payload[index], toByteOffset: length - payload.count + index, as: UInt8.self)
    }
    sequence &+= 1
    return try session.protectRTP(&bytes, count: length)
  }
}

func workerSteps() throws {
  let voices = try (1...4).map { try opusPackets(speechLike(seed: UInt64($0), seconds: 2)) }
  var random = RandomSource(seed: 9)
  // As loud as a quiet room: −66 dBFS.
  let quiet = try opusPackets((0..<96_000).map { _ in Int16(truncatingIfNeeded: Int(random.nextWord() % 32)) - 16 })
  for (legs, size, talkers, suite) in [
    (50, 50, 3, SRTPSuite.aeadAES128GCM), (200, 200, 3, .aeadAES128GCM), (200, 200, 3, .aes128CMSHA1Tag80),
    (1_000, 1_000, 3, .aeadAES128GCM), (200, 10, 3, .aeadAES128GCM), (200, 10, 1, .aeadAES128GCM),
  ] {
    try measureWorker(legs: legs, meetingSize: size, talkers: talkers, suite: suite, voices: voices, quiet: quiet)
  }
}

/// Everybody sends in each tick; who does not talk sends quiet frames.
private func measureWorker(
  legs: Int, meetingSize: Int, talkers: Int, suite: SRTPSuite, voices: [[[UInt8]]], quiet: [[UInt8]]
) throws {
  var now = Instant(nanoseconds: 1_000_000_000)
  let clock = ClockAnchor(instant: now, wall: WallTime(microseconds: 1_800_000_000_000_000))
  var configuration = MediaWorkerConfiguration(clock: clock, random: RandomSource(seed: 1))
  configuration.srtp = .best()
  var worker = MediaWorker(
    configuration: configuration, now: now)
  var ingress = DatagramBatch(capacity: 4_096)
  var egress = DatagramBatch(capacity: 8_192)
  var peers: [Peer] = []
  for number in 0..<legs {
    let meeting = MeetingID(rawValue: UInt32(number / meetingSize))
    let place = number % meetingSize
    if place == 0 { worker.handle(.openMeeting(meeting), now: now, into: &egress) }
    let peer = try Peer(
      number, meeting: meeting, suite: suite, payloads: place < talkers ? voices[number % voices.count] : quiet)
    worker.handle(.openLeg(peer.configuration), now: now, into: &egress)
    peers.append(peer)
  }
  func flush() {
    for index in 0..<egress.count { worker.pool.give(egress[index].buffer) }
    egress.removeAll()
  }
  flush()
  let warmUp = countsInstructions ? 20 : 150
  let ticks = countsInstructions ? 20 : 300
  var receiving = Stopwatch()
  var advancing = Stopwatch()
  var sent = 0
  for tick in 0..<(warmUp + ticks) {
    if tick == warmUp {
      receiving = Stopwatch()
      advancing = Stopwatch()
      sent = 0
    }
    for peer in peers {
      guard let buffer = worker.pool.take() else { throw DropReason.poolExhausted }
      let count = try worker.pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) throws in
        try peer.next(into: &span)
      }
      _ = ingress.append(Datagram(buffer: buffer, count: count, socket: 0, peer: peer.configuration.remoteMedia))
    }
    receiving.start()
    worker.receive(&ingress, now: now, into: &egress)
    receiving.stop()
    let end = now + .milliseconds(20)
    while worker.nextDeadline <= end {
      now = max(now, worker.nextDeadline)
      advancing.start()
      worker.advance(to: now, into: &egress)
      worker.departed(at: now)
      advancing.stop()
      sent += egress.count
      flush()
      while worker.takeEvent() != nil {}
    }
    now = end
  }
  let shape =
    "\(legs) legs in meetings of \(meetingSize), \(talkers == 1 ? "1 talks" : "\(talkers) talk"), \(suite.name)"
  precondition(
    worker.drops.total == 0 && sent >= (legs - legs / meetingSize) * (ticks - 2), "every leg is sent its mix")
  report(
    Measurement(
      name: "worker, \(shape): a packet received", nanoseconds: Double(receiving.nanoseconds) / Double(ticks * legs),
      allocations: Double(receiving.allocations) / Double(ticks * legs), steps: 0))
  report(
    Measurement(
      name: "worker, \(shape): a tick, mix and send", nanoseconds: Double(advancing.nanoseconds) / Double(ticks),
      allocations: Double(advancing.allocations) / Double(ticks), steps: 0))
  report(
    Measurement(
      name: "worker, \(shape): receive and tick, per leg",
      nanoseconds: Double(receiving.nanoseconds + advancing.nanoseconds) / Double(ticks * legs),
      allocations: Double(receiving.allocations + advancing.allocations) / Double(ticks * legs),
      steps: (warmUp + ticks) * legs))
}
