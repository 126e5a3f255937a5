//  NotificationSocketTests.swift: words to a service manager arrive; nobody listening is no fault.

import Glibc
import LinuxIO
import Testing

@Suite("Words to a service manager")
struct NotificationSocketTests {
  /// A datagram socket of the Unix family, bound to a path or, with a first byte of zero, to an abstract name.
  private func listen(_ name: [UInt8]) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      for (index, byte) in name.enumerated() { path[index] = byte }
    }
    let size = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
    }
    #expect(bound == 0)
    return descriptor
  }

  private func take(_ descriptor: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }

  @Test("by path and by abstract name")
  func arrives() {
    let path = "/tmp/parley-notify-\(getpid())"
    unlink(path)
    let file = listen(Array(path.utf8))
    let abstract = listen([0] + Array("parley-notify-\(getpid())".utf8))
    defer {
      close(file)
      close(abstract)
      unlink(path)
    }

    #expect(NotificationSocket.send("READY=1", to: path))
    #expect(NotificationSocket.send("WATCHDOG=1", to: "@parley-notify-\(getpid())"))

    #expect(take(file) == "READY=1")
    #expect(take(abstract) == "WATCHDOG=1")
  }

  @Test("nobody there, no name, a name that is too long: false, and nothing else")
  func nobody() {
    #expect(!NotificationSocket.send("READY=1", to: "/tmp/parley-nobody-\(getpid())"))
    #expect(!NotificationSocket.send("READY=1", to: ""))
    #expect(!NotificationSocket.send("READY=1", to: "/" + String(repeating: "x", count: 200)))
  }
}
