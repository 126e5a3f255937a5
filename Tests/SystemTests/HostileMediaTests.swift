//  HostileMediaTests.swift: strangers at the media ports of running meetings: they get nothing, and nobody hears them.

import Foundation
import Testing

/// A host that belongs to no call: an address of its own, whatever it likes to send, and a count of what it gets.
private final class Stranger: @unchecked Sendable {
  // @unchecked: one thread sends and receives; the count is read after it has stopped.
  private let descriptor: Int32
  private(set) var bytesReceived = 0

  /// - Parameter address: 127.0.0.2 and up: another host on loopback.
  init(address: UInt32) throws {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var name = Self.name(address, 0)
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0 else { throw HarnessError("no socket for a stranger: errno \(errno)") }
  }

  deinit { close(descriptor) }

  private static func name(_ address: UInt32, _ port: UInt16) -> sockaddr_in {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = address.bigEndian
    return name
  }

  func send(_ bytes: [UInt8], to port: UInt16) {
    var name = Self.name(0x7f00_0001, port)
    withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT), $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// Takes what has come so far.
  func drain() {
    var buffer = [UInt8](repeating: 0, count: 2_048)
    while case let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT)), count > 0 {
      bytesReceived += count
    }
  }
}

/// 20 ms of a 1,500 Hz tone as G.711 µ-law: what an injector would like everybody to hear.
private func injectedTone(_ frame: Int) -> [UInt8] {
  (0..<160).map { index in
    let sample = Int(16_000 * sin(2 * .pi * 1_500 * Double(frame * 160 + index) / 8_000))
    let magnitude = min(abs(sample), 32_635) + 132
    let exponent = max(0, 8 - UInt16(magnitude).leadingZeroBitCount)
    let mantissa = magnitude >> (exponent + 3) & 0x0f
    return ~UInt8((sample < 0 ? 0x80 : 0) | exponent << 4 | mantissa)
  }
}

@Suite("Strangers at the media ports", .serialized)
struct HostileMediaTests {
  private static func rtp(_ kind: UInt8, _ frame: Int, ssrc: UInt32, _ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x80, kind, UInt8(truncatingIfNeeded: frame >> 8), UInt8(truncatingIfNeeded: frame)]
    for word in [UInt32(truncatingIfNeeded: frame &* 160), ssrc] {
      bytes += withUnsafeBytes(of: word.bigEndian) { Array($0) }
    }
    return bytes + payload
  }

  @Test("plain RTP, wrong keys and noise from before the call to its end: no byte bleeds out, nothing is heard")
  func bleedAndInjection() throws {
    let parley = try RunningParley()
    let host = try #require(parley.mediaHosts.first)
    let ports = [host.mediaPort, host.mediaPort + 1]
    let stranger = try Stranger(address: 0x7f00_0002)
    let stop = DispatchSemaphore(value: 0)
    let stopped = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      var generator = SystemRandomNumberGenerator()
      var frame = 0
      while stop.wait(timeout: .now() + 0.002) == .timedOut {
        for port in ports {
          stranger.send(Self.rtp(0, frame, ssrc: 0x1234_5678, injectedTone(frame)), to: port)
          let sealed = (0..<96).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
          stranger.send(Self.rtp(111, frame, ssrc: 0x1234_5678, sealed), to: port)
          stranger.send([0x80, 200, 0, 6] + sealed.prefix(24), to: port)
        }
        stranger.drain()
        frame += 1
      }
      stranger.drain()
      stopped.signal()
    }

    let directory = try ScratchDirectory()
    var phones: [(phone: Baresip, frequency: Double)] = []
    for (name, frequency) in [("ann", 440.0), ("bo", 1_000.0)] {
      let file = directory.path("\(name).wav")
      try WaveFile.tone(frequency, seconds: 60).write(to: file)
      let phone = try Baresip(name, microphone: file)
      try phone.dial(parley.uri("demo"))
      phones.append((phone, frequency))
    }
    Thread.sleep(forTimeInterval: 5)

    for (listener, talker) in [(0, 1), (1, 0)] {
      let heard = try phones[listener].phone.heard().tail(3)
      #expect(heard.longestGap(of: phones[talker].frequency, amplitude: 0.05) == 0, "\(parley.log)")
      #expect(heard.amplitude(of: 1_500) < 0.001)
    }
    for (phone, _) in phones { try phone.quit() }
    stop.signal()
    stopped.wait()
    #expect(stranger.bytesReceived == 0)
    #expect(host.process.isRunning)
  }
}
