//  WorkerBench.swift: a MediaWorker on virtual time, with peers that speak real RTP, SRTP and codecs.

import Media
import MediaTransport
import Primitives
import RTP
import Testing

/// One participant outside: sends a tone, records what it hears.
final class WorkerPeer {
  let leg: LegID
  let meeting: MeetingID
  let format: AudioFormat
  let packetMilliseconds: Int
  let suite: SRTPSuite?
  var address: SocketAddress
  var controlAddress: SocketAddress
  var configuration: LegConfiguration
  var ssrc: UInt32
  var sequence: UInt16
  var timestamp: UInt32
  /// Hz; 0: silence.
  var frequency: Double
  var amplitude = 8_000.0
  /// Sends audio.
  var isSending = true
  var level: UInt8?

  /// What arrived here.
  var sequences: [UInt16] = []
  var timestamps: [UInt32] = []
  var markers: [Bool] = []
  var arrivals: [Instant] = []
  var payloadBytes: [Int] = []
  var reports: [[UInt8]] = []
  var reportArrivals: [Instant] = []
  var heard: [Int16] = []
  var undecryptable = 0
  /// What it says instead of a tone: samples by their number since the beginning.
  var signal: ((Int) -> Double)?
  /// With `signal`: says how loud each packet is (RFC 6464), but never softer than this room, −dBov.
  var room: UInt8?
  private var spoken = 0
  /// Payloads as they came, when wanted.
  var keepsPayloads = false
  var payloads: [[UInt8]] = []

  private var session: SRTPSession?
  private var encoder: AudioEncoder
  private var receiver: AudioReceiver
  private var pool = PacketPool(capacity: 256)
  private var phase = 0.0

  init(
    _ number: Int, meeting: Int = 1, codec: AudioCodec = .opus, packetMilliseconds: Int = 20,
    suite: SRTPSuite? = .aeadAES128GCM, rtcpMux: Bool = true, frequency: Double = 0, level: Bool = false,
    bitRate: Int32 = 32_000, transformOnly: Bool = false
  ) {
    leg = LegID(rawValue: UInt32(number))
    self.meeting = MeetingID(rawValue: UInt32(meeting))
    var format = AudioFormat(
      codec: codec, payloadType: codec == .opus ? 111 : codec == .pcma ? 8 : codec == .pcmu ? 0 : 9)
    format.opus.bitRate = bitRate
    self.format = format
    self.packetMilliseconds = packetMilliseconds
    self.suite = suite
    self.frequency = frequency
    address = SocketAddress(ipv4: 0xc633_6400 | UInt32(number & 0xff), port: UInt16(20_000 + (number >> 8) * 2))
    controlAddress = rtcpMux ? address : address.with(port: address.port + 1)
    var random = RandomSource(seed: UInt64(number) &* 7919)
    ssrc = random.nextWord()
    sequence = UInt16(truncatingIfNeeded: random.nextWord())
    timestamp = random.nextWord()
    var security = LegSecurity.plain
    if let suite,
      let ours = SRTPMasterKey(suite: suite, keyAndSalt: random.bytes(suite.keyCount + suite.saltCount)),
      let theirs = SRTPMasterKey(suite: suite, keyAndSalt: random.bytes(suite.keyCount + suite.saltCount))
    {
      security = .srtp(send: ours, receive: theirs)
      session = try? SRTPSession(send: theirs, receive: ours)
    }
    configuration = LegConfiguration(
      leg: leg, meeting: self.meeting, remoteMedia: address, remoteControl: controlAddress, rtcpMux: rtcpMux,
      security: security, receive: [format], send: format, packetMilliseconds: packetMilliseconds,
      telephoneEvents: [TelephoneEventFormat(payloadType: 101, clockRate: codec == .opus ? 48_000 : 8_000)],
      ssrc: random.nextWord(), initialSequence: UInt16(truncatingIfNeeded: random.nextWord()),
      initialTimestamp: random.nextWord(), cname: "leg-\(number)@parley")
    if level {
      configuration.audioLevelExtension = 3
      self.level = 20
    }
    encoder = AudioEncoder(format: format, packetMilliseconds: 20)
    encoder.setTransformOnly(transformOnly)
    receiver = AudioReceiver(formats: [format])
  }

  deinit { receiver.reset(pool: &pool) }

