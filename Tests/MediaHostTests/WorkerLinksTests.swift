//  WorkerLinksTests.swift: one meeting on two real threads with real sockets, on loopback.

import LinuxIO
import Media
import MediaHost
import Primitives
import RTP
import Testing

@Suite("Links between workers")
struct WorkerLinksTests {
  private static let loopback = SocketAddress(ipv4: 0x7f00_0001, port: 0)
  private static let meeting = MeetingID(rawValue: 1)

  private func configuration(_ number: UInt32, _ socket: borrowing DatagramSocket) -> LegConfiguration {
    let format = AudioFormat(codec: .pcma, payloadType: 8)
    return LegConfiguration(
      leg: LegID(rawValue: number), meeting: Self.meeting, remoteMedia: socket.localAddress,
      remoteControl: socket.localAddress, rtcpMux: true, security: .plain, receive: [format], send: format,
      ssrc: number, initialSequence: 1, initialTimestamp: 1, cname: "x")
  }

  @Test("a talker on one worker is heard by a listener on another; when the parts are parted he is not")
  func twoWorkers() throws {
    let ready = try WakeUp()
    let links = try WorkerLinks(workers: 2)
    let origin = MonotonicClock.now()
    let workers = try (0..<2).map { number in
      var settings = MediaWorkerConfiguration(clock: MonotonicClock.anchor(), random: try RandomSource.system())
      settings.worker = number
      settings.allowsPlain = true
      settings.limits.packets = 2048
      settings.limits.legs = 64
      var thread = WorkerThread.Configuration(worker: settings, cpu: nil, address: Self.loopback)
      thread.origin = origin
      thread.links = links
      return try WorkerThread(thread, eventsReady: ready)
    }
    defer { for worker in workers { worker.stop() } }
    var talker = try DatagramSocket(bindingTo: Self.loopback)
    var listener = try DatagramSocket(bindingTo: Self.loopback)
    for (number, worker) in workers.enumerated() {
      #expect(worker.send(.openMeeting(Self.meeting, phase: 5)))
      let parts = MeetingParts(peers: [1 - number], reportsTalkers: number == 0)
      #expect(worker.send(.linkMeeting(Self.meeting, parts)))
    }
    #expect(workers[0].send(.openLeg(configuration(1, talker))))
    #expect(workers[1].send(.openLeg(configuration(2, listener))))

    var pool = PacketPool(capacity: 256)
    var egress = DatagramBatch(capacity: 4)
    var ingress = DatagramBatch(capacity: 64)
    var loud = [0, 0]
    var next = MonotonicClock.now()
    var poll = try EventPoll()
    for index in 0..<150 {
      if index == 75 {
        for worker in workers {
          #expect(worker.send(.linkMeeting(Self.meeting, MeetingParts(peers: [], reportsTalkers: true))))
        }
      }
      guard let buffer = pool.take() else { break }
      pool.withMutableBytes(of: buffer) { (bytes: inout MutableRawSpan) in
        let writer = RTPPacketWriter(payloadType: 8, sequence: UInt16(index), timestamp: UInt32(index * 160), ssrc: 77)
        let start = writer.write(into: &bytes) ?? 0
        // A square wave of 400 Hz at a third of full scale in A-law.
        for sample in 0..<160 { bytes.store(UInt8(sample / 10 % 2 == 0 ? 0xbf : 0x3f), at: start + sample) }
      }
      _ = egress.append(Datagram(buffer: buffer, count: 172, socket: 0, peer: workers[0].mediaAddress))
      _ = talker.send(&egress, pool: &pool)
      next = next + .milliseconds(20)
      _ = poll.wait(timeout: next - MonotonicClock.now())
      _ = listener.receive(into: &ingress, pool: &pool)
      for place in 0..<ingress.count {
        let datagram = ingress[place]
        let byte = pool.withBytes(of: datagram.buffer, count: Int(datagram.count)) { $0.uint8(at: 100) ?? 0xd5 }
        // Not one of A-law's softest steps.
        let isLoud = datagram.count == 172 && (byte ^ 0x55) & 0x70 >= 0x30
        if isLoud, index < 75 { loud[0] += 1 }
        if isLoud, index >= 90 { loud[1] += 1 }
        pool.give(datagram.buffer)
      }
      ingress.removeAll()
    }

    #expect(loud[0] > 30)
    #expect(loud[1] == 0)
  }
}
