//  Micro.swift: what single steps of the packet's and the call's walk cost, alone, on one thread.

import AllocationCounter

#if canImport(Glibc)
  import Glibc
#endif

/// Arguments: words; only groups whose name contains one of them are measured. None: all.
@main
enum Micro {
  static func main() throws {
    guard allocation_counter_works() else {
      print("allocations cannot be counted in this build")
      exit(1)
    }
    let words = CommandLine.arguments.dropFirst()
    let groups: [(name: String, run: () throws -> Void)] = [
      ("srtp", srtpSteps), ("batch", batchSteps), ("rtp", rtpSteps), ("audio", audioSteps), ("kernels", kernelSteps),
      ("sip", sipSteps), ("socket", socketSteps), ("worker", workerSteps),
    ]
    for group in groups where words.isEmpty || words.contains(where: { group.name.contains($0) }) {
      try group.run()
    }
  }
}