  var clockRate: UInt32 { UInt32(format.codec.clockRate) }

  /// The next 20 ms of tone, as protected RTP packets.
  func nextPackets() -> [[UInt8]] {
    var frame = [Int16](repeating: 0, count: 960)
    if let signal {
      for index in 0..<960 { frame[index] = Int16(max(-32_000, min(32_000, signal(spoken + index)))) }
      spoken += 960
      if let room { level = min(room, UInt8(clamping: 0 - LevelKernels.level(frame.span))) }
    }
    for index in 0..<960 where signal == nil {
      frame[index] = Int16(amplitude * sine(phase))
      phase += frequency / 48_000
      if phase >= 1 { phase -= 1 }
    }
    encoder.feed(frame.span)
    var packets: [[UInt8]] = []
    var payload = [UInt8](repeating: 0, count: 1500)
    while true {
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      guard let packet = encoder.take(into: &bytes) else { break }
      packets.append(
        rtp(
          Array(payload[..<packet.byteCount]), payloadType: format.payloadType,
          timestamp: timestamp &+ UInt32(bitPattern: packet.timestampOffset)))
    }
    timestamp &+= clockRate / 50
    return packets
  }

  /// One RTP packet, protected, with the next sequence number.
  func rtp(_ payload: [UInt8], payloadType: UInt8, timestamp: UInt32, marker: Bool = false) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: PacketPool.bufferSize)
    var writer = RTPPacketWriter(payloadType: payloadType, sequence: sequence, timestamp: timestamp, ssrc: ssrc)
    writer.marker = marker
    if let level {
      writer.audioLevelExtension = 3
      writer.audioLevel = AudioLevel(attenuation: level, voice: level < 60)
    }
    sequence &+= 1
    var count = 0
    do {
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      count = writer.write(into: &bytes) ?? 0
    }
    for byte in payload {
      buffer[count] = byte
      count += 1
    }
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    count = (try? session?.protectRTP(&bytes, count: count)) ?? count
    return Array(buffer[..<count])
  }

  /// Any packet as it is, protected with this peer's key; `nil` where its header lies, which SRTP itself refuses.
  func protect(_ packet: [UInt8], isControl: Bool = false) -> [UInt8]? {
    guard session != nil else { return packet }
    var buffer = packet + [UInt8](repeating: 0, count: max(0, PacketPool.bufferSize - packet.count))
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    let length = packet.count
    let count =
      isControl ? try? session?.protectRTCP(&bytes, count: length) : try? session?.protectRTP(&bytes, count: length)
    return count.map { Array(buffer[..<$0]) }
  }

  /// One RTCP compound, protected.
  func rtcp(_ build: (inout RTCPWriter, inout MutableRawSpan) -> Void) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: PacketPool.bufferSize)
    var writer = RTCPWriter()
    var count = 0
    do {
      var span = buffer.mutableSpan
      var bytes = span.mutableBytes
      build(&writer, &bytes)
      count = writer.count
      count = (try? session?.protectRTCP(&bytes, count: count)) ?? count
    }
    return Array(buffer[..<count])
  }

  func receive(_ bytes: [UInt8], now: Instant) {
    guard let buffer = pool.take() else { return }
    let isControl = PacketKind(of: bytes.span.bytes) == .rtcp
    var count = bytes.count
    let failed = pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) -> Bool in
      for (index, byte) in bytes.enumerated() { span.store(byte, at: index) }
      guard session != nil else { return false }
      do {
        count =
          try (isControl ? session?.unprotectRTCP(&span, count: count) : session?.unprotectRTP(&span, count: count))
          ?? 0
        return false
      } catch { return true }
    }
    if failed {
      undecryptable += 1
      pool.give(buffer)
      return
    }
    if isControl {
      reports.append(pool.withBytes(of: buffer, count: count) { span in (0..<count).map { span.uint8(at: $0) ?? 0 } })
      reportArrivals.append(now)
      pool.give(buffer)
      return
    }
    guard let header = pool.withBytes(of: buffer, count: count, { try? RTPHeader(parsing: $0) }) else {
      pool.give(buffer)
      return
    }
    sequences.append(header.sequence)
    timestamps.append(header.timestamp)
    markers.append(header.marker)
    arrivals.append(now)
    payloadBytes.append(Int(header.payloadCount))
    if keepsPayloads {
      let start = Int(header.payloadOffset)
      payloads.append(
        pool.withBytes(of: buffer, count: count) { span in
          (start..<(start + Int(header.payloadCount))).map { span.uint8(at: $0) ?? 0 }
        })
    }
    let packet = AudioPacket(
      buffer: buffer, payloadOffset: header.payloadOffset, payloadCount: header.payloadCount,
      sequence: header.sequence, timestamp: header.timestamp, payloadType: header.payloadType, marker: header.marker)
    do { try receiver.insert(packet, now: now, pool: &pool) } catch { pool.give(buffer) }
  }

  /// Plays 20 ms.
  func listen(now: Instant) {
    var frame = [Int16](repeating: 0, count: 960)
    var span = frame.mutableSpan
    _ = receiver.render(into: &span, now: now, pool: &pool)
    heard += frame
  }

  var hasGaplessSequences: Bool {
    zip(sequences, sequences.dropFirst()).allSatisfy { $1 == $0 &+ 1 }
  }

  /// Power of `frequency` in what was heard after `skipping` seconds, in dB below full scale.
  func power(at frequency: Double, skipping: Double = 0.5, seconds: Double? = nil) -> Double {
    let start = min(heard.count, Int(skipping * 48_000))
    let end = seconds.map { min(heard.count, start + Int($0 * 48_000)) } ?? heard.count
    return goertzel(heard[start..<end], frequency)
  }
}

