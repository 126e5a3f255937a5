//  EventPoll.swift: waits for descriptors and a deadline at once, precise to microseconds.

import CLinux
import Primitives

/// An epoll instance over at most 64 descriptors, each known by a token 0…63, so that what is ready is one word.
@safe public struct EventPoll: ~Copyable {
  public static let maximumTokens = 64

  /// Bit n: token n.
  @frozen public struct Ready: Sendable {
    public var readable: UInt64 = 0
    public var writable: UInt64 = 0
    @inlinable public init() {}
    @inlinable public func isReadable(_ token: Int) -> Bool { readable >> UInt64(token & 63) & 1 != 0 }
    @inlinable public func isWritable(_ token: Int) -> Bool { writable >> UInt64(token & 63) & 1 != 0 }
  }

  private let descriptor: Int32
  private let events: UnsafeMutablePointer<epoll_event>

  public init() throws(LinuxError) {
    let result = cl_epoll_create()
    guard result >= 0 else { throw LinuxError(call: "epoll_create1", result: result) }
    descriptor = result
    unsafe events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.maximumTokens)
    unsafe events.initialize(repeating: epoll_event(), count: Self.maximumTokens)
  }

  deinit {
    _ = cl_close(descriptor)
    unsafe events.deallocate()
  }

  /// - Parameter token: 0…63, not yet in use.
  public mutating func add(_ fileDescriptor: Int32, token: Int) throws(LinuxError) {
    precondition(token >= 0 && token < Self.maximumTokens)
    let result = cl_epoll_set(descriptor, CL_EPOLL_ADD, fileDescriptor, CL_EPOLLIN, UInt64(token))
    guard result == 0 else { throw LinuxError(call: "epoll_ctl", result: result) }
  }

  /// Whether `wait` also ends when `fileDescriptor` can be written.
  public mutating func watchWritable(_ fileDescriptor: Int32, token: Int, _ watch: Bool) {
    let wanted = watch ? CL_EPOLLIN | CL_EPOLLOUT : CL_EPOLLIN
    _ = cl_epoll_set(descriptor, CL_EPOLL_MODIFY, fileDescriptor, wanted, UInt64(token))
  }

  /// - Parameter timeout: zero or negative looks without waiting; `nil` waits for ever.
  /// - Returns: nothing ready after the timeout or a signal.
  public mutating func wait(timeout: Interval?) -> Ready {
    var ready = Ready()
    let limit = timeout.map { max(0, $0.nanoseconds) } ?? -1
    let count = unsafe cl_epoll_wait(descriptor, events, Int32(Self.maximumTokens), limit)
    guard count > 0 else { return ready }
    for index in 0..<Int(count) {
      let event = unsafe events[index]
      let bit: UInt64 = unsafe 1 << (event.data.u64 & 63)
      // Errors and hang-ups are left to the next read or write of that descriptor to tell.
      if unsafe event.events & ~CL_EPOLLOUT != 0 { ready.readable |= bit }
      if unsafe event.events & CL_EPOLLOUT != 0 { ready.writable |= bit }
    }
    return ready
  }
}
