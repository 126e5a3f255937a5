//  WorkerThreadTests.swift: a worker on a real thread with real sockets, on loopback.

import LinuxIO
import Media
import MediaHost
import Primitives
import RTP
import Testing

@Suite("Worker thread")
struct WorkerThreadTests {
  private static let loopback = SocketAddress(ipv4: 0x7f00_0001, port: 0)

  private func start(_ number: Int = 0, eventsReady: WakeUp) throws -> WorkerThread {
    var configuration = MediaWorkerConfiguration(clock: MonotonicClock.anchor(), random: try RandomSource.system())
    configuration.worker = number
    configuration.allowsPlain = true
    configuration.limits.packets = 2048
    configuration.limits.legs = 64
    return try WorkerThread(
      WorkerThread.Configuration(worker: configuration, cpu: nil, address: Self.loopback), eventsReady: eventsReady)
  }

  private func configuration(_ number: UInt32, _ socket: borrowing DatagramSocket) -> LegConfiguration {
    let format = AudioFormat(codec: .pcma, payloadType: 8)
    return LegConfiguration(
      leg: LegID(rawValue: number), meeting: MeetingID(rawValue: 1), remoteMedia: socket.localAddress,
      remoteControl: socket.localAddress, rtcpMux: true, security: .plain, receive: [format], send: format,
      ssrc: number, initialSequence: 1, initialTimestamp: 1, cname: "x")
  }

  /// Waits for what a worker has to tell.
  private func events(of worker: WorkerThread, _ ready: WakeUp, for interval: Interval, _ body: (MediaEvent) -> Bool) {
    let end = MonotonicClock.now() + interval
    while MonotonicClock.now() < end {
      ready.prepareToWait()
      var event = worker.takeEvent()
      if event == nil { ready.wait(timeout: .milliseconds(50)) }
      ready.finishWait()
      while let taken = event {
        if body(taken) { return }
        event = worker.takeEvent()
      }
    }
  }