/// sin(2πx) for 0 ≤ x < 1, without Foundation: Bhaskara's approximation refined; harmonics below −60 dB.
func sine(_ x: Double) -> Double {
  let y = x < 0.5 ? x : x - 0.5
  let t = y * 2 * Double.pi
  // Taylor series around the quarter: |u| ≤ π/2.
  let u = t - Double.pi / 2
  let u2 = u * u
  let cosine = 1 - u2 / 2 * (1 - u2 / 12 * (1 - u2 / 30 * (1 - u2 / 56 * (1 - u2 / 90))))
  return x < 0.5 ? cosine : -cosine
}

func goertzel(_ samples: ArraySlice<Int16>, _ frequency: Double) -> Double {
  guard samples.count > 960 else { return -200 }
  // The mean over blocks of 100 ms, so that a signal that stretches in time keeps its power.
  var sum = 0.0
  var blocks = 0
  var start = samples.startIndex
  let length = 4800
  while start + length <= samples.endIndex || blocks == 0 {
    let block = samples[start..<min(start + length, samples.endIndex)]
    let omega = frequency / 48_000
    let coefficient = 2 * sine((omega + 0.25).truncatingRemainder(dividingBy: 1))
    var s1 = 0.0
    var s2 = 0.0
    for sample in block {
      let s0 = Double(sample) + coefficient * s1 - s2
      s2 = s1
      s1 = s0
    }
    let n = Double(block.count)
    sum += 4 * (s1 * s1 + s2 * s2 - coefficient * s1 * s2) / (n * n)
    blocks += 1
    start += length
  }
  let mean = sum / Double(blocks) / (32_768 * 32_768)
  return mean > 1e-20 ? 10 * logarithm10(mean) : -200
}

func logarithm10(_ value: Double) -> Double {
  // log2 by exponent and a series of the significand.
  let significand = value.significand
  let z = (significand - 1) / (significand + 1)
  let z2 = z * z
  let natural = 2 * z * (1 + z2 / 3 + z2 * z2 / 5 + z2 * z2 * z2 / 7 + z2 * z2 * z2 * z2 / 9)
  return (Double(value.exponent) * 0.693_147_180_559_945_3 + natural) / 2.302_585_092_994_046
}

/// A worker with peers, on virtual time.
final class WorkerBench {
  var worker: MediaWorker
  var now = Instant(nanoseconds: 1_000_000_000)
  var peers: [WorkerPeer] = []
  var events: [MediaEvent] = []
  /// Datagrams whose destination is no peer's.
  var strays: [(Datagram, [UInt8])] = []
  var ingress = DatagramBatch(capacity: 512)
  var egress: DatagramBatch
  /// What the worker sent, per destination.
  var capacity: Int

