//  WorkerMoveTests.swift: meetings move between two worker threads with real sockets, under traffic; nothing is lost.

import LinuxIO
import Media
import MediaHost
import Primitives
import RTP
import Testing

@Suite("Meetings move between worker threads", .serialized)
struct WorkerMoveTests {
  private static let loopback = SocketAddress(ipv4: 0x7f00_0001, port: 0)
  private static let legs = 16
  private static let meetings = 4

  private func start(_ count: Int, _ ready: WakeUp) throws -> [WorkerThread] {
    let links = try WorkerLinks(workers: count)
    let clock = MonotonicClock.anchor()
    return try (0..<count).map { number in
      var configuration = MediaWorkerConfiguration(clock: clock, random: try RandomSource.system())
      configuration.worker = number
      configuration.allowsPlain = true
      configuration.limits.packets = 4096
      configuration.limits.legs = 64
      var own = WorkerThread.Configuration(worker: configuration, cpu: nil, address: Self.loopback)
      own.origin = clock.instant
      own.links = links
      return try WorkerThread(own, eventsReady: ready)
    }
  }

  private func configuration(_ number: Int, _ address: SocketAddress) -> LegConfiguration {
    let format = AudioFormat(codec: .pcma, payloadType: 8)
    return LegConfiguration(
      leg: LegID(rawValue: UInt32(number)), meeting: MeetingID(rawValue: UInt32(number % Self.meetings)),
      remoteMedia: address, remoteControl: address, rtcpMux: true, security: .plain, receive: [format], send: format,
      ssrc: UInt32(1_000 + number), initialSequence: 1, initialTimestamp: 1, cname: "x")
  }

  /// All that a phone is here.
  private final class Phone {
    var socket: DatagramSocket
    var sent = 0
    var heard: [UInt16] = []
    var strangers = 0
    init() throws { socket = try DatagramSocket(bindingTo: WorkerMoveTests.loopback) }
  }

  private func send(_ phone: Phone, _ number: Int, to address: SocketAddress, _ pool: inout PacketPool) {
    guard let buffer = pool.take() else { return }
    pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) in
      let writer = RTPPacketWriter(
        payloadType: 8, sequence: UInt16(truncatingIfNeeded: phone.sent), timestamp: UInt32(phone.sent * 160),
        ssrc: UInt32(77 + number))
      let start = writer.write(into: &bytes) ?? 0
      for sample in 0..<160 { bytes.store(UInt8(sample / 10 % 2 == 0 ? 0xbf : 0x3f), at: start + sample) }
    }
    var batch = DatagramBatch(capacity: 1)
    _ = batch.append(Datagram(buffer: buffer, count: 172, socket: 0, peer: address))
    _ = phone.socket.send(&batch, pool: &pool)
    phone.sent += 1
  }

  private func receive(_ phone: Phone, from address: SocketAddress, _ pool: inout PacketPool) {
    var batch = DatagramBatch(capacity: 64)
    var more = true
    while more {
      more = phone.socket.receive(into: &batch, pool: &pool).more
      for place in 0..<batch.count {
        let datagram = batch[place]
        // RTP only; RTCP comes by the same socket.
        let header = pool.withBytes(of: datagram.buffer, count: Int(datagram.count)) { try? RTPHeader(parsing: $0) }
        if let header, header.payloadType == 8 { phone.heard.append(header.sequence) }
        if datagram.peer != address { phone.strangers += 1 }
        pool.give(datagram.buffer)
      }
      batch.removeAll()
    }
  }

  @Test(
    "one worker is drained into the other and back under load: every packet arrives, from the address that phones know")
  func drain() throws {
    let ready = try WakeUp()
    let workers = try start(2, ready)
    defer { for worker in workers { worker.stop() } }
    let phones = try (0..<Self.legs).map { _ in try Phone() }
    for meeting in 0..<Self.meetings {
      #expect(workers[0].send(.openMeeting(MeetingID(rawValue: UInt32(meeting)))))
    }
    for (number, phone) in phones.enumerated() {
      #expect(workers[0].send(.openLeg(configuration(number, phone.socket.localAddress))))
    }
    var arrivals: [Int: Int] = [:]
    var reports: [Int: WorkerReport] = [:]
    var closed: [LegID: LegStatistics] = [:]
    var opened = 0
    func takeEvents() {
      for (number, worker) in workers.enumerated() {
        while let event = worker.takeEvent() {
          switch event {
          case .legOpened: opened += 1
          case .meetingArrived: arrivals[number, default: 0] += 1
          case .report(let report): reports[number] = report
          case .legClosed(let leg, let statistics): closed[leg] = statistics
          default: break
          }
        }
      }
    }

    var pool = PacketPool(capacity: 512)
    var poll = try EventPoll()
    let start = MonotonicClock.now()
    while opened < Self.legs, MonotonicClock.now() < start + .seconds(5) {
      _ = poll.wait(timeout: .milliseconds(5))
      takeEvents()
    }
    var next = MonotonicClock.now()
    let home = workers[0].mediaAddress
    for round in 0..<150 {
      for (number, phone) in phones.enumerated() { send(phone, number, to: home, &pool) }
      next = next + .milliseconds(20)
      _ = poll.wait(timeout: next - MonotonicClock.now())
      for phone in phones { receive(phone, from: home, &pool) }
      takeEvents()
      if round == 40 || round == 90 {
        let (from, to) = round == 40 ? (0, 1) : (1, 0)
        for meeting in 0..<Self.meetings {
          #expect(workers[from].send(.moveMeeting(MeetingID(rawValue: UInt32(meeting)), to: to)))
        }
      }
    }
    _ = poll.wait(timeout: .milliseconds(300))
    for phone in phones { receive(phone, from: home, &pool) }
    for worker in workers {
      for meeting in 0..<Self.meetings { _ = worker.send(.closeMeeting(MeetingID(rawValue: UInt32(meeting)))) }
    }
    let end = MonotonicClock.now() + .seconds(5)
    while closed.count < Self.legs || reports.count < 2, MonotonicClock.now() < end {
      _ = poll.wait(timeout: .milliseconds(20))
      takeEvents()
    }

    #expect(arrivals == [1: Self.meetings, 0: Self.meetings])
    #expect(reports[0].map { $0.packetsSentOn > 0 } == true)
    for (number, phone) in phones.enumerated() {
      let statistics = closed[LegID(rawValue: UInt32(number))]
      // The first packet of a stream without tags is on probation.
      #expect(statistics?.packetsReceived == UInt64(phone.sent - 1), "leg \(number)")
      #expect(statistics?.packetsLost == 0, "leg \(number)")
      #expect(statistics?.packetsSent == UInt64(phone.heard.count), "leg \(number)")
      #expect(zip(phone.heard, phone.heard.dropFirst()).allSatisfy { $1 == $0 &+ 1 }, "leg \(number)")
      #expect(phone.strangers == 0 && phone.heard.count > 100, "leg \(number): \(phone.heard.count)")
    }
  }

  @Test("a worker's loop turns even when it has nothing to do; one that was given up ends")
  func turns() throws {
    let ready = try WakeUp()
    let workers = try start(2, ready)
    var poll = try EventPoll()
    let before = workers.map(\.turns)
    _ = poll.wait(timeout: .milliseconds(700))
    for (worker, turns) in zip(workers, before) { #expect(worker.turns > turns) }

    workers[1].retire()
    _ = poll.wait(timeout: .milliseconds(400))
    let retired = workers[1].turns
    _ = poll.wait(timeout: .milliseconds(400))

    #expect(workers[1].turns == retired)
    for worker in workers { worker.stop() }
  }
}
