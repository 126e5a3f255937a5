//  NUMAMemory.swift: one large block of memory on the calling thread's node, in huge pages and locked where permitted.

import CLinux
import CNUMA

/// Zeroed memory for a packet pool. Make it on the thread that will use it: that thread's node is the local one.
/// Whatever cannot be had (NUMA, huge pages, locking) is done without; the flags say what was got.
@safe public struct NUMAMemory: ~Copyable, @unchecked Sendable {
  // @unchecked: only an address; whoever owns the block decides which thread uses it.
  public let byteCount: Int
  /// Page-aligned.
  public let address: UnsafeMutableRawPointer
  public let isNodeLocal: Bool
  public let hasHugePages: Bool
  public let isLocked: Bool

  /// - Parameter byteCount: rounded up to whole 2 MiB pages; at least 1.
  public init(byteCount: Int, lock: Bool = true) throws(LinuxError) {
    precondition(byteCount > 0 && byteCount <= 1 << 40)
    let size = (byteCount + (2 << 20) - 1) & ~((2 << 20) - 1)
    var block: UnsafeMutableRawPointer?
    if numa_available() >= 0 { unsafe block = numa_alloc_local(size) }
    unsafe isNodeLocal = block != nil
    if unsafe block == nil {
      let result = unsafe cl_map(&block, size)
      guard result == 0 else { throw LinuxError(call: "mmap", result: result) }
    }
    guard let block = unsafe block else { throw LinuxError.exhausted(call: "mmap") }
    unsafe address = block
    self.byteCount = size
    unsafe hasHugePages = cl_advise_huge(block, size) == 0
    unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: size)  // first touch places the pages
    unsafe isLocked = lock && cl_lock_memory(block, size) == 0
  }

  deinit {
    if isNodeLocal {
      unsafe numa_free(address, byteCount)
    } else {
      unsafe _ = cl_unmap(address, byteCount)
    }
  }
}
