//  LinuxError.swift: why a system call failed, as far as its caller can act on it.

import Primitives

/// A failed system call during set-up. Nothing on the packet path throws it.
public enum LinuxError: Error, Hashable, Sendable {
  /// Another socket has this address (EADDRINUSE).
  case addressInUse(SocketAddress)
  /// The address is not one of this host (EADDRNOTAVAIL).
  case addressNotAvailable(SocketAddress)
  /// EACCES or EPERM: a low port, a forbidden CPU, a security policy.
  case notPermitted(call: String)
  /// EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN of a thread: a limit of the process or the system.
  case exhausted(call: String)
  /// The call does not accept what it was given (EINVAL), such as a CPU that does not exist.
  case invalid(call: String)
  case other(call: String, errno: Int32)

  init(call: String, result: Int32, address: SocketAddress? = nil) {
    // Numbers of asm-generic/errno-base.h and errno.h, which x86-64 and arm64 share.
    switch (0 &- result, address) {
    case (98, let address?): self = .addressInUse(address)
    case (99, let address?): self = .addressNotAvailable(address)
    case (1, _), (13, _): self = .notPermitted(call: call)
    case (11, _), (12, _), (23, _), (24, _), (105, _): self = .exhausted(call: call)
    case (22, _): self = .invalid(call: call)
    default: self = .other(call: call, errno: 0 &- result)
    }
  }
}
