//  PinnedThread.swift: a thread with a name and a stack of its own, on one CPU.

import CLinux

/// Started on init; joined by `join()`, which must be called once.
@safe public final class PinnedThread: @unchecked Sendable {
  // @unchecked: `thread` is written once in init and consumed once in join, which one owner calls.
  public let cpu: Int?
  public let name: String
  private var thread: OpaquePointer?

  /// - Parameters:
  ///   - name: its first 15 bytes are what `top -H` shows.
  ///   - cpu: `nil` leaves the thread to the scheduler. A CPU outside the process's set throws `.invalid`.
  public init(name: String, cpu: Int?, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void)
    throws(LinuxError)
  {
    self.name = name
    self.cpu = cpu
    let box = unsafe Unmanaged.passRetained(ThreadBody(body))
    var started: OpaquePointer?
    let short = String(decoding: name.utf8.prefix(15), as: UTF8.self)
    let result = unsafe cl_thread_start(
      &started,
      { context in
        guard let context = unsafe context else { return }
        unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
      }, box.toOpaque(), Int32(clamping: cpu ?? -1), short, stackBytes)
    guard result == 0 else {
      unsafe box.release()
      throw LinuxError(call: "pthread_create", result: result)
    }
    unsafe thread = started
  }

  /// Puts the calling thread before all ordinary ones (SCHED_FIFO), on every CPU it may run on.
  ///
  /// - Parameter priority: 1–99.
  /// - Throws: `.notPermitted` without CAP_SYS_NICE or a high enough RLIMIT_RTPRIO.
  public static func makeRealtime(priority: Int) throws(LinuxError) {
    let result = cl_realtime_self(Int32(clamping: priority))
    guard result == 0 else { throw LinuxError(call: "SCHED_FIFO", result: result) }
  }

  /// Waits until the body has returned.
  public func join() {
    guard let handle = unsafe thread else { return }
    unsafe thread = nil
    unsafe _ = cl_thread_join(handle)
  }
}

private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
