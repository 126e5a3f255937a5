//  NUMAMemory.swift: one large block of memory on the calling thread's node, in huge pages and locked where permitted.

import CLinux
import CNUMA

/// Zeroed memory for a packet pool. Make it on the thread that will use it: that thread's node is the local one.
/// Whatever cannot be had (NUMA, huge pages, locking) is done without; the properties say what was got, not what was asked.
@safe public struct NUMAMemory: ~Copyable, @unchecked Sendable {
  // @unchecked: only an address; whoever owns the block decides which thread uses it.
  public static let hugePage = 2 << 20

  public let byteCount: Int
  /// On a huge page's boundary.
  public let address: UnsafeMutableRawPointer
  /// The kernel was told to prefer this thread's node; without NUMA there is only one.
  public let isNodeLocal: Bool
  /// How much of it lies in huge pages.
  public let hugeBytes: Int
  public let isLocked: Bool
  private let mapping: UnsafeMutableRawPointer

  /// - Parameter byteCount: rounded up to whole 2 MiB pages; at least 1.
  public init(byteCount: Int, lock: Bool = true) throws(LinuxError) {
    precondition(byteCount > 0 && byteCount <= 1 << 40)
    let size = (byteCount + Self.hugePage - 1) & ~(Self.hugePage - 1)
    var block: UnsafeMutableRawPointer?
    // A page more than needed, so that a whole one begins inside: what of it is never touched costs nothing.
    let result = unsafe cl_map(&block, size + Self.hugePage)
    guard result == 0 else { throw LinuxError(call: "mmap", result: result) }
    guard let block = unsafe block else { throw LinuxError.exhausted(call: "mmap") }
    let aligned = unsafe block.alignedUp(toMultipleOf: Self.hugePage)
    isNodeLocal = numa_available() >= 0
    if isNodeLocal { unsafe numa_setlocal_memory(aligned, size) }
    unsafe _ = cl_advise_huge(aligned, size)
    unsafe aligned.initializeMemory(as: UInt8.self, repeating: 0, count: size)  // first touch places the pages
    unsafe isLocked = lock && cl_lock_memory(aligned, size) == 0
    unsafe hugeBytes = min(size, cl_huge_bytes(aligned))
    unsafe mapping = block
    unsafe address = aligned
    self.byteCount = size
  }

  deinit { unsafe _ = cl_unmap(mapping, byteCount + Self.hugePage) }
}
