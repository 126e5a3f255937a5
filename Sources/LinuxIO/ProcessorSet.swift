//  ProcessorSet.swift: which CPUs this process may use, and which of them the workers get.

import CLinux
import CNUMA

public enum ProcessorSet {
  /// The most CPUs that are looked at.
  public static let maximumCount = 1024

  /// CPUs that the process may run on (its affinity mask, so also its cgroup's cpuset), ascending; never empty.
  public static func available() -> [Int] {
    var cpus = [Int32](repeating: 0, count: maximumCount)
    let count = unsafe cl_available_cpus(&cpus, Int32(maximumCount))
    guard count > 0 else { return [0] }
    return cpus.prefix(Int(count)).map { Int($0) }
  }

  /// One worker on each core but the first, which stays for control, interrupts and everything else; at least one.
  /// Of a core's hardware threads one is used: two workers on a core would be each other's jitter.
  ///
  /// - Parameter core: names the core of a CPU, the same for its hardware threads.
  public static func forWorkers(of available: [Int], core: (Int) -> Int = core) -> [Int] {
    guard let first = available.first else { return [0] }
    var taken: Set<Int> = [core(first)]
    let others = available.filter { taken.insert(core($0)).inserted }
    if !others.isEmpty { return others }
    // One core: its second thread, if it has one.
    return available.count > 1 ? [available[1]] : available
  }

  /// The core of a CPU, named by its lowest CPU; the CPU itself where the kernel does not tell.
  public static func core(of cpu: Int) -> Int {
    let core = Int(cl_core_of(Int32(clamping: cpu)))
    return core >= 0 ? core : cpu
  }

  /// Confines the calling thread, and the threads and processes that it starts from now on, to these CPUs.
  ///
  /// - Throws: `.invalid` when none of them can be had.
  public static func confine(to cpus: [Int]) throws(LinuxError) {
    let numbers = cpus.map { Int32(clamping: $0) }
    let result = unsafe cl_confine(numbers, Int32(clamping: numbers.count))
    guard result == 0 else { throw LinuxError(call: "sched_setaffinity", result: result) }
  }

  /// The CPU that the calling thread runs on now.
  public static var current: Int { Int(cl_current_cpu()) }

  /// The memory node of a CPU; 0 where the machine has one node or the kernel no NUMA.
  public static func node(of cpu: Int) -> Int {
    guard numa_available() >= 0, let cpu = Int32(exactly: cpu) else { return 0 }
    return max(0, Int(numa_node_of_cpu(cpu)))
  }
}
