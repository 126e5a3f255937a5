//  ByteKernels.swift: copying bytes between spans.

/// `destination[offset + i] = source[i]`, as one `memmove`.
@inline(__always) func copyBytes(_ source: RawSpan, to destination: inout MutableRawSpan, at offset: Int) {
  precondition(offset >= 0 && source.byteCount <= destination.byteCount &- offset)
  unsafe source.withUnsafeBytes { from in
    unsafe destination.withUnsafeMutableBytes { to in
      // The range was just compared with the destination's length.
      if let base = to.baseAddress, let start = from.baseAddress {
        unsafe (base + offset).copyMemory(from: start, byteCount: from.count)
      }
    }
  }
}
