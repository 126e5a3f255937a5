//  NotificationSocket.swift: one datagram to a Unix socket, for a service manager.

import CLinux

public enum NotificationSocket {
  /// - Parameter path: of the socket; a first character `@` means the abstract namespace.
  /// - Returns: whether somebody took it.
  public static func send(_ text: String, to path: String) -> Bool {
    let message = Array(text.utf8)
    let name = Array(path.utf8)
    return unsafe message.withUnsafeBufferPointer { message in
      unsafe name.withUnsafeBufferPointer { name in
        unsafe cl_notify(name.baseAddress, name.count, message.baseAddress, message.count) == 0
      }
    }
  }
}