  init(
    limits: MediaWorkerLimits = .init(), allowsPlain: Bool = false, forwards: Bool = true, egressCapacity: Int = 8192,
    peers: [WorkerPeer] = [],
    opens: Bool = true, alignsTicks: Bool = false
  ) {
    var configuration = MediaWorkerConfiguration(
      clock: ClockAnchor(instant: now, wall: WallTime(microseconds: 1_800_000_000_000_000)),
      random: RandomSource(seed: 42))
    configuration.limits = limits
    configuration.allowsPlain = allowsPlain
    // What a media host takes; the peers encrypt by EVP.
    configuration.srtp = .best()
    configuration.forwards = forwards
    configuration.alignsTicks = alignsTicks
    worker = MediaWorker(configuration: configuration, now: now)
    egress = DatagramBatch(capacity: egressCapacity)
    capacity = worker.pool.capacity
    self.peers = peers
    guard opens else { return }
    for meeting in Set(peers.map(\.meeting)) { handle(.openMeeting(meeting)) }
    for peer in peers { handle(.openLeg(peer.configuration)) }
  }

  func handle(_ command: MediaCommand) {
    worker.handle(command, now: now, into: &egress)
    flush()
  }

  /// Puts one datagram in front of the worker, without running it.
  func deliver(_ bytes: [UInt8], from source: SocketAddress, socket: UInt8 = 0) {
    guard let buffer = worker.pool.take() else {
      worker.countDrops(.poolExhausted, 1)
      return
    }
    worker.pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) in
      for (index, byte) in bytes.enumerated() { span.store(byte, at: index) }
    }
    if !ingress.append(Datagram(buffer: buffer, count: bytes.count, socket: socket, peer: source)) {
      worker.pool.give(buffer)
    }
  }

  func receive() {
    worker.receive(&ingress, now: now, into: &egress)
    flush()
  }

  func flush() {
    for index in 0..<egress.count {
      let datagram = egress[index]
      let count = Int(datagram.count)
      let bytes = worker.pool.withBytes(of: datagram.buffer, count: count) { span in
        (0..<count).map { span.uint8(at: $0) ?? 0 }
      }
      worker.pool.give(datagram.buffer)
      if let peer = peers.first(where: {
        datagram.socket == 0 ? $0.address == datagram.peer : $0.controlAddress == datagram.peer
      }) {
        peer.receive(bytes, now: now)
      } else {
        strays.append((datagram, bytes))
      }
    }
    egress.removeAll()
    worker.departed(at: now)
    while let event = worker.takeEvent() { events.append(event) }
  }

  /// Everyone sends 20 ms, the worker does what is due, everyone plays 20 ms.
  func step() {
    for peer in peers where peer.isSending {
      for packet in peer.nextPackets() { deliver(packet, from: peer.address) }
    }
    receive()
    runWorker(until: now + .milliseconds(20))
    for peer in peers { peer.listen(now: now) }
  }

  func runWorker(until end: Instant) {
    while worker.nextDeadline <= end {
      now = max(now, worker.nextDeadline)
      worker.advance(to: now, into: &egress)
      flush()
    }
    now = end
  }

  func run(seconds: Double) { for _ in 0..<Int(seconds * 50) { step() } }

  var poolAvailable: Int { worker.pool.available }
  var drops: DropCounters { worker.drops }
  var legCount: Int { worker.legCount }
  var meetingCount: Int { worker.meetingCount }
  var acceptsCommand: Bool { worker.acceptsCommand }
  func statistics(of leg: LegID) -> LegStatistics? { worker.statistics(of: leg) }

  var report: WorkerReport? {
    for event in events.reversed() { if case .report(let report) = event { return report } }
    return nil
  }

  /// Closes everything and counts buffers.
  func closeAll() {
    for meeting in Set(peers.map(\.meeting)) { handle(.closeMeeting(meeting)) }
    flush()
  }

  var connected: [LegID] {
    events.compactMap { if case .legConnected(let leg, _, _) = $0 { leg } else { nil } }
  }
  var refusals: [LegRefusal] {
    events.compactMap { if case .legRefused(_, let reason) = $0 { reason } else { nil } }
  }
  var closed: [LegID: LegStatistics] {
    var result: [LegID: LegStatistics] = [:]
    for event in events { if case .legClosed(let leg, let statistics) = event { result[leg] = statistics } }
    return result
  }
}
