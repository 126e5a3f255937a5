//  FreePorts.swift: ports on loopback that nobody listens on.

import ArgumentParser
import Foundation
import Synchronization

enum FreePorts {
  private static let next = Mutex<UInt16>(UInt16(21_000 + getpid() % 500 * 40))

  /// An even port that is free for UDP and TCP, as the next one up is; never the same one twice.
  static func pair() throws -> UInt16 {
    try next.withLock { candidate in
      for _ in 0..<20_000 {
        candidate = candidate >= 60_000 ? 21_000 : candidate + 2
        let isFree = [candidate, candidate + 1].allSatisfy { port in
          Self.isFree(port, SOCK_DGRAM) && Self.isFree(port, SOCK_STREAM)
        }
        if isFree { return candidate }
      }
      throw ProgressLine.fail("there are no free ports")
    }
  }

  private static func isFree(_ port: UInt16, _ kind: __socket_type) -> Bool {
    let descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = 0
    return unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    } == 0
  }
}
