//  MonotonicClock.swift: the only clock that shells read, and the system's entropy.

import CLinux
import Primitives

/// CLOCK_MONOTONIC; one vDSO call, no system call.
public enum MonotonicClock {
  @inlinable public static func now() -> Instant { Instant(nanoseconds: cl_monotonic_nanoseconds()) }

  /// Both clocks at one moment.
  public static func anchor() -> ClockAnchor {
    ClockAnchor(instant: now(), wall: WallTime(microseconds: cl_wall_microseconds()))
  }

  /// CPU time that the calling thread has used.
  public static func threadCPUTime() -> Interval { Interval(nanoseconds: cl_thread_cpu_nanoseconds()) }
}

extension RandomSource {
  /// Seeded by the kernel: unpredictable, fit for keys. Blocks only before the kernel's own pool is ready, at boot.
  public static func system() throws(LinuxError) -> RandomSource {
    var seed = [UInt8](repeating: 0, count: 32)
    let result = unsafe cl_random(&seed, seed.count)
    guard result == 0 else { throw LinuxError(call: "getrandom", result: result) }
    return RandomSource(seed: seed)
  }
}
