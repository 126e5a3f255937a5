//  WakeUp.swift: how one thread wakes another out of its wait, at the cost of a system call only when that one sleeps.

import CLinux
import Primitives
import Synchronization

/// An eventfd with a flag that tells whether anyone waits on it.
///
/// The waiting thread: `prepareToWait()`, look at its queues once more, wait for `descriptor` to become readable,
/// `finishWait()`. The waking thread: push, then `wake()`. A push is either seen by that last look or wakes the wait.
public final class WakeUp: Sendable {
  public let descriptor: Int32
  private let waiting = Atomic<Bool>(false)

  public init() throws(LinuxError) {
    let result = cl_event_create()
    guard result >= 0 else { throw LinuxError(call: "eventfd", result: result) }
    descriptor = result
  }

  deinit { _ = cl_close(descriptor) }

  /// Any thread. Cheap when nobody waits.
  public func wake() {
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if waiting.load(ordering: .relaxed), waiting.exchange(false, ordering: .sequentiallyConsistent) {
      _ = cl_event_signal(descriptor)
    }
  }

  /// The waiting thread, before its last look.
  public func prepareToWait() {
    waiting.store(true, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }

  /// The waiting thread, afterwards, whether it waited or not.
  public func finishWait() {
    if !waiting.exchange(false, ordering: .sequentiallyConsistent) { _ = cl_event_clear(descriptor) }
  }

  /// Waits here: for a thread that has nothing else to wait for. Call between `prepareToWait` and `finishWait`.
  ///
  /// - Parameter timeout: `nil` for ever.
  public func wait(timeout: Interval?) {
    _ = cl_poll_readable(descriptor, timeout.map { max(0, $0.nanoseconds) } ?? -1)
  }
}