  @Test("two legs on loopback: one is heard by the other, within 100 ms; the report says how the second was")
  func twoLegs() throws {
    let ready = try WakeUp()
    let worker = try start(eventsReady: ready)
    defer { worker.stop() }
    var talker = try DatagramSocket(bindingTo: Self.loopback)
    var listener = try DatagramSocket(bindingTo: Self.loopback)
    #expect(worker.send(.openMeeting(MeetingID(rawValue: 1))))
    #expect(worker.send(.openLeg(configuration(1, talker))))
    #expect(worker.send(.openLeg(configuration(2, listener))))
    var opened = 0
    events(of: worker, ready, for: .seconds(5)) {
      if case .legOpened = $0 { opened += 1 }
      return opened == 2
    }
    #expect(opened == 2)

    var pool = PacketPool(capacity: 256)
    var egress = DatagramBatch(capacity: 4)
    var ingress = DatagramBatch(capacity: 64)
    var loud = 0
    var next = MonotonicClock.now()
    var poll = try EventPoll()
    for index in 0..<60 {
      guard let buffer = pool.take() else { break }
      pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) in
        let writer = RTPPacketWriter(
          payloadType: 8, sequence: UInt16(index), timestamp: UInt32(index * 160), ssrc: 77)
        let start = writer.write(into: &bytes) ?? 0
        // A square wave of 400 Hz at a third of full scale in A-law.
        for sample in 0..<160 { bytes.store(UInt8(sample / 10 % 2 == 0 ? 0xbf : 0x3f), at: start + sample) }
      }
      _ = egress.append(Datagram(buffer: buffer, count: 172, socket: 0, peer: worker.mediaAddress))
      _ = talker.send(&egress, pool: &pool)
      next = next + .milliseconds(20)
      _ = poll.wait(timeout: next - MonotonicClock.now())
      _ = listener.receive(into: &ingress, pool: &pool)
      for place in 0..<ingress.count {
        let datagram = ingress[place]
        let byte = pool.withBytes(of: datagram.buffer, count: Int(datagram.count)) { $0.uint8(at: 100) ?? 0xd5 }
        // Not one of A-law's softest steps.
        if datagram.count == 172, (byte ^ 0x55) & 0x70 >= 0x30 { loud += 1 }
        pool.give(datagram.buffer)
      }
      ingress.removeAll()
    }
    #expect(loud > 30)
    var report: WorkerReport?
    var connected = false
    events(of: worker, ready, for: .seconds(3)) {
      if case .legConnected = $0 { connected = true }
      if case .report(let found) = $0, found.packetsIn >= 50 { report = found }
      return report != nil
    }
    #expect(connected)
    let found = try #require(report)
    // The first packet of a plain stream is on probation.
    #expect(found.legs == 2 && found.drops.total == 1 && found.drops[.onProbation] == 1)
    #expect(found.slack.count > 0 && found.busy < 1)
  }

  @Test("commands and events survive a full stop and start of many workers; a taken port is told")
  func manyWorkers() throws {
    let ready = try WakeUp()
    let workers = try (0..<3).map { try start($0, eventsReady: ready) }
    #expect(Set(workers.map(\.mediaAddress)).count == 3)
    #expect(workers.allSatisfy { $0.mediaAddress.port % 2 == 0 && $0.grants.memoryBytes >= 2048 * 2048 })
    let taken = workers[0].mediaAddress
    let configuration = MediaWorkerConfiguration(clock: MonotonicClock.anchor(), random: RandomSource(seed: 1))
    #expect(throws: LinuxError.addressInUse(taken)) {
      try WorkerThread(
        WorkerThread.Configuration(worker: configuration, cpu: nil, address: taken), eventsReady: ready)
    }
    for worker in workers { worker.stop() }
  }

  @Test("while datagrams come densely, none is lost and commands are answered within milliseconds")
  func denseTraffic() throws {
    let ready = try WakeUp()
    let worker = try start(eventsReady: ready)
    defer { worker.stop() }
    var sender = try DatagramSocket(bindingTo: Self.loopback)
    var pool = PacketPool(capacity: 16)
    var egress = DatagramBatch(capacity: 16)
    var poll = try EventPoll()
    var sent = 0
    var refused = 0
    var best = Interval.seconds(1)
    var report: WorkerReport?

    // Ten packets of nobody's each millisecond, for 400 ms; then silence until the second's report.
    for turn in 0..<400 {
      for _ in 0..<10 {
        guard let buffer = pool.take() else { break }
        pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) in
          _ = RTPPacketWriter(payloadType: 8, sequence: UInt16(sent), timestamp: 0, ssrc: 5).write(into: &bytes)
        }
        if egress.append(Datagram(buffer: buffer, count: 172, socket: 0, peer: worker.mediaAddress)) { sent += 1 }
      }
      _ = sender.send(&egress, pool: &pool)
      if turn % 20 == 10, turn > 100 {
        let before = MonotonicClock.now()
        #expect(worker.send(.openLeg(configuration(1, sender))))
        events(of: worker, ready, for: .seconds(1)) { if case .legRefused = $0 { true } else { false } }
        best = min(best, MonotonicClock.now() - before)
        refused += 1
      }
      _ = poll.wait(timeout: .milliseconds(1))
    }
    events(of: worker, ready, for: .seconds(3)) {
      if case .report(let found) = $0, Int(found.drops.total) >= sent { report = found }
      return report != nil
    }

    #expect(report.map { Int($0.drops.total) } == sent)
    #expect(refused == 15)
    #expect(best < .milliseconds(5))
  }

  @Test("commands from a control thread reach a sleeping worker at once")
  func latency() throws {
    let ready = try WakeUp()
    let worker = try start(eventsReady: ready)
    defer { worker.stop() }
    var best = Interval.seconds(1)
    for _ in 0..<20 {
      let before = MonotonicClock.now()
      // An unknown meeting is refused: the shortest way there and back.
      let format = AudioFormat(codec: .pcma, payloadType: 8)
      let sent = worker.send(
        .openLeg(
          LegConfiguration(
            leg: LegID(rawValue: 1), meeting: MeetingID(rawValue: 9), remoteMedia: Self.loopback,
            remoteControl: Self.loopback, rtcpMux: true, security: .plain, receive: [format], send: format, ssrc: 1,
            initialSequence: 1, initialTimestamp: 1, cname: "x")))
      #expect(sent)
      events(of: worker, ready, for: .seconds(1)) { if case .legRefused = $0 { true } else { false } }
      best = min(best, MonotonicClock.now() - before)
    }
    #expect(best < .milliseconds(5))
  }
}
